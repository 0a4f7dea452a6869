//! The trace of a request leads to the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use grepzilla_storage::disk::twin::Machine;
use tracing_subscriber::filter::LevelFilter;

use crate::fixtures::*;

/// What was logged, shared by all threads of the test binary.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_event_of_a_frame_is_logged_in_the_span_of_the_request_that_brought_the_batch() {
    let lines = Lines::default();
    let writer = lines.clone();
    // The event is logged on the log thread, so the subscriber must be everybody's. Other tests' events come in too.
    tracing_subscriber::fmt().json().with_max_level(LevelFilter::DEBUG).with_writer(move || writer.clone()).init();
    let shard = open_and_lead(Machine::new(1).boot(), options());
    let span = tracing::info_span!("request", trace_id = "5f1d-trace");
    span.in_scope(|| append(&shard, batch([1, 2], 10))).expect("taken");
    let text = String::from_utf8(lines.0.lock().expect("no writer panics").clone()).expect("JSON");
    let of_request: Vec<_> = text.lines().filter(|line| line.contains(r#""trace_id":"5f1d-trace""#)).collect();
    assert_eq!(of_request.len(), 1, "{of_request:?}");
    for part in
        [r#""message":"appended frame""#, r#""shard":"7""#, r#""epoch":"1""#, r#""first_seq":"2""#, r#""records":2"#]
    {
        assert!(of_request[0].contains(part), "{part} is missing in {}", of_request[0]);
    }
}

//! A word now and then from what takes long.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::interrupt;

/// Pause between two words.
const PAUSE: Duration = Duration::from_secs(10);

/// How far something is.
pub(crate) struct Progress {
    what: String,
    bytes_total: u64,
    bytes: u64,
    begun: Instant,
    said: Instant,
}

impl Progress {
    pub(crate) fn begin(what: String, bytes_total: u64) -> Progress {
        let now = Instant::now();
        Progress { what, bytes_total, bytes: 0, begun: now, said: now }
    }

    /// So many more bytes are done. An error if no more are wanted.
    pub(crate) fn add(&mut self, bytes: u64) -> Result<()> {
        interrupt::check()?;
        self.bytes += bytes;
        if self.said.elapsed() >= PAUSE {
            self.said = Instant::now();
            let speed = self.bytes as f64 / 1e6 / self.begun.elapsed().as_secs_f64();
            let Progress { what, bytes, bytes_total, .. } = self;
            eprintln!("{what}: {} of {} MB, {speed:.0} MB/s", *bytes / 1_000_000, *bytes_total / 1_000_000);
        }
        Ok(())
    }
}

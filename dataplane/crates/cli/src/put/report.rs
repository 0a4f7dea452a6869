//! What `put` tells while it works and at its end: a bar on a terminal, each refusal with its line, the totals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use grepzilla_api::client::ClientError;
use grepzilla_api::ingest::{DocumentError, IngestResponse};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Outcome;
use crate::put::batch::Batch;
use crate::text::{counted, duration, megabytes, printable, thousands};

/// Refusals that are shown one by one; more are only counted.
const REFUSALS_SHOWN: u64 = 100;

/// The running account.
pub(super) struct Report {
    bar: ProgressBar,
    read: Arc<AtomicU64>,
    started: Instant,
    taken: u64,
    /// How many of them were there already, under the key of their batch.
    repeated: u64,
    taken_bytes: u64,
    refused: u64,
}

impl Report {
    /// An account of sources with so many bytes on disk (`None`: unknown), of which `read` have been read.
    pub(super) fn new(bytes: Option<u64>, read: Arc<AtomicU64>) -> Report {
        let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match bytes {
            Some(_) => "{bar:32.cyan/dim} {percent:>3}% {msg} {elapsed_precise}",
            None => "{spinner} {msg} {elapsed_precise}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Report { bar, read, started: Instant::now(), taken: 0, repeated: 0, taken_bytes: 0, refused: 0 }
    }

    /// A batch was answered: some or all of its documents were taken.
    pub(super) fn answered(&mut self, batch: &Batch, answer: &IngestResponse) {
        self.taken += answer.appended;
        self.repeated += if answer.idempotent { answer.appended } else { 0 };
        self.taken_bytes += batch.body.len() as u64;
        for (place, error) in answer.errors.iter().enumerate() {
            // A document may have several entries, one behind the other.
            let is_first = answer.errors[..place].last().is_none_or(|before| before.index != error.index);
            self.refuse(u64::from(is_first), &format!("{}: {}", batch.place_of(error.index), sentence(error)));
        }
        if answer.errors_omitted > 0 {
            let more = counted(answer.errors_omitted, "more document");
            self.refuse(answer.errors_omitted, &format!("{}: {more} refused", batch.place()));
        }
        self.show();
    }

    /// A batch was refused as a whole.
    pub(super) fn refused(&mut self, batch: &Batch, error: &ClientError) {
        self.refuse(batch.documents(), &format!("{}: {error}", batch.place()));
        self.show();
    }

    /// A failure that ends the work, or comes after its end.
    pub(super) fn failed(&self, batch: &Batch, error: &ClientError) {
        let fate = if error.nothing_was_done() {
            "was not written"
        } else {
            "may or may not have been written, in part or in whole"
        };
        self.tell(&format!("{} {fate}: {}", batch.place(), with_causes(error)));
    }

    /// The totals, once the bar is gone.
    pub(super) fn finish(self) -> Outcome {
        self.bar.finish_and_clear();
        if self.refused > REFUSALS_SHOWN {
            anstream::eprintln!("... {} refused in all", counted(self.refused, "document"));
        }
        let took = self.started.elapsed();
        let rate = |amount: f64| amount / took.as_secs_f64().max(1e-9);
        let refused = if self.refused > 0 { format!(", {} refused", thousands(self.refused)) } else { String::new() };
        let repeated = match self.repeated {
            0 => String::new(),
            repeated => format!(" ({} of them before)", thousands(repeated)),
        };
        anstream::println!(
            "{} taken{repeated}{refused}: {} in {} ({} documents/s, {:.1} MB/s)",
            counted(self.taken, "document"),
            megabytes(self.taken_bytes),
            duration(took),
            thousands(rate(self.taken as f64) as u64),
            rate(self.taken_bytes as f64 / 1e6),
        );
        if self.refused > 0 { Outcome::No } else { Outcome::Yes }
    }

    fn refuse(&mut self, documents: u64, text: &str) {
        if self.refused < REFUSALS_SHOWN {
            self.tell(text);
        }
        self.refused += documents;
    }

    fn tell(&self, text: &str) {
        self.bar.suspend(|| anstream::eprintln!("{}", printable(text)));
    }

    fn show(&self) {
        let rate = self.taken as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
        self.bar.set_position(self.read.load(Ordering::Relaxed));
        self.bar.set_message(format!(
            "{}, {}/s, {}",
            counted(self.taken, "document"),
            thousands(rate as u64),
            megabytes(self.taken_bytes),
        ));
    }
}

/// `field a.b: too long (value_too_large)`.
fn sentence(error: &DocumentError) -> String {
    let field = error.field.as_ref().map(|field| format!("field {field}: ")).unwrap_or_default();
    format!("{field}{} ({})", error.message, error.code)
}

/// An error with everything below it.
pub(super) fn with_causes(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(below) = cause {
        text.push_str(&format!(": {below}"));
        cause = below.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_document_is_named_by_field_and_reason() {
        let error = DocumentError {
            index: 0,
            id: None,
            field: Some("a.b".into()),
            code: "value_too_large".into(),
            message: "too long".into(),
        };
        assert_eq!(sentence(&error), "field a.b: too long (value_too_large)");
    }
}

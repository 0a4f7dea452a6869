//! What is let in and what is not.

use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, Opts, Registry};

use crate::admission::{Admission, Refusal};
use crate::metrics::state::{gauge, gauges};

/// The counter of requests that were sent away.
#[derive(Debug, Clone)]
pub(crate) struct AdmissionMetrics {
    refused: IntCounterVec,
}

impl AdmissionMetrics {
    pub(super) fn new(registry: &Registry) -> Result<AdmissionMetrics, prometheus::Error> {
        let help = "Requests and batches that were not let in, by what stood against them.";
        let refused = IntCounterVec::new(Opts::new("grepzilla_ingest_refused_total", help), &["reason"])?;
        for reason in Refusal::REASONS {
            refused.with_label_values(&[reason]);
        }
        registry.register(Box::new(refused.clone()))?;
        Ok(AdmissionMetrics { refused })
    }

    /// Somebody was sent away.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.refused.with_label_values(&[refusal.reason()]).inc();
    }
}

/// How full everything is, and where the marks stand.
pub(super) fn families(admission: &Admission) -> Vec<MetricFamily> {
    let (marks, (used_bytes, bytes_max)) = (admission.marks(), admission.in_flight_bytes());
    let mark = |soft: u64, hard: u64| [("soft", soft as f64), ("hard", hard as f64)];
    vec![
        gauge(
            "grepzilla_in_flight_bytes",
            "Bytes of bodies that all requests under way hold together, decompressed.",
            used_bytes as f64,
        ),
        gauge(
            "grepzilla_in_flight_bytes_max",
            "Bytes that the bodies of all requests under way may hold together.",
            bytes_max as f64,
        ),
        gauge(
            "grepzilla_disk_free_bytes",
            "Bytes that are left on the file system of the data folder.",
            admission.disk.free_bytes() as f64,
        ),
        gauges(
            "grepzilla_disk_mark_bytes",
            "Free bytes below which clients are sent away (soft), or nothing is written (hard).",
            "mark",
            &mark(marks.disk_soft_free_bytes, marks.disk_hard_free_bytes),
        ),
        gauges(
            "grepzilla_hot_mark_bytes",
            "Bytes of the hot tier from which on clients are sent away (soft), or nothing is written (hard).",
            "mark",
            &mark(marks.hot_soft_bytes, marks.hot_hard_bytes),
        ),
    ]
}

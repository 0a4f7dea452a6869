//! What ingest counts.

use std::time::Duration;

use grepzilla_model::document::Amended;
use http::StatusCode;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

use crate::metrics::SECONDS_BOUNDS;

/// The counters of `POST /ingest`.
#[derive(Debug)]
pub(crate) struct IngestMetrics {
    requests: IntCounterVec,
    seconds: Histogram,
    bytes: IntCounter,
    appended: IntCounter,
    repeated: IntCounter,
    refused: IntCounter,
    replaced: IntCounter,
    dropped: IntCounter,
    trimmed: IntCounter,
    defaulted: IntCounter,
}

impl IngestMetrics {
    pub(super) fn new(registry: &Registry) -> Result<IngestMetrics, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("ingest_requests", "Requests to /ingest that this node answered, by HTTP status."),
            &["status"],
        )?;
        let seconds = Histogram::with_opts(
            HistogramOpts::new("grepzilla_ingest_seconds", "Time from the head of a request to /ingest to its answer.")
                .buckets(SECONDS_BOUNDS.to_vec()),
        )?;
        let bytes = IntCounter::new("grepzilla_ingest_bytes_total", "Bytes of bodies of /ingest, decompressed.")?;
        let documents = IntCounterVec::new(
            Opts::new(
                "grepzilla_ingest_documents_total",
                "Documents of requests to /ingest that this node answered, by what became of them.",
            ),
            &["outcome"],
        )?;
        let replaced = IntCounter::new(
            "grepzilla_ingest_replaced_characters_total",
            "Sequences of invalid UTF-8 and lone surrogates that became U+FFFD.",
        )?;
        let amended = IntCounterVec::new(
            Opts::new(
                "grepzilla_ingest_amended_values_total",
                "Values that were changed as the rules of their index say, by what was done.",
            ),
            &["how"],
        )?;
        // The name shall be there before the first request.
        requests.with_label_values(&[StatusCode::OK.as_str()]);
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(documents.clone()))?;
        registry.register(Box::new(replaced.clone()))?;
        registry.register(Box::new(amended.clone()))?;
        let outcome = |word: &str| documents.with_label_values(&[word]);
        Ok(IngestMetrics {
            requests,
            seconds,
            bytes,
            appended: outcome("appended"),
            repeated: outcome("repeated"),
            refused: outcome("refused"),
            replaced,
            dropped: amended.with_label_values(&["dropped"]),
            trimmed: amended.with_label_values(&["trimmed"]),
            defaulted: amended.with_label_values(&["defaulted"]),
        })
    }

    /// A body came in.
    pub(crate) fn received(&self, bytes: usize, replaced: usize, amended: Amended) {
        self.bytes.inc_by(bytes as u64);
        self.replaced.inc_by(replaced as u64);
        if !amended.is_nothing() {
            self.dropped.inc_by(amended.dropped);
            self.trimmed.inc_by(amended.trimmed);
            self.defaulted.inc_by(amended.defaulted);
        }
    }

    /// Documents were appended, others had been by an earlier request with the same key, others were refused.
    pub(crate) fn documents(&self, appended: u64, repeated: u64, refused: u64) {
        self.appended.inc_by(appended);
        self.repeated.inc_by(repeated);
        self.refused.inc_by(refused);
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        self.requests.with_label_values(&[status.as_str()]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

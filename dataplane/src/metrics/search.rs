//! What search counts: requests where they are answered, blocks and bytes where they are read.

use std::time::Duration;

use http::StatusCode;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

use crate::metrics::SECONDS_BOUNDS;

/// The counters of `POST /search`.
#[derive(Debug)]
pub(crate) struct SearchMetrics {
    requests: IntCounterVec,
    seconds: Histogram,
    blocks_read: IntCounter,
    bytes_read: IntCounter,
    failed_shards: IntCounter,
}

impl SearchMetrics {
    pub(super) fn new(registry: &Registry) -> Result<SearchMetrics, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "grepzilla_search_requests_total",
                "Requests to /search that this node answered, by HTTP status.",
            ),
            &["status"],
        )?;
        let seconds = Histogram::with_opts(
            HistogramOpts::new("grepzilla_search_seconds", "Time from the head of a request to /search to its answer.")
                .buckets(SECONDS_BOUNDS.to_vec()),
        )?;
        let blocks_read =
            IntCounter::new("grepzilla_search_blocks_read_total", "Blocks that searches of this node's shards read.")?;
        let bytes_read =
            IntCounter::new("grepzilla_search_bytes_read_total", "Bytes that searches of this node's shards scanned.")?;
        let failed_shards = IntCounter::new(
            "grepzilla_search_failed_shards_total",
            "Shards missing from the answers to /search that this node gave.",
        )?;
        // The name shall be there before the first request.
        requests.with_label_values(&[StatusCode::OK.as_str()]);
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(blocks_read.clone()))?;
        registry.register(Box::new(bytes_read.clone()))?;
        registry.register(Box::new(failed_shards.clone()))?;
        Ok(SearchMetrics { requests, seconds, blocks_read, bytes_read, failed_shards })
    }

    /// A shard of this node was searched.
    pub(crate) fn read(&self, blocks: u64, bytes: u64) {
        self.blocks_read.inc_by(blocks);
        self.bytes_read.inc_by(bytes);
    }

    /// An answer lacks shards.
    pub(crate) fn shards_missing(&self, count: usize) {
        self.failed_shards.inc_by(count as u64);
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        self.requests.with_label_values(&[status.as_str()]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

//! What a node tells of itself at `/metrics`.

use anyhow::{Context, Result};
use grepzilla_e2e::local_node::LocalNode;

use crate::http::{body, client, metric};

/// Where to ask.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    http: reqwest::Client,
    url: String,
}

impl Metrics {
    pub(crate) fn of(node: &LocalNode) -> Result<Metrics> {
        Ok(Metrics { http: client()?, url: format!("{}/metrics", node.url()) })
    }

    /// All of them, as text.
    pub(crate) async fn scrape(&self) -> Result<String> {
        body(self.http.get(&self.url)).await.context("a node's metrics")
    }
}

/// What changes for as long as anything goes on behind the writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Background {
    pub(super) hot_documents: f64,
    pub(super) segments: f64,
    pub(super) segment_bytes: f64,
    pub(super) log_bytes: f64,
    pub(super) flushes: f64,
    pub(super) merges: f64,
    pub(super) publishes: f64,
}

impl Background {
    pub(super) fn of(text: &str) -> Background {
        Background {
            hot_documents: metric(text, "hot_size"),
            segments: metric(text, "grepzilla_segments"),
            segment_bytes: metric(text, "grepzilla_segment_bytes"),
            log_bytes: metric(text, "grepzilla_wal_bytes"),
            flushes: metric(text, "flush_duration_ms_count"),
            merges: metric(text, "grepzilla_merge_seconds_count"),
            publishes: metric(text, "manifest_publish_total"),
        }
    }
}

/// What the logs have written, to see how many batches share a write and a sync.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogWork {
    groups: f64,
    records: f64,
    sync_seconds: f64,
    syncs: f64,
}

impl LogWork {
    pub(crate) fn of(text: &str) -> LogWork {
        LogWork {
            groups: metric(text, "grepzilla_wal_groups_total"),
            records: metric(text, "grepzilla_wal_records_total"),
            sync_seconds: metric(text, "grepzilla_wal_fsync_seconds_sum"),
            syncs: metric(text, "grepzilla_wal_fsync_seconds_count"),
        }
    }

    /// Records in one group since `before`, on average.
    pub(crate) fn records_per_group(&self, before: &LogWork) -> f64 {
        (self.records - before.records) / (self.groups - before.groups).max(1.0)
    }

    /// Milliseconds of one sync since `before`, on average.
    pub(crate) fn sync_milliseconds(&self, before: &LogWork) -> f64 {
        (self.sync_seconds - before.sync_seconds) * 1e3 / (self.syncs - before.syncs).max(1.0)
    }
}

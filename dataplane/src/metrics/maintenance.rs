//! What flushing, merging and publishing count, and what there is of segments and of the cache at the moment of a scrape.

use std::time::Duration;

use grepzilla_storage::{CacheStats, ShardStats};
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

use crate::metrics::state::{counter, gauge};

/// The upper bounds of the time of a flush, in milliseconds.
const FLUSH_MS_BOUNDS: [f64; 12] =
    [5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0];
/// The upper bounds of the time of a merge, in seconds.
const MERGE_SECONDS_BOUNDS: [f64; 9] = [0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The counters; made before there is a server, and shared by all shards.
#[derive(Debug, Clone)]
pub(crate) struct MaintenanceMetrics {
    flush_ms: Histogram,
    merge_seconds: Histogram,
    publishes: IntCounterVec,
}

/// How a try to publish ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishStatus {
    /// The store has accepted it, and this replica has recorded that.
    Ok,
    /// The store is away or silent.
    Unavailable,
    /// Another epoch has begun.
    Overtaken,
    /// The store holds something that does not go together with it.
    Refused,
    /// The store's side is done, this replica's is not.
    NotRecorded,
}

impl PublishStatus {
    const ALL: [PublishStatus; 5] = [
        PublishStatus::Ok,
        PublishStatus::Unavailable,
        PublishStatus::Overtaken,
        PublishStatus::Refused,
        PublishStatus::NotRecorded,
    ];

    /// The word for it in metrics and log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            PublishStatus::Ok => "ok",
            PublishStatus::Unavailable => "unavailable",
            PublishStatus::Overtaken => "overtaken",
            PublishStatus::Refused => "refused",
            PublishStatus::NotRecorded => "not_recorded",
        }
    }
}

impl MaintenanceMetrics {
    /// Everything at zero.
    pub(crate) fn new() -> Result<MaintenanceMetrics, prometheus::Error> {
        let flush_ms = Histogram::with_opts(
            HistogramOpts::new("flush_duration_ms", "How long flushes of a hot tier took, in milliseconds.")
                .buckets(FLUSH_MS_BOUNDS.to_vec()),
        )?;
        let merge_seconds = Histogram::with_opts(
            HistogramOpts::new("grepzilla_merge_seconds", "How long merges of segments took.")
                .buckets(MERGE_SECONDS_BOUNDS.to_vec()),
        )?;
        let help = "Tries to publish a manifest of a shard led here, by how they ended.";
        let publishes = IntCounterVec::new(Opts::new("manifest_publish_total", help), &["status"])?;
        for status in PublishStatus::ALL {
            publishes.with_label_values(&[status.word()]);
        }
        Ok(MaintenanceMetrics { flush_ms, merge_seconds, publishes })
    }

    /// Makes them part of what is scraped.
    pub(super) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.flush_ms.clone()))?;
        registry.register(Box::new(self.merge_seconds.clone()))?;
        registry.register(Box::new(self.publishes.clone()))
    }

    /// A hot tier was flushed.
    pub(crate) fn flushed(&self, took: Duration) {
        self.flush_ms.observe(took.as_secs_f64() * 1e3);
    }

    /// Segments were merged.
    pub(crate) fn merged(&self, took: Duration) {
        self.merge_seconds.observe(took.as_secs_f64());
    }

    /// A try to publish ended.
    pub(crate) fn publish_ended(&self, status: PublishStatus) {
        self.publishes.with_label_values(&[status.word()]).inc();
    }
}

/// A family for each thing there is to see of the shards led here, and of the cache that all shards share.
pub(super) fn families(shards: &[ShardStats], cache: CacheStats) -> Vec<MetricFamily> {
    let sum = |part: fn(&ShardStats) -> u64| shards.iter().map(part).sum::<u64>() as f64;
    let seconds = |part: fn(&ShardStats) -> f64| shards.iter().map(part).sum::<f64>();
    vec![
        gauge("grepzilla_segments", "Segments of the shards led here.", sum(|stats| stats.maintenance.segments)),
        gauge(
            "grepzilla_segment_bytes",
            "Bytes of the files of their segments.",
            sum(|stats| stats.maintenance.segment_bytes),
        ),
        counter(
            "grepzilla_merge_bytes_total",
            "Bytes of files that merges read and wrote.",
            sum(|stats| stats.maintenance.merge_bytes),
        ),
        counter(
            "grepzilla_retention_documents_total",
            "Documents that retention has removed from segments.",
            sum(|stats| stats.maintenance.retained_documents),
        ),
        counter(
            "grepzilla_retention_bytes_total",
            "Bytes of documents, as they were stored, that retention has removed from segments.",
            sum(|stats| stats.maintenance.retained_bytes),
        ),
        gauge(
            "grepzilla_superseded_documents",
            "Documents that a newer version or a tombstone has superseded and that are still held.",
            sum(|stats| stats.superseded as u64),
        ),
        gauge(
            "grepzilla_idempotency_keys",
            "Idempotency-Keys that the shards led here remember.",
            sum(|stats| stats.keys as u64),
        ),
        gauge("grepzilla_replay_bytes", "Bytes of logs that were read at the start.", sum(|stats| stats.replay.bytes)),
        gauge("grepzilla_replay_seconds", "What reading them took.", seconds(|stats| stats.replay.seconds)),
        counter("grepzilla_cache_hits_total", "Parts of segments that were in memory.", cache.hits as f64),
        counter("grepzilla_cache_misses_total", "Parts of segments that were read.", cache.misses as f64),
        gauge("grepzilla_cache_bytes", "Bytes of parts of segments in memory.", cache.bytes as f64),
        gauge("grepzilla_cache_bytes_max", "The most that there may be.", cache.bytes_max as f64),
    ]
}

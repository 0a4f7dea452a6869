//! What is read from the logs, the hot tiers and the shard table of a node at the moment of a scrape.

use grepzilla_storage::ShardStats;
use grepzilla_storage::wal::FsyncStats;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::metrics::maintenance;
use crate::node::{Leader, Node};

/// A family for each thing there is to see.
pub(super) fn families(node: &Node) -> Vec<MetricFamily> {
    let shards: Vec<ShardStats> = node.led_here().iter().map(|shard| shard.log.stats()).collect();
    let sum = |part: fn(&ShardStats) -> u64| shards.iter().map(part).sum::<u64>() as f64;
    let oldest = shards.iter().filter_map(|stats| stats.hot.oldest_time).min();
    let mut families = maintenance::families(&shards, node.cache.stats());
    families.extend([
        counter(
            "wal_bytes_total",
            "Bytes written to the logs of the shards led here.",
            sum(|stats| stats.log.bytes_written),
        ),
        gauge(
            "hot_mem_size",
            "Bytes of memory that the hot tiers of the shards led here take.",
            sum(|stats| stats.hot.bytes),
        ),
        gauge("hot_size", "Documents in the hot tiers of the shards led here.", sum(|stats| stats.hot.documents)),
        gauge(
            "hot_oldest_ts",
            "When the oldest record in the hot tiers was received, in seconds since 1970; 0 if there is none.",
            oldest.map_or(0.0, |time| time.0 as f64 / 1e9),
        ),
        shard_leaders(node),
        gauge(
            "grepzilla_damaged_segments",
            "Segments of the shards held here that are damaged or gone: what was in them is missing.",
            node.opened_here().iter().map(|shard| shard.log.stats().damaged_segments).sum::<u64>() as f64,
        ),
        gauge("grepzilla_wal_bytes", "Bytes in the logs of the shards led here.", sum(|stats| stats.log.bytes)),
        gauge(
            "grepzilla_wal_queue_bytes",
            "Bytes of batches that wait for their log.",
            sum(|stats| stats.queue_bytes as u64),
        ),
        counter(
            "grepzilla_wal_groups_total",
            "Groups of batches that shared one write.",
            sum(|stats| stats.log.groups),
        ),
        counter("grepzilla_wal_records_total", "Records written to logs.", sum(|stats| stats.log.records)),
        fsync_seconds(&shards),
        gauge(
            "grepzilla_metadata_connected",
            "Whether the metadata store is in touch: 1 or 0.",
            f64::from(u8::from(node.topology().connected)),
        ),
        gauge(
            "grepzilla_ring_version",
            "The version of the ring that this node knows.",
            node.topology().ring.version as f64,
        ),
    ]);
    families
}

/// 1 for each shard that this node leads, 0 for each whose log it holds without leading.
fn shard_leaders(node: &Node) -> MetricFamily {
    let leads = |leader| match leader {
        Leader::Here(_) => Some(1.0),
        Leader::ReadOnlyHere { .. } => Some(0.0),
        Leader::At { .. } | Leader::Nobody { .. } => None,
    };
    let topology = node.topology();
    let held = topology.ring.shards().filter_map(|shard| leads(node.leader_of(shard)).map(|value| (shard, value)));
    let metrics = held.map(|(shard, value)| {
        let mut label = LabelPair::default();
        label.set_name("shard".to_owned());
        label.set_value(shard.to_string());
        let mut metric = of_gauge(value);
        metric.set_label(vec![label]);
        metric
    });
    let help = "Whether this node leads the shard: 1 or 0; shards whose log it does not hold are left out.";
    family("shard_leader", help, MetricType::GAUGE, metrics.collect())
}

fn fsync_seconds(shards: &[ShardStats]) -> MetricFamily {
    let mut cumulative = 0;
    let buckets = FsyncStats::BOUNDS.iter().enumerate().map(|(place, bound)| {
        cumulative += shards.iter().map(|stats| stats.log.fsync.buckets[place]).sum::<u64>();
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(cumulative);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(shards.iter().map(|stats| stats.log.fsync.count).sum());
    histogram.set_sample_sum(shards.iter().map(|stats| stats.log.fsync.seconds).sum());
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    family("grepzilla_wal_fsync_seconds", "How long syncs of the logs took.", MetricType::HISTOGRAM, vec![metric])
}

pub(super) fn gauge(name: &str, help: &str, value: f64) -> MetricFamily {
    family(name, help, MetricType::GAUGE, vec![of_gauge(value)])
}

/// A gauge for each value of one label.
pub(super) fn gauges(name: &str, help: &str, label: &str, values: &[(&str, f64)]) -> MetricFamily {
    let of_value = |(word, value): &(&str, f64)| {
        let mut pair = LabelPair::default();
        pair.set_name(label.to_owned());
        pair.set_value((*word).to_owned());
        let mut metric = of_gauge(*value);
        metric.set_label(vec![pair]);
        metric
    };
    family(name, help, MetricType::GAUGE, values.iter().map(of_value).collect())
}

fn of_gauge(value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    Metric::from_gauge(gauge)
}

pub(super) fn counter(name: &str, help: &str, value: f64) -> MetricFamily {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = Metric::default();
    metric.set_counter(counter);
    family(name, help, MetricType::COUNTER, vec![metric])
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

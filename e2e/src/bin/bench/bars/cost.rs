//! The bars on what it costs: bytes, processor, memory, acknowledgements, the start, growth.

use std::time::Duration;

use super::{Bar, Fixed};
use crate::acknowledge::Acknowledged;
use crate::compare::Comparison;
use crate::corpus::Kind;
use crate::engine::grepzilla::{State, gram_bytes};
use crate::growth::{Growth, Replay};
use crate::needle::{Class, Needle};
use crate::report::{milliseconds, ratio};

const MIB: f64 = 1_048_576.0;

/// What a corpus of this kind may take on the disk, and of the processor and memory of the node.
pub(crate) fn of_load(kind: Kind, comparison: &Comparison, system: usize) -> Vec<Bar> {
    let raw = comparison.bytes as f64;
    let load = &comparison.loads[system];
    let (grams_most, store_least) = match kind {
        Kind::Events => (3.0, 25.0),
        Kind::Lines => (8.0, 5.0),
    };
    let grams = gram_bytes(&load.parts) as f64 * 100.0 / raw;
    let store = raw / load.store_bytes.max(1) as f64;
    let processor = comparison.processor_per_gigabyte(system);
    vec![
        Bar::new("index of grams", format!("<= {grams_most} % of raw"), Fixed::default())
            .found(format!("{grams:.2} %"), grams <= grams_most),
        Bar::new(
            "store, all included",
            format!("<= 1/{store_least} of raw"),
            Fixed::new("2.7x raw", "1/36 parsed, no substring index"),
        )
        .found(format!("1/{store:.1}"), store >= store_least),
        Bar::new(
            "durable ingest, flush and merge included",
            "<= 9 CPU s per GB",
            Fixed::new("30.2", "9.0, not durable at the ack"),
        )
        .found(format!("{processor:.1}"), processor <= 9.0),
        memory(comparison.peak_memory_mib[system].unwrap_or_default()),
    ]
}

fn memory(peak_mib: f64) -> Bar {
    let config = State::Segments.config();
    // Twice a hot tier that is to be flushed is held while that goes on.
    let hot = 2.0 * config.storage.flush_bytes as f64 * f64::from(config.shards) / MIB;
    let most = 512.0 + hot + config.storage.cache_bytes as f64 / MIB;
    let wanted = format!("<= {most:.0} MiB (512 + {hot:.0} hot tier + cache)");
    Bar::new("peak memory", wanted, Fixed::new("1,753 serving, 4,001 building", "316-633"))
        .found(format!("{peak_mib:.0} MiB"), peak_mib <= most)
}

/// Single documents.
pub(crate) fn of_acknowledgements(acknowledged: &Acknowledged) -> Vec<Bar> {
    const PER_SECOND: f64 = 5_000.0;
    const P99_MAX: Duration = Duration::from_millis(5);
    let mut bars = Vec::new();
    for run in &acknowledged.runs {
        let what = format!("single documents, clients: {}", run.clients);
        let p99 = run.times.p99();
        let found = format!(
            "{:.0}/s, p50 {} ms, p99 {} ms, {:.1} a group",
            run.per_second,
            milliseconds(run.times.p50()),
            milliseconds(p99),
            run.per_group
        );
        bars.push(if run.clients > 1 {
            let bar = Bar::new(what, ">= 5,000/s a shard, p99 <= 5 ms, in groups", Fixed::default());
            bar.found(found, run.per_second >= PER_SECOND && p99 <= P99_MAX && run.per_group > 1.0)
        } else {
            Bar::new(what, "-", Fixed::default()).told(found)
        });
    }
    let visible = Bar::new("from acknowledgement to visibility", "0", Fixed::new("", "0, lost if killed within 10 s"));
    bars.push(
        visible.found(format!("{} searches at once found theirs", acknowledged.visible), acknowledged.all_visible()),
    );
    bars
}

/// The log at the start.
pub(crate) fn of_replay(replay: &Replay) -> Bar {
    let speed = replay.megabytes_per_second();
    Bar::new("replay at the start", ">= 500 MB/s of log", Fixed::default())
        .found(format!("{speed:.0} MB/s"), speed >= 500.0)
}

/// What must not grow with the corpus.
pub(crate) fn of_growth(growth: &Growth) -> Vec<Bar> {
    let (smallest, largest) = growth.ends();
    let wanted = "10x / 1x <= 1.5, or <= 1 ms";
    let mut bars = Vec::new();
    if let Some((small, large)) = smallest.count_p50(Class::Absent).zip(largest.count_p50(Class::Absent)) {
        let bar = Bar::new("absent, ten times the documents", wanted, Fixed::default());
        bars.push(bar.found(grown(small, large), has_not_grown(small, large)));
    }
    let newest = smallest.newest_p50().zip(largest.newest_p50());
    let both = newest.filter_map(|((needle, small), (_, large))| Some((needle, small?, large?)));
    let ratio_of = |(_, small, large): &(&Needle, Duration, Duration)| large.as_secs_f64() / small.as_secs_f64();
    if let Some((needle, small, large)) = both.max_by(|one, other| ratio_of(one).total_cmp(&ratio_of(other))) {
        let bar = Bar::new(format!("newest 100, ten times, worst: `{}`", needle.text), wanted, Fixed::default());
        bars.push(bar.found(grown(small, large), has_not_grown(small, large)));
    }
    bars
}

fn grown(small: Duration, large: Duration) -> String {
    let times = ratio(large.as_secs_f64(), small.as_secs_f64());
    format!("{times}x, {} -> {} ms", milliseconds(small), milliseconds(large))
}

fn has_not_grown(small: Duration, large: Duration) -> bool {
    large <= Duration::from_millis(1) || large.as_secs_f64() <= 1.5 * small.as_secs_f64()
}

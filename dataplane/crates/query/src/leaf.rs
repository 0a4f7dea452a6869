//! The leaf of a search: one shard's answer to one query.
//!
//! Blocks are visited in the order in which they can contribute to the page, and not at all when they cannot contribute to the page and
//! nothing is counted. Only the documents of the page are put together.

mod aggregate;
mod block_ref;
mod hit;
mod open;
mod page;
mod plan;
mod preview;
mod scan;
mod sealed;
mod skim;
mod stop;

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::{Epoch, IndexName, SeqNo, ShardId};
use grepzilla_storage::{ReadError, View};

use crate::clock::Clock;
use crate::{CompiledQuery, Order, SortKey};
use scan::{Scan, Visit};
use stop::Stop;

pub use aggregate::{Aggregations, BUCKETS_MAX, Histogram, TERMS_BYTES_MAX, TERMS_SENT_MAX, TermCount, Terms};

/// How many blocks one thread reads before others are asked to help: what is found soon is not worth a second thread.
const BLOCKS_ALONE: usize = 4;

/// What is asked of one shard.
#[derive(Debug, Clone)]
pub struct LeafRequest<'a> {
    /// The query.
    pub query: &'a CompiledQuery,
    /// The shard, as it shall stand in the hits' keys.
    pub shard: ShardId,
    /// Which hits come first.
    pub order: Order,
    /// The most hits to give; 0 to count only.
    pub size: usize,
    /// The last hit of the page before: only what comes after it is given. The total does not depend on it.
    pub after: Option<SortKey>,
    /// Only what was written after this position; 0 for everything.
    pub since: SeqNo,
    /// The last position to look at: what was written later is not seen.
    pub upto: SeqNo,
    /// Whether to count all documents that match.
    pub count: bool,
    /// What to count by time or by value; needs no `count`.
    pub aggregations: Aggregations<'a>,
    /// Threads that may work on it, the caller's included; at least one does.
    pub threads: usize,
    /// When to stop.
    pub deadline: Instant,
    /// The most documents to look at one by one because a value of theirs matches. Checked behind each block, so it may be
    /// exceeded by the documents of one.
    pub candidates_max: u64,
}

/// A shard's answer.
#[derive(Debug, Clone, Default)]
pub struct LeafAnswer {
    /// The page, in order. Complete unless the deadline or the budget was hit; then it is the page of what was looked at.
    pub hits: Vec<LeafHit>,
    /// How many documents match, each once however many of its leaves do; `None` unless asked for. Exact unless the
    /// deadline or the budget was hit; then it is what was seen until then.
    pub total: Option<u64>,
    /// Documents by time, if asked for. As exact as the total, and unless it was cut.
    pub histogram: Option<Histogram>,
    /// Documents by value, if asked for. As exact as the total, and unless it says otherwise.
    pub terms: Option<Terms>,
    /// Whether there is, or after a hit deadline or budget may be, a hit behind the page.
    pub more: bool,
    /// Whether time ran out.
    pub deadline_hit: bool,
    /// Whether `candidates_max` was reached.
    pub budget_hit: bool,
    /// For each pattern, in the order of the query, how many grams were looked up in the indexes of segments.
    pub grams: Vec<u64>,
    /// What it took.
    pub metrics: LeafMetrics,
}

/// One document of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafHit {
    /// Where it stands in the order.
    pub key: SortKey,
    /// The term in which it was written.
    pub epoch: Epoch,
    /// Its explicit `_id`.
    pub id: Option<Arc<str>>,
    /// Its index.
    pub index: IndexName,
    /// The path of the first leaf, in the order of the document, that a pattern matches which is not negated; empty if none
    /// does, as for a query of `exists` and `range` only.
    pub matched_field: String,
    /// That leaf's value, or a window of it around its first match when it is long.
    pub preview: String,
    /// Where `preview` matches: `[start, end)` in bytes of UTF-8, ascending, without overlap, whole characters. Empty when
    /// the pattern has nothing to show, such as `*`.
    pub highlights: Vec<[usize; 2]>,
    /// The document as it was stored.
    pub source: Vec<u8>,
}

/// What an answer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeafMetrics {
    /// Documents that were looked at one by one because a value of theirs matches.
    pub candidates_total: u64,
    /// Blocks that there are.
    pub blocks_total: u64,
    /// Blocks that were not read because the index of grams excluded them.
    pub blocks_excluded: u64,
    /// Blocks whose values were searched.
    pub blocks_read: u64,
    /// Bytes that were searched.
    pub bytes_read: u64,
    /// Documents that were unpacked for the page.
    pub documents_unpacked: u64,
    /// From the start to the first document that matches.
    pub first_hit: Option<Duration>,
    /// The time that asking the index of grams took.
    pub plan: Duration,
    /// The time that searching took, `plan` included.
    pub scan: Duration,
    /// The time that putting the page together took.
    pub assembly: Duration,
}

impl LeafMetrics {
    fn merge(&mut self, other: &LeafMetrics) {
        self.candidates_total += other.candidates_total;
        self.blocks_excluded += other.blocks_excluded;
        self.blocks_read += other.blocks_read;
        self.plan += other.plan;
        self.bytes_read += other.bytes_read;
        self.first_hit = self.first_hit.into_iter().chain(other.first_hit).min();
    }
}

/// Asks one shard. An error means that part of it cannot be read: then there is no answer, because it might lack something.
pub fn search(view: &View, request: &LeafRequest<'_>) -> Result<LeafAnswer, ReadError> {
    let started = Instant::now();
    let visit = Visit::new(view, request, started);
    let (scan, stop) = run(&visit);
    let scanned = started.elapsed();
    let Scan { page, total, aggregates, grams, mut metrics, .. } = scan;
    let has_more = page.has_more();
    let clock = Clock::new(request.deadline);
    let (hits, assembled) = hit::assemble(page, &visit.blocks, request, &clock, &mut metrics);
    let stop = stop.or(assembled.err());
    if let Some(Stop::Unreadable(error)) = stop {
        return Err(error);
    }
    let flushed: usize = view.segments().iter().map(|segment| segment.blocks().len()).sum();
    metrics.blocks_total = (view.sealed().len() + view.open().len() + flushed) as u64;
    metrics.scan = scanned;
    metrics.assembly = started.elapsed() - scanned;
    let (histogram, terms) = aggregates.finish();
    Ok(LeafAnswer {
        hits,
        total: request.count.then_some(total),
        histogram,
        terms,
        more: has_more || stop.is_some(),
        deadline_hit: matches!(stop, Some(Stop::Deadline)),
        budget_hit: matches!(stop, Some(Stop::Budget)),
        grams: request.query.of_patterns(&grams),
        metrics,
    })
}

/// Visits the blocks, on several threads if there are many.
fn run<'a>(visit: &'a Visit<'a>) -> (Scan<'a>, Option<Stop>) {
    let mut scan = Scan::new(visit);
    let threads = visit.request.threads.min(visit.blocks_left() / BLOCKS_ALONE);
    let mut stop: Option<Stop> = match scan.run(if threads > 1 { BLOCKS_ALONE } else { usize::MAX }) {
        Ok(true) => None,
        Ok(false) => return (scan, None),
        Err(stop) => return (scan, Some(stop)),
    };
    std::thread::scope(|scope| {
        let help = || {
            let mut scan = Scan::new(visit);
            let stop = scan.run(usize::MAX).err();
            (scan, stop)
        };
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(help)).collect();
        let mut add = |other: Option<Stop>| {
            stop = match (stop.take(), other) {
                (Some(one), Some(other)) => Some(one.or_graver(other)),
                (one, other) => one.or(other),
            };
        };
        add(scan.run(usize::MAX).err());
        for helper in helpers {
            let (found, stop) = helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            scan.merge(found);
            add(stop);
        }
    });
    (scan, stop)
}

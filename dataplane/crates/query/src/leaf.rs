//! The leaf of a search: one shard's answer to one query.
//!
//! Blocks are visited in the order in which they can contribute to the page, and not at all when they cannot contribute to the page and
//! nothing is counted. Only the documents of the page are put together.

mod hit;
mod open;
mod page;
mod preview;
mod scan;
mod sealed;
mod skim;

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::{Epoch, IndexName, SeqNo, ShardId};
use grepzilla_storage::View;

use crate::clock::Clock;
use crate::{CompiledQuery, Order, SortKey};
use scan::{BlockRef, Scan, Stop};

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
    /// The last position to look at: what was written later is not seen.
    pub upto: SeqNo,
    /// Whether to count all documents that match.
    pub count: bool,
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
    /// Whether there is, or after a hit deadline or budget may be, a hit behind the page.
    pub more: bool,
    /// Whether time ran out.
    pub deadline_hit: bool,
    /// Whether `candidates_max` was reached.
    pub budget_hit: bool,
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
    /// Blocks whose values were searched.
    pub blocks_read: u64,
    /// Bytes that were searched.
    pub bytes_read: u64,
    /// Documents that were unpacked for the page.
    pub documents_unpacked: u64,
    /// From the start to the first document that matches.
    pub first_hit: Option<Duration>,
    /// The time that searching took.
    pub scan: Duration,
    /// The time that putting the page together took.
    pub assembly: Duration,
}

/// Asks one shard.
pub fn search(view: &View, request: &LeafRequest<'_>) -> LeafAnswer {
    let started = Instant::now();
    let clock = Clock::new(request.deadline);
    let blocks = blocks(view, request);
    let mut scan = Scan::new(view, request, &clock);
    let stop = scan.run(&blocks).err();
    let scanned = started.elapsed();
    let (page, mut metrics, total) = scan.finish();
    let has_more = page.has_more();
    let (hits, assembled) = hit::assemble(page, &blocks, request, &clock, &mut metrics);
    let stop = stop.or(assembled.err());
    metrics.blocks_total = (view.sealed().len() + view.open().len()) as u64;
    metrics.scan = scanned;
    metrics.assembly = started.elapsed() - scanned;
    LeafAnswer {
        hits,
        total: request.count.then_some(total),
        more: has_more || stop.is_some(),
        deadline_hit: stop == Some(Stop::Deadline),
        budget_hit: stop == Some(Stop::Budget),
        metrics,
    }
}

/// The blocks that may hold what is asked for, the most promising first.
fn blocks<'a>(view: &'a View, request: &LeafRequest<'_>) -> Vec<BlockRef<'a>> {
    let sealed = view.sealed().iter().map(|block| BlockRef::Sealed(block));
    let open = view.open().iter().map(BlockRef::Open);
    let mut blocks: Vec<BlockRef<'a>> = sealed.chain(open).filter(|block| block.may_hold(request)).collect();
    blocks.sort_by_cached_key(|block| block.best_rank(request));
    blocks
}

//! The visit of blocks: which documents match, how many they are, and which are the best.

use std::ops::ControlFlow;
use std::time::Instant;

use grepzilla_model::document::walk_leaves;
use grepzilla_model::fold::fold_into;
use grepzilla_storage::hot::{OpenDocument, OpenTail, SealedBlock, Span, Spelling, Stamp};

use super::page::{Page, Place};
use super::skim::Skim;
use super::{LeafMetrics, LeafRequest};
use crate::bits::Bits;
use crate::clock::{Clock, Expired};
use crate::{Order, Rank, SortKey};

/// Why a search ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Deadline,
    Budget,
}

impl From<Expired> for Stop {
    fn from(_: Expired) -> Stop {
        Stop::Deadline
    }
}

/// A block of either kind.
#[derive(Debug, Clone, Copy)]
pub(super) enum BlockRef<'a> {
    Sealed(&'a SealedBlock),
    Open(&'a OpenTail),
}

impl BlockRef<'_> {
    fn span(&self) -> Span {
        match self {
            BlockRef::Sealed(block) => block.span(),
            BlockRef::Open(tail) => tail.span(),
        }
    }

    /// Whether a document of the block may be asked for, whatever its values.
    pub(super) fn may_hold(&self, request: &LeafRequest<'_>) -> bool {
        let index = match self {
            BlockRef::Sealed(block) => block.index(),
            BlockRef::Open(tail) => tail.index(),
        };
        let (span, time) = (self.span(), request.query.time);
        let in_time = time.from.is_none_or(|from| from <= span.time_max) && time.to.is_none_or(|to| span.time_min < to);
        request.query.has_index(index) && in_time && span.seq_min <= request.upto
    }

    /// The best rank that a document of the block may have.
    pub(super) fn best_rank(&self, request: &LeafRequest<'_>) -> Rank {
        let span = self.span();
        let (time, seq) = match request.order {
            Order::Newest => (span.time_max, span.seq_max),
            Order::Oldest => (span.time_min, span.seq_min),
        };
        request.order.rank(SortKey { time, shard: request.shard, seq })
    }

    /// The worst rank that a document of the block may have.
    fn worst_rank(&self, request: &LeafRequest<'_>) -> Rank {
        let span = self.span();
        let (time, seq) = match request.order {
            Order::Newest => (span.time_min, span.seq_min),
            Order::Oldest => (span.time_max, span.seq_max),
        };
        request.order.rank(SortKey { time, shard: request.shard, seq })
    }
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    request: &'a LeafRequest<'a>,
    clock: &'a Clock,
    started: Instant,
    after: Option<Rank>,
    page: Page,
    total: u64,
    metrics: LeafMetrics,
    /// The documents of the present block that match.
    matching: Bits,
    skim: Skim<'a>,
    /// Room for a folded value.
    folded: String,
}

impl<'a> Scan<'a> {
    pub(super) fn new(request: &'a LeafRequest<'a>, clock: &'a Clock) -> Scan<'a> {
        Scan {
            request,
            clock,
            started: Instant::now(),
            after: request.after.map(|key| request.order.rank(key)),
            page: Page::new(request.size),
            total: 0,
            metrics: LeafMetrics::default(),
            matching: Bits::default(),
            skim: Skim::new(&request.query.matcher),
            folded: String::new(),
        }
    }

    /// Visits the blocks, which are in the order of their best ranks.
    pub(super) fn run(&mut self, blocks: &[BlockRef<'_>]) -> Result<(), Stop> {
        for (position, block) in blocks.iter().enumerate() {
            let is_wanted = self.page.wants(block.best_rank(self.request));
            if !is_wanted && !self.request.count {
                break;
            }
            let is_before_page = self.after.is_some_and(|after| block.worst_rank(self.request) <= after);
            if is_before_page && !self.request.count {
                continue;
            }
            self.clock.look()?;
            self.metrics.blocks_read += 1;
            match block {
                BlockRef::Sealed(block) => self.sealed(position, block)?,
                BlockRef::Open(tail) => self.open(position, tail)?,
            }
            if self.metrics.candidates_total > self.request.candidates_max {
                return Err(Stop::Budget);
            }
        }
        Ok(())
    }

    /// What was found.
    pub(super) fn finish(self) -> (Page, LeafMetrics, u64) {
        (self.page, self.metrics, self.total)
    }

    fn sealed(&mut self, position: usize, block: &SealedBlock) -> Result<(), Stop> {
        let (query, clock) = (self.request.query, self.clock);
        self.matching.reset(block.document_count());
        for run in block.values(query.matcher.spelling(), query.field.as_deref()) {
            self.metrics.bytes_read += run.bytes().len() as u64;
            let matching = &mut self.matching;
            query.matcher.scan(&run, clock, |place| {
                let documents = block.documents_of(run.number(place));
                documents.iter().for_each(|document| matching.insert(usize::from(*document)));
            })?;
        }
        let matching = std::mem::take(&mut self.matching);
        if self.is_counted_only(block) {
            self.candidates(matching.count() as u64);
        } else {
            for document in matching.iter() {
                let stamp = block.stamp(document);
                if self.is_asked_for(stamp) {
                    self.found(stamp, Place { block: position, document });
                }
            }
        }
        self.matching = matching;
        Ok(())
    }

    /// Whether all documents of the block are asked for and none can enter the page.
    fn is_counted_only(&self, block: &SealedBlock) -> bool {
        let (span, time) = (block.span(), self.request.query.time);
        let in_time = time.contains(span.time_min) && time.contains(span.time_max);
        in_time
            && span.seq_max <= self.request.upto
            && !self.page.wants(BlockRef::Sealed(block).best_rank(self.request))
    }

    fn open(&mut self, position: usize, tail: &OpenTail) -> Result<(), Stop> {
        for (number, document) in tail.documents().enumerate() {
            if self.is_asked_for(document.stamp) && self.matches(document)? {
                self.found(document.stamp, Place { block: position, document: number });
            }
        }
        Ok(())
    }

    /// Reads one document.
    fn matches(&mut self, document: &OpenDocument) -> Result<bool, Expired> {
        let (query, clock) = (self.request.query, self.clock);
        let source = document.source();
        self.metrics.bytes_read += source.len() as u64;
        clock.tick()?;
        if !self.skim.may_match(&source) {
            return Ok(false);
        }
        let mut matches = Ok(false);
        walk_leaves(&source, |path, value| {
            if query.has_field(path) {
                matches = query.matcher.matches(self.spelled(value), clock);
            }
            if matches == Ok(false) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        matches
    }

    /// The value in the spelling of the search.
    fn spelled<'v>(&'v mut self, value: &'v str) -> &'v str {
        if self.request.query.matcher.spelling() == Spelling::Written {
            return value;
        }
        self.folded.clear();
        fold_into(value, &mut self.folded);
        &self.folded
    }

    fn is_asked_for(&self, stamp: Stamp) -> bool {
        stamp.seq <= self.request.upto && self.request.query.time.contains(stamp.time)
    }

    fn candidates(&mut self, count: u64) {
        self.metrics.candidates_total += count;
        self.total += count;
        if count > 0 {
            self.metrics.first_hit.get_or_insert_with(|| self.started.elapsed());
        }
    }

    fn found(&mut self, stamp: Stamp, place: Place) {
        self.candidates(1);
        let rank = self.request.order.rank(SortKey { time: stamp.time, shard: self.request.shard, seq: stamp.seq });
        if self.after.is_none_or(|after| after < rank) {
            self.page.add(rank, place);
        }
    }
}

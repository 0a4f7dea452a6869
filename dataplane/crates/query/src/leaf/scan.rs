//! The visit of blocks: which documents match, how many they are, and which are the best.

use std::time::Instant;

use grepzilla_storage::View;
use grepzilla_storage::block::{Block, Span, Stamp};
use grepzilla_storage::hot::OpenTail;

use super::open::Reader;
use super::page::{Page, Place};
use super::sealed::Evaluation;
use super::{LeafMetrics, LeafRequest};
use crate::clock::{Clock, Expired};
use crate::{Order, Rank, SortKey};

/// Why reading a part of a block cannot fail.
pub(super) const IN_MEMORY: &str = "blocks of the hot tier are in memory";

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
    Sealed(&'a Block),
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
    view: &'a View,
    request: &'a LeafRequest<'a>,
    clock: &'a Clock,
    started: Instant,
    after: Option<Rank>,
    page: Page,
    total: u64,
    metrics: LeafMetrics,
    reader: Reader<'a>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(view: &'a View, request: &'a LeafRequest<'a>, clock: &'a Clock) -> Scan<'a> {
        Scan {
            view,
            request,
            clock,
            started: Instant::now(),
            after: request.after.map(|key| request.order.rank(key)),
            page: Page::new(request.size),
            total: 0,
            metrics: LeafMetrics::default(),
            reader: Reader::new(request.query, clock),
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

    fn sealed(&mut self, position: usize, block: &Block) -> Result<(), Stop> {
        let mut evaluation = Evaluation::new(self.request.query, block, self.clock);
        let documents = evaluation.documents();
        self.metrics.bytes_read += evaluation.bytes_read();
        let documents = documents?;
        if self.is_counted_only(block) {
            self.candidates(documents.count() as u64);
            return Ok(());
        }
        let stamps = block.stamps().expect(IN_MEMORY);
        for document in documents.iter() {
            let stamp = stamps.stamp(document);
            if self.is_asked_for(stamp) {
                self.found(stamp, Place { block: position, document });
            }
        }
        Ok(())
    }

    /// Whether all documents of the block are asked for and none can enter the page.
    fn is_counted_only(&self, block: &Block) -> bool {
        let (span, time) = (block.span(), self.request.query.time);
        let in_time = time.contains(span.time_min) && time.contains(span.time_max);
        in_time
            && span.seq_max <= self.request.upto
            && !self.view.superseded_in(span)
            && !self.page.wants(BlockRef::Sealed(block).best_rank(self.request))
    }

    fn open(&mut self, position: usize, tail: &OpenTail) -> Result<(), Stop> {
        for (number, document) in tail.documents().enumerate() {
            if !self.is_asked_for(document.stamp) {
                continue;
            }
            let source = document.source();
            self.metrics.bytes_read += source.len() as u64;
            if self.reader.holds(&source)? {
                self.found(document.stamp, Place { block: position, document: number });
            }
        }
        Ok(())
    }

    fn is_asked_for(&self, stamp: Stamp) -> bool {
        stamp.seq <= self.request.upto
            && self.request.query.time.contains(stamp.time)
            && !self.view.is_superseded(stamp.seq, self.request.upto)
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

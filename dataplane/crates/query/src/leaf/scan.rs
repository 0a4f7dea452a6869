//! The visit of blocks: which documents match, how many they are, and which are the best.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use grepzilla_storage::View;
use grepzilla_storage::block::{Block, Stamp};
use grepzilla_storage::hot::OpenTail;

use super::aggregate::Aggregates;
use super::block_ref::{BlockRef, SegmentPlace};
use super::open::Reader;
use super::page::{Page, Place};
use super::plan::Plan;
use super::sealed::{Candidates, Evaluation};
use super::stop::Stop;
use super::{LeafMetrics, LeafRequest};
use crate::bits::Bits;
use crate::clock::Clock;
use crate::{Rank, SortKey};

/// What the threads of one search share.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    pub(super) view: &'a View,
    pub(super) request: &'a LeafRequest<'a>,
    /// In the order of their best ranks.
    pub(super) blocks: Vec<BlockRef<'a>>,
    /// What the index of each segment says, asked for when its first block is reached.
    plans: Vec<Mutex<Option<Arc<Plan>>>>,
    /// The position of the first block that nobody has taken.
    next: AtomicUsize,
    candidates: AtomicU64,
    is_stopped: AtomicBool,
    after: Option<Rank>,
    started: Instant,
}

impl<'a> Visit<'a> {
    pub(super) fn new(view: &'a View, request: &'a LeafRequest<'a>, started: Instant) -> Visit<'a> {
        let shown = |block: &Block| !view.hides(block);
        let hot = view.sealed().iter().filter(|block| shown(block)).map(|block| BlockRef::Sealed(block, None));
        let open = view.open().iter().filter(|tail| !view.hides_open(tail)).map(BlockRef::Open);
        let flushed = view.segments().iter().enumerate().flat_map(|(number, segment)| {
            let place = move |block| SegmentPlace { segment: number, block };
            let blocks = segment.blocks().iter().enumerate().filter(move |(_, block)| shown(block));
            blocks.map(move |(block, of)| BlockRef::Sealed(of, Some(place(block))))
        });
        let mut blocks: Vec<BlockRef<'a>> =
            hot.chain(open).chain(flushed).filter(|block| block.may_hold(request)).collect();
        blocks.sort_by_cached_key(|block| block.best_rank(request));
        Visit {
            view,
            request,
            blocks,
            plans: view.segments().iter().map(|_| Mutex::default()).collect(),
            next: AtomicUsize::new(0),
            candidates: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
            after: request.after.map(|key| request.order.rank(key)),
            started,
        }
    }

    /// Blocks that nobody has taken.
    pub(super) fn blocks_left(&self) -> usize {
        self.blocks.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Whether every block is visited, whatever the page holds.
    fn visits_all(&self) -> bool {
        self.request.count || !self.request.aggregations.is_empty()
    }
}

/// What one thread has found.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    visit: &'a Visit<'a>,
    clock: Clock,
    /// See [`Matcher::scan`].
    ///
    /// [`Matcher::scan`]: crate::matcher::Matcher::scan
    room: Vec<u8>,
    pub(super) page: Page,
    pub(super) total: u64,
    pub(super) aggregates: Aggregates,
    /// Grams that were looked up for each condition.
    pub(super) grams: Vec<u64>,
    pub(super) metrics: LeafMetrics,
}

impl<'a> Scan<'a> {
    pub(super) fn new(visit: &'a Visit<'a>) -> Scan<'a> {
        Scan {
            visit,
            clock: Clock::new(visit.request.deadline),
            room: Vec::new(),
            page: Page::new(visit.request.size),
            total: 0,
            aggregates: Aggregates::new(&visit.request.aggregations),
            grams: vec![0; visit.request.query.conditions.len()],
            metrics: LeafMetrics::default(),
        }
    }

    /// Visits blocks until none is left that can contribute, or, if it is asked to pause, for a few blocks. Whether it paused.
    pub(super) fn run(&mut self, blocks_max: usize) -> Result<bool, Stop> {
        let outcome = self.visit_blocks(blocks_max);
        if outcome.is_err() {
            self.visit.is_stopped.store(true, Ordering::Relaxed);
        }
        outcome
    }

    fn visit_blocks(&mut self, blocks_max: usize) -> Result<bool, Stop> {
        let (visit, blocks_read) = (self.visit, self.metrics.blocks_read);
        let mut reader = Reader::new(visit.request.query, visit.request.deadline);
        while !visit.is_stopped.load(Ordering::Relaxed) {
            if self.metrics.blocks_read - blocks_read >= blocks_max as u64 {
                return Ok(true);
            }
            let position = visit.next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = visit.blocks.get(position) else { break };
            let is_wanted = self.page.wants(block.best_rank(visit.request));
            if !is_wanted && !visit.visits_all() {
                break;
            }
            let is_before_page = visit.after.is_some_and(|after| block.worst_rank(visit.request) <= after);
            if is_before_page && !visit.visits_all() {
                continue;
            }
            let plan = self.plan(block)?;
            if let (Some(plan), BlockRef::Sealed(_, Some(place))) = (&plan, block)
                && !plan.may_hold(place.block)
            {
                self.metrics.blocks_excluded += 1;
                continue;
            }
            self.clock.look()?;
            self.metrics.blocks_read += 1;
            match block {
                BlockRef::Sealed(block, place) => self.sealed(position, block, plan.as_deref().zip(*place))?,
                BlockRef::Open(tail) => self.open(position, tail, &mut reader)?,
            }
            if visit.candidates.load(Ordering::Relaxed) > visit.request.candidates_max {
                return Err(Stop::Budget);
            }
        }
        Ok(false)
    }

    /// Takes over what another thread has found.
    pub(super) fn merge(&mut self, other: Scan<'_>) {
        self.page.merge(other.page);
        self.total += other.total;
        self.aggregates.merge(other.aggregates);
        self.grams.iter_mut().zip(other.grams).for_each(|(sum, grams)| *sum += grams);
        self.metrics.merge(&other.metrics);
    }

    /// What the index of the block's segment says; `None`: it is in no segment.
    fn plan(&mut self, block: &BlockRef<'_>) -> Result<Option<Arc<Plan>>, Stop> {
        let BlockRef::Sealed(_, Some(place)) = block else { return Ok(None) };
        let mut plan = self.visit.plans[place.segment].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = &*plan {
            return Ok(Some(Arc::clone(plan)));
        }
        self.clock.look()?;
        let started = Instant::now();
        let made = Arc::new(Plan::new(self.visit.request.query, &self.visit.view.segments()[place.segment])?);
        self.metrics.plan += started.elapsed();
        self.grams.iter_mut().zip(made.grams()).for_each(|(sum, grams)| *sum += grams);
        *plan = Some(Arc::clone(&made));
        Ok(Some(made))
    }

    fn sealed(&mut self, position: usize, block: &Block, planned: Option<(&Plan, SegmentPlace)>) -> Result<(), Stop> {
        let (request, segments) = (self.visit.request, self.visit.view.segments());
        let candidates = planned.map(|(plan, place)| {
            let first_unit = segments[place.segment].units_of(place.block).start;
            Candidates { plan, first_unit }
        });
        let mut evaluation = Evaluation::new(request.query, block, candidates, &self.clock, &mut self.room);
        let documents = evaluation.documents();
        self.metrics.bytes_read += evaluation.bytes_read();
        let mut documents = documents?;
        if documents.is_empty() {
            return Ok(());
        }
        if !self.is_asked_for_as_a_whole(block) {
            let stamps = block.stamps()?;
            documents.retain(|document| self.is_asked_for(stamps.stamp(document)));
        }
        self.candidates(documents.count() as u64);
        self.aggregates.add_block(block, &documents)?;
        if self.page.wants(BlockRef::Sealed(block, None).best_rank(request)) {
            self.add_to_page(position, block, &documents)?;
        }
        Ok(())
    }

    fn add_to_page(&mut self, position: usize, block: &Block, documents: &Bits) -> Result<(), Stop> {
        let stamps = block.stamps()?;
        for document in documents.iter() {
            self.found(stamps.stamp(document), Place { block: position, document });
        }
        Ok(())
    }

    /// Whether all documents of the block are asked for, whatever their stamps.
    fn is_asked_for_as_a_whole(&self, block: &Block) -> bool {
        let (span, request) = (block.span(), self.visit.request);
        let in_time = request.query.time.contains(span.time_min) && request.query.time.contains(span.time_max);
        in_time && request.since < span.seq_min && span.seq_max <= request.upto && !self.visit.view.superseded_in(span)
    }

    fn open(&mut self, position: usize, tail: &OpenTail, reader: &mut Reader<'_>) -> Result<(), Stop> {
        for (number, document) in tail.documents().enumerate() {
            if !self.is_asked_for(document.stamp) {
                continue;
            }
            let source = document.source();
            self.metrics.bytes_read += source.len() as u64;
            if reader.holds(source)? {
                self.candidates(1);
                self.aggregates.add_open(document.stamp, source);
                self.found(document.stamp, Place { block: position, document: number });
            }
        }
        Ok(())
    }

    fn is_asked_for(&self, stamp: Stamp) -> bool {
        let request = self.visit.request;
        request.since < stamp.seq
            && stamp.seq <= request.upto
            && request.query.time.contains(stamp.time)
            && !self.visit.view.is_superseded(stamp.seq, request.upto)
    }

    fn candidates(&mut self, count: u64) {
        if count > 0 {
            self.visit.candidates.fetch_add(count, Ordering::Relaxed);
            self.metrics.candidates_total += count;
            self.total += count;
            self.metrics.first_hit.get_or_insert_with(|| self.visit.started.elapsed());
        }
    }

    fn found(&mut self, stamp: Stamp, place: Place) {
        let request = self.visit.request;
        let rank = request.order.rank(SortKey { time: stamp.time, shard: request.shard, seq: stamp.seq });
        if self.visit.after.is_none_or(|after| after < rank) {
            self.page.add(rank, place);
        }
    }
}

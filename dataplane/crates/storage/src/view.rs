//! What a search sees: one moment of a shard, unchanging.
//!
//! A document is there from its own position on, and until the position at which a newer version or a tombstone of its
//! explicit `_id` *superseded* it. So any position up to the view's own can be asked for, and the answer does not depend
//! on what came later.

mod superseded;

use std::sync::Arc;

use grepzilla_model::{IndexName, SegmentEntry, SeqNo, ShardId, TimeNs};

use crate::ReadError;
use crate::block::{Block, Span, Stamp};
use crate::hot::{HotOptions, HotTier, HotView, OpenTail};
use crate::segment::Segment;
use crate::shard::{Damage, Hidden, LiveSegment, SegmentList};

pub(crate) use superseded::Superseded;

/// An unchanging look at a shard. It keeps what it holds readable as long as it lives, whatever becomes of the files'
/// names. A document is in exactly one of [`View::sealed`], [`View::open`] and [`View::segments`], unless it is part of
/// [`View::damage`].
#[derive(Debug, Clone)]
pub struct View {
    hot: HotView,
    hot_superseded: Arc<Superseded>,
    list: Arc<SegmentList>,
    hidden: Arc<Hidden>,
    /// The moment at which retention is asked what it hides. `None`: nothing.
    now: Option<TimeNs>,
}

/// A document that was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its index.
    pub index: IndexName,
    /// Where it stands.
    pub stamp: Stamp,
    /// When the last document of its block was received: it was not later.
    pub received_max: TimeNs,
    /// Its explicit `_id`.
    pub id: Option<Arc<str>>,
    /// The document as it was stored.
    pub source: String,
}

impl View {
    pub(crate) fn new(
        hot: HotView,
        hot_superseded: Arc<Superseded>,
        list: Arc<SegmentList>,
        hidden: Arc<Hidden>,
    ) -> View {
        View { hot, hot_superseded, list, hidden, now: None }
    }

    /// The same as who looks at a moment sees it: without what retention hides then. Two views at one moment hide the same, as long
    /// as the moment is not older than a cursor may be.
    pub fn at(self, now: TimeNs) -> View {
        View { now: Some(now), ..self }
    }

    /// Whether retention hides all documents of a block.
    pub fn hides(&self, block: &Block) -> bool {
        let hides = |now| self.hidden.hides(block.index(), block.span().seq_max, block.received_max(), now);
        self.now.is_some_and(hides)
    }

    /// Whether retention hides all documents of a block that still grows.
    pub fn hides_open(&self, tail: &OpenTail) -> bool {
        let hides = |now| self.hidden.hides(tail.index(), tail.span().seq_max, tail.received_max(), now);
        self.now.is_some_and(hides)
    }

    /// Whether retention has removed documents that could be seen at the moment of the view, so that a page which was begun then
    /// cannot go on.
    pub fn is_past(&self) -> bool {
        self.now.is_some_and(|now| self.hidden.has_taken_since(now))
    }

    /// Of one segment by itself, in which no version supersedes another.
    pub fn of_segment(segment: Segment, entry: SegmentEntry) -> View {
        let hot = HotTier::new(segment.identity().shard, HotOptions::default()).view();
        let (before, last) = (SeqNo(entry.name.first.0.saturating_sub(1)), entry.name.last);
        let live = LiveSegment { segment: Arc::new(segment), superseded: Arc::default(), entry };
        let list = SegmentList::new(before, last, vec![live], &Arc::default());
        View::new(hot, Arc::default(), Arc::new(list), Arc::default())
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.hot.shard()
    }

    /// The last position that is visible; 0 when nothing is.
    pub fn upto(&self) -> SeqNo {
        self.hot.upto().max(self.list.flushed())
    }

    /// The last position that retention has dropped: a cursor of this position or an older one cannot be answered.
    pub fn base(&self) -> SeqNo {
        self.list.base()
    }

    /// The blocks of the hot tier, in the order in which they were sealed.
    pub fn sealed(&self) -> &[Block] {
        self.hot.sealed()
    }

    /// The blocks that still grow, as far as they had grown.
    pub fn open(&self) -> &[OpenTail] {
        self.hot.open()
    }

    /// The segments, ascending by position.
    pub fn segments(&self) -> &[Arc<Segment>] {
        self.list.handles()
    }

    /// What is missing, because it cannot be read: an answer without it is not all there should be.
    pub fn damage(&self) -> &[Damage] {
        self.list.damage()
    }

    /// The same moment without the segment that could not be read, which is part of the damage then. `None`: the view has no
    /// such segment.
    pub fn without(&self, error: &ReadError) -> Option<View> {
        Some(View { list: Arc::new(self.list.without(error)?), ..self.clone() })
    }

    /// Whether the document at `seq` is not there any more at the position `upto`, which is at most the view's own.
    pub fn is_superseded(&self, seq: SeqNo, upto: SeqNo) -> bool {
        let notes = self.list.at(seq).map_or(&self.hot_superseded, |live| &live.superseded);
        notes.at(seq).is_some_and(|by| by <= upto)
    }

    /// Whether any document within these positions may be superseded at some position.
    pub fn superseded_in(&self, span: Span) -> bool {
        let (first, last) = (span.seq_min, span.seq_max);
        let segments = self.list.within(first, last);
        self.hot_superseded.any_in(first, last) || segments.iter().any(|live| live.superseded.any_in(first, last))
    }

    /// The newest version of an id that segments hold, superseded or not.
    pub(crate) fn newest_in_segments(&self, index: &IndexName, id: &str) -> Result<Option<SeqNo>, ReadError> {
        newest_in(&self.list, index, id)
    }

    /// The document at a position, whether superseded or not. `None`: there is none.
    pub(crate) fn document(&self, seq: SeqNo) -> Result<Option<StoredDocument>, ReadError> {
        let live = self.list.at(seq);
        let blocks = live.map_or(self.sealed(), |live| live.segment.blocks());
        for block in blocks.iter().filter(|block| holds(block.span(), seq)) {
            let stamps = block.stamps()?;
            if let Some(document) = stamps.find(seq) {
                let (stamp, id) = (stamps.stamp(document), block.id(document)?);
                let source = block.sources()?.source(document);
                let (index, received_max) = (block.index().clone(), block.received_max());
                return Ok(Some(StoredDocument { index, stamp, received_max, id, source }));
            }
        }
        for tail in self.open().iter().filter(|tail| holds(tail.span(), seq)) {
            if let Some(document) = tail.documents().find(|document| document.stamp.seq == seq) {
                let (stamp, received_max, id) = (document.stamp, document.received, document.id.clone());
                let (index, source) = (tail.index().clone(), document.source().to_owned());
                return Ok(Some(StoredDocument { index, stamp, received_max, id, source }));
            }
        }
        Ok(None)
    }
}

impl From<HotView> for View {
    /// Of a hot tier by itself, in which no version supersedes another.
    fn from(hot: HotView) -> View {
        View { hot, hot_superseded: Arc::default(), list: Arc::default(), hidden: Arc::default(), now: None }
    }
}

fn holds(span: Span, seq: SeqNo) -> bool {
    span.seq_min <= seq && seq <= span.seq_max
}

/// The position of the newest version of an id in these segments, superseded or not.
pub(crate) fn newest_in(list: &SegmentList, index: &IndexName, id: &str) -> Result<Option<SeqNo>, ReadError> {
    for live in list.live().iter().rev() {
        if let Some(found) = live.segment.find_id(index, id)?.last() {
            return Ok(Some(found.seq));
        }
    }
    Ok(None)
}

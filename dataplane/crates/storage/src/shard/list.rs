//! The segments of a shard that count now.

use std::sync::Arc;

use grepzilla_model::{SegmentEntry, SeqNo};

use super::damage::Damage;
use crate::ReadError;
use crate::segment::Segment;
use crate::view::Superseded;

/// A segment, what was superseded in it, and how a manifest names it.
#[derive(Debug, Clone)]
pub(crate) struct LiveSegment {
    pub(crate) segment: Arc<Segment>,
    pub(crate) superseded: Arc<Superseded>,
    pub(crate) entry: SegmentEntry,
}

/// Those of one moment, ascending by position.
#[derive(Debug, Clone, Default)]
pub(crate) struct SegmentList {
    base: SeqNo,
    flushed: SeqNo,
    live: Vec<LiveSegment>,
    handles: Vec<Arc<Segment>>,
    damage: Arc<Vec<Damage>>,
}

impl SegmentList {
    /// Of segments in order, that hold what lies behind `base` up to `flushed`, but for what is damaged.
    pub(crate) fn new(base: SeqNo, flushed: SeqNo, live: Vec<LiveSegment>, damage: &Arc<Vec<Damage>>) -> SegmentList {
        debug_assert!(live.is_sorted_by(|one, next| one.entry.name.last < next.entry.name.first), "in order");
        let handles = live.iter().map(|live| Arc::clone(&live.segment)).collect();
        SegmentList { base, flushed, live, handles, damage: Arc::clone(damage) }
    }

    /// The same with more damage, and without the segments that it names.
    pub(crate) fn with_damage(&self, more: impl IntoIterator<Item = Damage>) -> SegmentList {
        let mut damage = Vec::clone(&self.damage);
        damage.extend(more);
        damage.sort_by_key(|damage| damage.segment.first);
        let is_whole = |live: &&LiveSegment| damage.iter().all(|damage| damage.segment != live.entry.name);
        let live = self.live.iter().filter(is_whole).cloned().collect();
        SegmentList::new(self.base, self.flushed, live, &Arc::new(damage))
    }

    /// The same without the segment that could not be read. `None`: it is none of these.
    pub(crate) fn without(&self, error: &ReadError) -> Option<SegmentList> {
        let unreadable = self.live.iter().find(|live| live.segment.path() == error.path())?;
        Some(self.with_damage([Damage::new(&unreadable.entry, error.reason())]))
    }

    /// What is not here and should be.
    pub(crate) fn damage(&self) -> &Arc<Vec<Damage>> {
        &self.damage
    }

    /// The last position that retention has dropped.
    pub(crate) fn base(&self) -> SeqNo {
        self.base
    }

    /// The last position that a segment covers.
    pub(crate) fn flushed(&self) -> SeqNo {
        self.flushed
    }

    pub(crate) fn live(&self) -> &[LiveSegment] {
        &self.live
    }

    pub(crate) fn handles(&self) -> &[Arc<Segment>] {
        &self.handles
    }

    pub(crate) fn entries(&self) -> Vec<SegmentEntry> {
        self.live.iter().map(|live| live.entry.clone()).collect()
    }

    /// The segment that covers a position.
    pub(crate) fn at(&self, seq: SeqNo) -> Option<&LiveSegment> {
        let place = self.live.partition_point(|live| live.entry.name.last < seq);
        self.live.get(place).filter(|live| live.entry.name.first <= seq)
    }

    /// The segments with a position from `first` to `last`.
    pub(crate) fn within(&self, first: SeqNo, last: SeqNo) -> &[LiveSegment] {
        let start = self.live.partition_point(|live| live.entry.name.last < first);
        let end = self.live.partition_point(|live| live.entry.name.first <= last);
        &self.live[start..end.max(start)]
    }
}

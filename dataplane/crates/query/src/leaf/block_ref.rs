//! The blocks that a search visits, sealed or still growing, and what is known of them before they are read.

use grepzilla_model::IndexName;
use grepzilla_storage::block::{Block, Span};
use grepzilla_storage::hot::OpenTail;

use super::LeafRequest;
use crate::{Order, Rank, SortKey};

/// A block of either kind.
#[derive(Debug, Clone, Copy)]
pub(super) enum BlockRef<'a> {
    /// With columns; in the hot tier unless it has a place in a segment.
    Sealed(&'a Block, Option<SegmentPlace>),
    Open(&'a OpenTail),
}

/// Where a block stands in the segments of a view.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentPlace {
    /// The number of the segment in the view.
    pub(super) segment: usize,
    /// The number of the block in the segment.
    pub(super) block: usize,
}

impl BlockRef<'_> {
    pub(super) fn span(&self) -> Span {
        match self {
            BlockRef::Sealed(block, _) => block.span(),
            BlockRef::Open(tail) => tail.span(),
        }
    }

    fn index(&self) -> &IndexName {
        match self {
            BlockRef::Sealed(block, _) => block.index(),
            BlockRef::Open(tail) => tail.index(),
        }
    }

    /// Whether a document of the block may be asked for, whatever its values.
    pub(super) fn may_hold(&self, request: &LeafRequest<'_>) -> bool {
        let (span, time) = (self.span(), request.query.time);
        let in_time = time.from.is_none_or(|from| from <= span.time_max) && time.to.is_none_or(|to| span.time_min < to);
        request.query.has_index(self.index()) && in_time && request.since < span.seq_max && span.seq_min <= request.upto
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
    pub(super) fn worst_rank(&self, request: &LeafRequest<'_>) -> Rank {
        let span = self.span();
        let (time, seq) = match request.order {
            Order::Newest => (span.time_min, span.seq_min),
            Order::Oldest => (span.time_max, span.seq_max),
        };
        request.order.rank(SortKey { time, shard: request.shard, seq })
    }
}

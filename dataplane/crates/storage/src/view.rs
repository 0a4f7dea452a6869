//! What a search sees: one moment of a shard, unchanging.
//!
//! A document is there from its own position on, and until the position at which a newer version or a tombstone of its
//! explicit `_id` *superseded* it. So any position up to the view's own can be asked for, and the answer does not depend
//! on what came later.

mod superseded;

use std::sync::Arc;

use grepzilla_model::{IndexName, SeqNo, ShardId};

use crate::block::{Block, Span, Stamp};
use crate::hot::{HotView, OpenTail};

pub(crate) use superseded::Superseded;

/// Why reading a part of a block cannot fail.
const IN_MEMORY: &str = "blocks of the hot tier are in memory";

/// An unchanging look at a shard. It keeps what it holds readable as long as it lives.
#[derive(Debug, Clone)]
pub struct View {
    hot: HotView,
    hot_superseded: Arc<Superseded>,
}

/// A document that was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its index.
    pub index: IndexName,
    /// Where it stands.
    pub stamp: Stamp,
    /// Its explicit `_id`.
    pub id: Option<Arc<str>>,
    /// The document as it was stored.
    pub source: String,
}

impl View {
    pub(crate) fn new(hot: HotView, hot_superseded: Arc<Superseded>) -> View {
        View { hot, hot_superseded }
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.hot.shard()
    }

    /// The last position that is visible; 0 when nothing is.
    pub fn upto(&self) -> SeqNo {
        self.hot.upto()
    }

    /// The blocks of the hot tier, in the order in which they were sealed.
    pub fn sealed(&self) -> &[Block] {
        self.hot.sealed()
    }

    /// The blocks that still grow, as far as they had grown.
    pub fn open(&self) -> &[OpenTail] {
        self.hot.open()
    }

    /// Whether the document at `seq` is not there any more at the position `upto`, which is at most the view's own.
    pub fn is_superseded(&self, seq: SeqNo, upto: SeqNo) -> bool {
        self.hot_superseded.at(seq).is_some_and(|by| by <= upto)
    }

    /// Whether any document within these positions may be superseded at some position.
    pub fn superseded_in(&self, span: Span) -> bool {
        self.hot_superseded.any_in(span.seq_min, span.seq_max)
    }

    /// The document at a position, whether superseded or not. `None`: there is none.
    pub(crate) fn document(&self, seq: SeqNo) -> Option<StoredDocument> {
        let holds = |span: Span| span.seq_min <= seq && seq <= span.seq_max;
        for block in self.sealed().iter().filter(|block| holds(block.span())) {
            let stamps = block.stamps().expect(IN_MEMORY);
            if let Some(document) = stamps.find(seq) {
                let id = block.id(document).expect(IN_MEMORY);
                let source = block.sources().expect(IN_MEMORY).source(document);
                return Some(StoredDocument {
                    index: block.index().clone(),
                    stamp: stamps.stamp(document),
                    id,
                    source,
                });
            }
        }
        for tail in self.open().iter().filter(|tail| holds(tail.span())) {
            if let Some(document) = tail.documents().find(|document| document.stamp.seq == seq) {
                let (stamp, id) = (document.stamp, document.id.clone());
                let source = document.source().into_owned();
                return Some(StoredDocument { index: tail.index().clone(), stamp, id, source });
            }
        }
        None
    }
}

impl From<HotView> for View {
    /// Of a hot tier by itself, in which no version supersedes another.
    fn from(hot: HotView) -> View {
        View { hot, hot_superseded: Arc::default() }
    }
}

//! From documents to a block.
//!
//! A document is read once: the reading gives its skeleton and its values. The skeleton's number says which column each value belongs to,
//! so no path is built for a document whose shape is known. Distinct values are gathered by column in order of appearance; the end of
//! the block puts them in the order of groups and columns. The room for all this is kept from block to block.

mod arrange;
mod gather;
mod incoming;

use grepzilla_model::document::skeleton::Parted;
use grepzilla_model::{Bucket, Epoch, IndexName, SeqNo, TimeNs};

use super::{Block, ShapeInterner, ShapeNo, Stamp};
use crate::ReadError;
use gather::Gather;
use incoming::Incoming;

/// Which columns share a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitLayout {
    /// All: for memory, where nothing is saved by reading less.
    One,
    /// A column with at least so many bytes of values has a unit of its own, the others share the first one: for segments.
    Split {
        /// Bytes of values, separators included.
        own_unit_bytes: usize,
    },
}

/// Makes blocks, one after the other.
#[derive(Debug)]
pub struct BlockBuilder {
    layout: UnitLayout,
    shapes: ShapeInterner,
    /// What the table took when the block began.
    table_bytes: usize,
    parted: Parted,
    gather: Gather,
    incoming: Option<Incoming>,
    times: Vec<TimeNs>,
    seqs: Vec<SeqNo>,
    buckets: Vec<Bucket>,
    epochs: Vec<(u32, Epoch)>,
    received_max: TimeNs,
    source_bytes: u64,
}

impl BlockBuilder {
    /// A builder with an empty table of shapes.
    pub fn new(layout: UnitLayout) -> BlockBuilder {
        BlockBuilder {
            layout,
            shapes: ShapeInterner::default(),
            table_bytes: 0,
            parted: Parted::default(),
            gather: Gather::default(),
            incoming: None,
            times: Vec::new(),
            seqs: Vec::new(),
            buckets: Vec::new(),
            epochs: Vec::new(),
            received_max: TimeNs(i64::MIN),
            source_bytes: 0,
        }
    }

    /// Goes on with another table of shapes and gives the one before. Between blocks only.
    pub fn swap_shapes(&mut self, shapes: ShapeInterner) -> ShapeInterner {
        assert!(self.is_empty(), "a block has one table of shapes");
        self.incoming = None;
        self.table_bytes = shapes.memory_bytes();
        std::mem::replace(&mut self.shapes, shapes)
    }

    /// The table of shapes.
    pub fn shapes(&self) -> &ShapeInterner {
        &self.shapes
    }

    /// Takes the next document in, behind all positions before. At most [`super::DOCUMENTS_MAX`] for a block.
    pub fn add(&mut self, source: &str, stamp: Stamp, bucket: Bucket, received: TimeNs) {
        self.parted.take(source);
        let shape = self.shapes.intern(self.parted.skeleton()).unwrap_or_else(|_| {
            self.parted.take_whole(source);
            self.shapes.intern(self.parted.skeleton()).expect("the skeleton of one value is well-formed")
        });
        let place = self.place_of(shape);
        self.gather.add(place, self.parted.leaves(source));
        let source_bytes = source.len().saturating_sub(self.parted.bytes_saved());
        self.enter(stamp, bucket, received, source_bytes as u64);
    }

    /// Takes a document of another block in, which is fastest when documents of a block come one after the other.
    pub fn add_from(&mut self, block: &Block, document: usize) -> Result<(), ReadError> {
        let mut incoming = match self.incoming.take() {
            Some(incoming) if incoming.is_of(block) => incoming,
            _ => Incoming::new(block)?,
        };
        let source_bytes = incoming.add(document, &mut self.shapes, &mut self.gather);
        let (stamp, bucket) = (incoming.stamps().stamp(document), incoming.stamps().bucket(document));
        self.incoming = Some(incoming);
        self.enter(stamp, bucket, block.received_max(), source_bytes);
        Ok(())
    }

    /// The documents of the block so far.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Their bytes, as [`BlockFacts::source_bytes`](super::BlockFacts::source_bytes) counts them.
    pub fn source_bytes(&self) -> u64 {
        self.source_bytes
    }

    /// The block of the documents taken in, at least one, which are of this index.
    pub fn finish(&mut self, index: &IndexName) -> Block {
        arrange::finish(self, index)
    }

    /// The place of a shape among those of the block.
    fn place_of(&mut self, shape: ShapeNo) -> u32 {
        self.gather.place_of(shape, self.shapes.table())
    }

    fn enter(&mut self, stamp: Stamp, bucket: Bucket, received: TimeNs, source_bytes: u64) {
        let document = self.times.len();
        assert!(document < super::DOCUMENTS_MAX, "a block is full");
        assert!(self.seqs.last().is_none_or(|last| *last < stamp.seq), "documents come in the order of positions");
        if self.epochs.last().is_none_or(|(_, epoch)| *epoch != stamp.epoch) {
            self.epochs.push((document as u32, stamp.epoch));
        }
        self.times.push(stamp.time);
        self.seqs.push(stamp.seq);
        self.buckets.push(bucket);
        self.received_max = self.received_max.max(received);
        self.source_bytes += source_bytes;
    }
}

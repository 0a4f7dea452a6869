//! The block table: what is known of each block of a segment without reading it, and where its frames are.
//!
//! ```text
//! varint shape tables, for each: u8 bytes of the index's name, the name, its frame (as below)
//! varint blocks, for each:
//!   varint shape table
//!   varint documents     signed varint least time     varint greatest time less that
//!   varint first position less that of the segment    varint last position less the first
//!   signed varint received_max less the greatest time (wrapping)        varint bytes of sources
//!   varint units
//!   frames: codes, stamps, columns, each unit: varint bytes as they lie, varint bytes unpacked, u32 crc
//! ```
//!
//! Frames lie one behind the other from the beginning of their section, so lengths say where they are.

use grepzilla_model::{IndexName, SeqNo, TimeNs};

use super::bytes::{ByteReader, Malformed, put_signed_varint, put_varint};
use super::frame::FrameEntry;
use super::layout::{Footer, Section, SegmentIdentity};
use crate::block::{BlockFacts, DOCUMENTS_MAX, Span};

/// The frames of a block before those of its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FixedFrame {
    Codes,
    Stamps,
    Columns,
}

impl FixedFrame {
    pub(super) const COUNT: usize = 3;

    /// What the frame at a place among those of a block holds.
    pub(super) fn name_at(place: usize) -> &'static str {
        const NAMES: [&str; FixedFrame::COUNT] = ["codes", "stamps", "columns"];
        NAMES.get(place).copied().unwrap_or("unit")
    }
}

/// A shape table of a segment.
#[derive(Debug)]
pub(super) struct ShapesEntry {
    pub(super) index: IndexName,
    pub(super) frame: FrameEntry,
}

/// A block of a segment.
#[derive(Debug)]
pub(super) struct BlockEntry {
    pub(super) facts: BlockFacts,
    /// The number of its shape table.
    pub(super) shapes: u32,
    /// The number of its first frame in [`BlockTable::frames`].
    pub(super) first_frame: u32,
    /// The number of its first unit in the segment.
    pub(super) first_unit: u32,
}

/// A frame and where it lies in its section.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedFrame {
    pub(super) entry: FrameEntry,
    pub(super) offset: u64,
}

/// Everything about blocks that stays in memory.
#[derive(Debug, Default)]
pub(super) struct BlockTable {
    pub(super) shapes: Vec<ShapesEntry>,
    pub(super) blocks: Vec<BlockEntry>,
    /// Of all blocks, one behind the other.
    pub(super) frames: Vec<PlacedFrame>,
}

impl BlockTable {
    /// Adds a block with its frames.
    pub(super) fn push(&mut self, facts: BlockFacts, shapes: u32, frames: &[FrameEntry]) {
        assert_eq!(frames.len(), FixedFrame::COUNT + facts.unit_count, "a frame for each part");
        let first_unit = self.unit_count() as u32;
        self.blocks.push(BlockEntry { facts, shapes, first_frame: self.frames.len() as u32, first_unit });
        for entry in frames {
            let offset = self.frames.last().map_or(0, |last| last.offset + u64::from(last.entry.packed_bytes));
            self.frames.push(PlacedFrame { entry: *entry, offset });
        }
    }

    /// The number of units of all blocks.
    pub(super) fn unit_count(&self) -> usize {
        self.blocks.last().map_or(0, |last| last.first_unit as usize + last.facts.unit_count)
    }

    pub(super) fn encode(&self, identity: &SegmentIdentity) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, self.shapes.len() as u64);
        for shapes in &self.shapes {
            bytes.push(shapes.index.as_str().len() as u8);
            bytes.extend(shapes.index.as_str().as_bytes());
            shapes.frame.encode(&mut bytes);
        }
        put_varint(&mut bytes, self.blocks.len() as u64);
        for (number, block) in self.blocks.iter().enumerate() {
            block.encode(identity, &mut bytes);
            self.frames_of(number).iter().for_each(|frame| frame.entry.encode(&mut bytes));
        }
        bytes
    }

    /// Checked against footer and identity, so that every frame lies in its section and every position in the segment.
    pub(super) fn decode(bytes: &[u8], identity: &SegmentIdentity, footer: &Footer) -> Result<BlockTable, Malformed> {
        let mut reader = ByteReader::new(bytes);
        let mut table = BlockTable::default();
        for _ in 0..reader.count(bytes.len())? {
            let length = usize::from(reader.u8()?);
            let index = IndexName::new(reader.text(length)?).map_err(|_| reader.malformed("the name of an index"))?;
            table.shapes.push(ShapesEntry { index, frame: FrameEntry::decode(&mut reader)? });
        }
        let mut frames = Vec::new();
        for _ in 0..reader.count(bytes.len())? {
            let (facts, shapes) = decode_block(&mut reader, identity, &table.shapes)?;
            frames.clear();
            for _ in 0..FixedFrame::COUNT + facts.unit_count {
                frames.push(FrameEntry::decode(&mut reader)?);
            }
            table.push(facts, shapes, &frames);
        }
        reader.end()?;
        table.check(&reader, footer)?;
        Ok(table)
    }

    fn check(&self, reader: &ByteReader<'_>, footer: &Footer) -> Result<(), Malformed> {
        let frame_bytes = self.frames.last().map_or(0, |last| last.offset + u64::from(last.entry.packed_bytes));
        let shape_bytes = self.shapes.iter().map(|shapes| u64::from(shapes.frame.packed_bytes)).sum::<u64>();
        let documents = self.blocks.iter().map(|block| block.facts.document_count as u64).sum::<u64>();
        let holds = frame_bytes == footer.section(Section::Frames).length
            && shape_bytes == footer.section(Section::Shapes).length
            && (self.blocks.len() as u64, documents) == (u64::from(footer.blocks), footer.documents);
        if holds { Ok(()) } else { Err(reader.malformed("what the footer says")) }
    }

    /// The frames of a block.
    pub(super) fn frames_of(&self, block: usize) -> &[PlacedFrame] {
        let block = &self.blocks[block];
        let first = block.first_frame as usize;
        &self.frames[first..first + FixedFrame::COUNT + block.facts.unit_count]
    }

    pub(super) fn shapes_count(&self) -> usize {
        self.shapes.len()
    }

    /// Where the frame of a shape table lies in its section.
    pub(super) fn shapes_frame(&self, number: usize) -> PlacedFrame {
        let before = self.shapes[..number].iter().map(|shapes| u64::from(shapes.frame.packed_bytes)).sum();
        PlacedFrame { entry: self.shapes[number].frame, offset: before }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let frames = self.frames.capacity() * size_of::<PlacedFrame>();
        frames + self.blocks.capacity() * size_of::<BlockEntry>() + self.shapes.capacity() * size_of::<ShapesEntry>()
    }
}

impl BlockEntry {
    fn encode(&self, identity: &SegmentIdentity, bytes: &mut Vec<u8>) {
        let BlockFacts { span, received_max, document_count, unit_count, source_bytes, .. } = &self.facts;
        put_varint(bytes, u64::from(self.shapes));
        put_varint(bytes, *document_count as u64);
        put_signed_varint(bytes, span.time_min.0);
        put_varint(bytes, span.time_max.0.wrapping_sub(span.time_min.0).cast_unsigned());
        put_varint(bytes, span.seq_min.0 - identity.first.0);
        put_varint(bytes, span.seq_max.0 - span.seq_min.0);
        put_signed_varint(bytes, received_max.0.wrapping_sub(span.time_max.0));
        put_varint(bytes, *source_bytes);
        put_varint(bytes, *unit_count as u64);
    }
}

fn decode_block(
    reader: &mut ByteReader<'_>,
    identity: &SegmentIdentity,
    tables: &[ShapesEntry],
) -> Result<(BlockFacts, u32), Malformed> {
    let shapes = reader.count(tables.len().saturating_sub(1))?;
    let index = tables.get(shapes).ok_or_else(|| reader.malformed("a shape table"))?.index.clone();
    let document_count = reader.count(DOCUMENTS_MAX)?;
    let time_min = reader.signed_varint()?;
    let time_max = time_min.wrapping_add(reader.varint()?.cast_signed());
    let seq_min = identity.first.0.checked_add(reader.varint()?);
    let seq_max = seq_min.zip(Some(reader.varint()?)).and_then(|(min, span)| min.checked_add(span));
    let seqs = seq_min.zip(seq_max).filter(|(_, max)| *max <= identity.last.0);
    let (seq_min, seq_max) = seqs.ok_or_else(|| reader.malformed("positions of the segment"))?;
    let received_max = TimeNs(time_max.wrapping_add(reader.signed_varint()?));
    let source_bytes = reader.varint()?;
    let unit_count = reader.count(reader.left())?;
    if document_count == 0 || time_max < time_min {
        return Err(reader.malformed("documents, and times in order"));
    }
    let span = Span {
        time_min: TimeNs(time_min),
        time_max: TimeNs(time_max),
        seq_min: SeqNo(seq_min),
        seq_max: SeqNo(seq_max),
    };
    Ok((BlockFacts { index, span, received_max, document_count, unit_count, source_bytes }, shapes as u32))
}

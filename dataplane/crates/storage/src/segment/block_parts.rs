//! The parts of a block that lives in a segment: read, checked and unpacked when they are asked for, then kept in the cache.

use std::sync::Arc;

use super::Shared;
use super::frame;
use super::layout::Section;
use super::part::{self, NoPart};
use super::table::{FixedFrame, PlacedFrame};
use crate::ReadError;
use crate::block::{BlockParts, Codes, Columns, ShapeTable, Stamps, Unit};
use crate::cache::{CacheKey, Cached, PartKind};

/// A block of an open segment.
#[derive(Debug)]
pub(super) struct SegmentBlock {
    shared: Arc<Shared>,
    number: usize,
}

impl SegmentBlock {
    pub(super) fn new(shared: Arc<Shared>, number: usize) -> SegmentBlock {
        SegmentBlock { shared, number }
    }

    fn read(&self, frame: usize) -> Result<(PlacedFrame, Vec<u8>), ReadError> {
        let placed = self.shared.table.frames_of(self.number)[frame];
        Ok((placed, self.shared.payload(Section::Frames, &placed)?))
    }

    /// Keeps what `decode` makes of a frame; it is given what `needed` reads, which takes time only if the frame is not kept yet.
    fn cached<T>(
        &self,
        kind: PartKind,
        unit: usize,
        frame: usize,
        needed: impl FnOnce() -> Result<T, ReadError>,
        decode: impl FnOnce(Vec<u8>, T) -> Result<Cached, NoPart>,
    ) -> Result<Cached, ReadError> {
        let key = CacheKey { owner: self.shared.owner, kind, number: self.number as u32, unit: unit as u32 };
        self.shared.cache.get_or_read(key, || {
            let needed = needed()?;
            let (placed, payload) = self.read(frame)?;
            decode(payload, needed).map_err(|no_part| self.shared.no_part(Section::Frames, &placed, no_part))
        })
    }

    fn shapes(&self) -> Result<Arc<ShapeTable>, ReadError> {
        let (shared, number) = (&*self.shared, self.shared.table.blocks[self.number].shapes);
        let key = CacheKey { owner: shared.owner, kind: PartKind::Shapes, number, unit: 0 };
        let cached = shared.cache.get_or_read(key, || {
            let held = &shared.held_shapes[number as usize];
            if let Some(shapes) = held.lock().upgrade() {
                return Ok(Cached::Shapes(shapes));
            }
            let placed = shared.table.shapes_frame(number as usize);
            let payload = shared.payload(Section::Shapes, &placed)?;
            let shapes = part::decode_shapes(&payload);
            let shapes = Arc::new(shapes.map_err(|no_part| shared.no_part(Section::Shapes, &placed, no_part))?);
            *held.lock() = Arc::downgrade(&shapes);
            Ok::<_, ReadError>(Cached::Shapes(shapes))
        })?;
        let Cached::Shapes(shapes) = cached else { unreachable!("shapes were kept under this key") };
        Ok(shapes)
    }
}

impl BlockParts for SegmentBlock {
    fn unit(&self, unit: usize) -> Result<Arc<Unit>, ReadError> {
        let decode =
            |payload, columns: Arc<Columns>| Ok(Cached::Unit(Arc::new(part::decode_unit(payload, &columns, unit)?)));
        let cached = self.cached(PartKind::Unit, unit, FixedFrame::COUNT + unit, || self.columns(), decode)?;
        let Cached::Unit(unit) = cached else { unreachable!("a unit was kept under this key") };
        Ok(unit)
    }

    fn columns(&self) -> Result<Arc<Columns>, ReadError> {
        let unit_count = self.shared.table.blocks[self.number].facts.unit_count;
        let decode = |payload: Vec<u8>, shapes| {
            Ok(Cached::Columns(Arc::new(part::decode_columns(&payload, shapes, unit_count)?)))
        };
        let cached = self.cached(PartKind::Columns, 0, FixedFrame::Columns as usize, || self.shapes(), decode)?;
        let Cached::Columns(columns) = cached else { unreachable!("columns were kept under this key") };
        Ok(columns)
    }

    fn codes(&self) -> Result<Arc<Codes>, ReadError> {
        let decode = |payload: Vec<u8>, columns: Arc<Columns>| {
            Ok(Cached::Codes(Arc::new(part::decode_codes(&payload, &columns)?)))
        };
        let cached = self.cached(PartKind::Codes, 0, FixedFrame::Codes as usize, || self.columns(), decode)?;
        let Cached::Codes(codes) = cached else { unreachable!("codes were kept under this key") };
        self.check_documents(codes.document_count(), FixedFrame::Codes)?;
        Ok(codes)
    }

    fn stamps(&self) -> Result<Arc<Stamps>, ReadError> {
        let decode = |payload: Vec<u8>, ()| Ok(Cached::Stamps(Arc::new(part::decode_stamps(&payload)?)));
        let cached = self.cached(PartKind::Stamps, 0, FixedFrame::Stamps as usize, || Ok(()), decode)?;
        let Cached::Stamps(stamps) = cached else { unreachable!("stamps were kept under this key") };
        self.check_documents(stamps.document_count(), FixedFrame::Stamps)?;
        Ok(stamps)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<SegmentBlock>()
    }
}

impl SegmentBlock {
    /// A part must be of as many documents as the table says, because whoever reads one part relies on the others.
    fn check_documents(&self, found: usize, frame: FixedFrame) -> Result<(), ReadError> {
        let expected = self.shared.table.blocks[self.number].facts.document_count;
        if expected == found {
            return Ok(());
        }
        let placed = self.shared.table.frames_of(self.number)[frame as usize];
        let offset = self.shared.footer.section(Section::Frames).offset + placed.offset;
        Err(self.shared.file.corrupt(offset, format!("{expected} documents"), found.to_string()))
    }
}

impl Shared {
    fn payload(&self, section: Section, placed: &PlacedFrame) -> Result<Vec<u8>, ReadError> {
        let range = placed.offset..placed.offset + u64::from(placed.entry.packed_bytes);
        let part = self.footer.section(section).part(range, placed.entry.crc);
        let part = part.expect("checked when the segment was opened");
        let bytes = self.file.read(part)?;
        frame::unpack(&placed.entry, bytes).map_err(|malformed| self.file.malformed(part.offset, malformed))
    }

    fn no_part(&self, section: Section, placed: &PlacedFrame, no_part: NoPart) -> ReadError {
        let offset = self.footer.section(section).offset + placed.offset;
        match no_part {
            // Places within a payload say little about the packed bytes.
            NoPart::Layout(malformed) => {
                let expected = format!("{} at byte {} of a payload", malformed.expected, malformed.at);
                self.file.corrupt(offset, expected, "something else under a right checksum")
            }
            NoPart::Sense(malformed) => {
                let expected = format!("{} with {}", malformed.part, malformed.expected);
                self.file.corrupt(offset, expected, "something else under a right checksum")
            }
        }
    }
}

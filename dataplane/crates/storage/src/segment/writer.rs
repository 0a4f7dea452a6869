//! Writing a segment: blocks go to the file as they come, what needs all of them follows at the end.
//!
//! In memory meanwhile: one block, the grams of all as far as they fit into a bound, ids, shape tables and the block table. The
//! file has its name only when it is whole and durable. The same blocks and keys give the same bytes.

mod out;
mod renumber;
mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grepzilla_model::manifest::{DocumentBounds, SegmentEntry};

use super::WriteSegmentError;
use super::directory::{PageDirectory, PageEntry};
use super::frame::{FrameEntry, Packer};
use super::gram::{GramCollector, GramRuns, PageWriter};
use super::ids::{DocumentPlace, IdHash, IdsWriter};
use super::keys::{self, KeyEntry};
use super::layout::{self, Footer, Section, SegmentIdentity};
use super::part;
use super::table::{BlockTable, FixedFrame, ShapesEntry};
use crate::block::{Block, BlockFacts};
use crate::disk::Disk;
use out::SectionWriter;
use renumber::ShapeTables;
use units::UnitPlan;

/// How a segment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentOptions {
    /// The zstd level of the frames. Default 3, which a flush can afford; 9 takes a tenth less room.
    pub level: i32,
    /// From how many bytes of values on a column has a unit of its own. Default 16 KiB.
    pub own_unit_bytes: usize,
}

impl Default for SegmentOptions {
    fn default() -> SegmentOptions {
        SegmentOptions { level: 3, own_unit_bytes: 16 << 10 }
    }
}

/// Writes one segment.
#[derive(Debug)]
pub struct SegmentWriter {
    identity: SegmentIdentity,
    options: SegmentOptions,
    dir: PathBuf,
    out: SectionWriter,
    packer: Packer,
    grams: Grams,
    ids: IdsWriter,
    keys: Vec<KeyEntry>,
    tables: ShapeTables,
    table: BlockTable,
    header_crc: u32,
}

/// The grams of all units so far.
#[derive(Debug)]
struct Grams {
    collector: GramCollector,
    runs: GramRuns,
    unit_count: u32,
}

impl SegmentWriter {
    /// Begins a file in a folder, under a temporary name that ends with `.seg.tmp`. Another, `.grams.tmp`, is there while much has to
    /// be remembered. Both go with the writer.
    pub fn create(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        identity: SegmentIdentity,
        options: SegmentOptions,
    ) -> Result<SegmentWriter, WriteSegmentError> {
        let SegmentIdentity { epoch, first, last, .. } = identity;
        let range = format!("{:016x}-{:016x}-{:016x}", epoch.0, first.0, last.0);
        let temporary = dir.join(format!("{range}.seg.tmp"));
        let runs = GramRuns::new(disk, dir.join(format!("{range}.grams.tmp")));
        let header = layout::encode_header(&identity);
        Ok(SegmentWriter {
            identity,
            options,
            dir: dir.to_owned(),
            out: SectionWriter::create(disk, &temporary, &header)?,
            packer: Packer::new(options.level),
            grams: Grams { collector: GramCollector::new(), runs, unit_count: 0 },
            ids: IdsWriter::default(),
            keys: Vec::new(),
            tables: ShapeTables::default(),
            table: BlockTable::default(),
            header_crc: crc32fast::hash(&header),
        })
    }

    /// Adds the next block; its positions lie in the segment. In which order blocks come is the caller's choice: it is that of
    /// [`Segment::blocks`](super::Segment::blocks).
    pub fn add(&mut self, block: &Block) -> Result<(), WriteSegmentError> {
        let span = block.span();
        assert!(self.identity.first <= span.seq_min && span.seq_max <= self.identity.last, "a block of the segment");
        let (columns, codes, stamps) = (block.columns()?, block.codes()?, block.stamps()?);
        let plan = UnitPlan::new(block, &columns, self.options.own_unit_bytes)?;
        let numbers = self.tables.renumber(block.index(), &columns, &codes);
        let mut frames = Vec::with_capacity(FixedFrame::COUNT + plan.unit_count());
        frames.push(self.write_frame(&part::encode_codes(&codes, &numbers.shapes))?);
        frames.push(self.write_frame(&part::encode_stamps(&stamps))?);
        frames.push(self.write_frame(&part::encode_columns(&plan.columns(&columns, &numbers)))?);
        let mut unit = units::Gathered::default();
        for number in 0..plan.unit_count() {
            plan.gather(number, &columns, &mut unit);
            unit.collect_grams(&mut self.grams)?;
            frames.push(self.write_frame(unit.written())?);
        }
        plan.for_ids(&columns, &codes, |document, id| {
            let place = DocumentPlace { block: self.table.blocks.len() as u32, document };
            self.ids.add(IdHash::new(block.index(), id), place);
        });
        let facts = BlockFacts { unit_count: plan.unit_count(), ..block.facts().clone() };
        self.table.push(facts, numbers.table, &frames);
        Ok(())
    }

    /// Adds a batch that came with an Idempotency-Key.
    pub fn key(&mut self, entry: KeyEntry) {
        self.keys.push(entry);
    }

    /// How long the file is by now, without what [`SegmentWriter::finish`] adds.
    pub fn file_bytes(&self) -> u64 {
        self.out.length()
    }

    /// Completes the file, makes it durable and gives it its name.
    pub fn finish(mut self) -> Result<SegmentEntry, WriteSegmentError> {
        self.out.end(Section::Frames);
        self.write_shapes()?;
        let gram_directory = self.write_gram_pages()?;
        let block_count = self.table.blocks.len() as u32;
        let id_filter = std::mem::take(&mut self.ids).finish(block_count, |page| self.out.append(page))?;
        self.out.end(Section::Ids);
        self.out.section(Section::Keys, &keys::encode(&mut self.keys))?;
        self.out.section(Section::GramDirectory, &gram_directory)?;
        self.out.section(Section::IdFilter, &id_filter)?;
        self.out.section(Section::BlockTable, &self.table.encode(&self.identity))?;
        let footer = self.footer();
        let footer_bytes = footer.encode();
        let name = self.identity.name(Footer::hash(&footer_bytes));
        let bytes = self.out.finish(&footer_bytes, &self.dir.join(name.file_name()))?;
        let Footer { blocks, documents, raw_bytes, bounds, .. } = footer;
        Ok(SegmentEntry { name, bytes, raw_bytes, documents, blocks, bounds, deletes: None })
    }

    fn write_frame(&mut self, payload: &[u8]) -> Result<FrameEntry, WriteSegmentError> {
        let (entry, bytes) = self.packer.pack(payload);
        self.out.append(bytes)?;
        Ok(entry)
    }

    fn write_shapes(&mut self) -> Result<(), WriteSegmentError> {
        for (index, shapes) in std::mem::take(&mut self.tables).into_tables() {
            let frame = self.write_frame(&part::encode_shapes(&shapes))?;
            self.table.shapes.push(ShapesEntry { index, frame });
        }
        self.out.end(Section::Shapes);
        Ok(())
    }

    /// Gives the directory.
    fn write_gram_pages(&mut self) -> Result<Vec<u8>, WriteSegmentError> {
        let (mut pages, mut directory) = (PageWriter::new(self.grams.unit_count), PageDirectory::default());
        let mut keep = |page: Option<(PageEntry, Vec<u8>)>| match page {
            None => Ok(()),
            Some((entry, bytes)) => {
                directory.push(entry);
                self.out.append(&bytes)
            }
        };
        self.grams.runs.merge(|key, units| keep(pages.add(key, units)))?;
        keep(pages.finish())?;
        self.out.end(Section::GramPages);
        let mut bytes = Vec::new();
        directory.encode(&mut bytes);
        Ok(bytes)
    }

    fn footer(&self) -> Footer {
        let facts = || self.table.blocks.iter().map(|block| &block.facts);
        let bounds = facts().map(bounds_of).reduce(|one, next| DocumentBounds {
            time_min: one.time_min.min(next.time_min),
            time_max: one.time_max.max(next.time_max),
            received_max: one.received_max.max(next.received_max),
        });
        Footer {
            sections: self.out.sections(),
            header_crc: self.header_crc,
            blocks: self.table.blocks.len() as u32,
            documents: facts().map(|facts| facts.document_count as u64).sum(),
            raw_bytes: facts().map(|facts| facts.source_bytes).sum(),
            bounds,
        }
    }
}

fn bounds_of(facts: &BlockFacts) -> DocumentBounds {
    let BlockFacts { span, received_max, .. } = facts;
    DocumentBounds { time_min: span.time_min, time_max: span.time_max, received_max: *received_max }
}

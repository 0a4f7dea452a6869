//! Segments: immutable files of blocks, with an index of grams that says which units cannot hold a needle, a table of explicit
//! ids, and the Idempotency-Keys of the batches they came with.
//!
//! [`SegmentWriter`] makes one, [`Segment::open`] reads it. Opening reads the ends of the file and what stays in memory; everything
//! else is read, checked, unpacked and kept in the [`BlockCache`] when it is asked for. The
//! layout is drawn in `layout`, and in the modules that it names.
//!
//! Promises: nothing is believed before its checksum, so whatever happened to the bytes, an answer is right or an error. A file
//! that has its name is whole. Left to others: which segments there are, which documents of them count.

mod bits;
mod block_parts;
mod bytes;
mod deletes;
mod directory;
mod error;
mod file;
mod frame;
pub mod gram;
mod ids;
pub mod inspect;
mod keys;
mod layout;
mod open;
mod part;
mod table;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Weak};

use grepzilla_model::manifest::{DocumentBounds, SegmentName};
use grepzilla_model::{IndexName, SeqNo};
use parking_lot::Mutex;

use crate::ReadError;
use crate::block::{Block, ShapeTable};
use crate::cache::{BlockCache, CacheKey, Cached, PartKind};

pub use deletes::{DeletedDocument, Deletes, write_deletes};
pub use error::{OpenSegmentError, WriteSegmentError};
pub use gram::{GramKey, UnitSet, grams_of};
pub use ids::DocumentPlace;
pub use keys::KeyEntry;
pub use layout::{FORMAT, Section, SegmentIdentity};
pub use open::ExpectedSegment;
pub use writer::{SegmentOptions, SegmentWriter};

use directory::{PageDirectory, PagePlace};
use file::SegmentFile;
use ids::{IdFilter, IdHash};
use layout::Footer;
use table::BlockTable;

/// An open segment. Its file stays readable as long as it, or one of its blocks, lives.
#[derive(Debug)]
pub struct Segment {
    shared: Arc<Shared>,
    blocks: Vec<Block>,
}

/// What the blocks of a segment share.
#[derive(Debug)]
struct Shared {
    file: SegmentFile,
    name: SegmentName,
    identity: SegmentIdentity,
    footer: Footer,
    table: BlockTable,
    gram_pages: PageDirectory,
    ids: IdFilter,
    cache: Arc<BlockCache>,
    /// Of its parts in the cache.
    owner: u64,
    /// The shape tables that somebody holds, in the cache or not. They are dear to unpack and serve all blocks.
    held_shapes: Box<[Mutex<Weak<ShapeTable>>]>,
}

/// Where an explicit id stands in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundId {
    /// The position of the document.
    pub seq: SeqNo,
    /// The document.
    pub place: DocumentPlace,
}

impl Segment {
    /// What its file is called.
    pub fn name(&self) -> SegmentName {
        self.shared.name
    }

    /// Where its file is, or was when it was opened.
    pub fn path(&self) -> &Path {
        self.shared.file.path()
    }

    /// Whose documents it holds and which.
    pub fn identity(&self) -> SegmentIdentity {
        self.shared.identity
    }

    /// The length of its file.
    pub fn file_bytes(&self) -> u64 {
        self.shared.file.length()
    }

    /// How many documents it holds.
    pub fn document_count(&self) -> u64 {
        self.shared.footer.documents
    }

    /// The bytes of its documents as they were stored.
    pub fn raw_bytes(&self) -> u64 {
        self.shared.footer.raw_bytes
    }

    /// The bounds of its documents. `None`: it has none.
    pub fn bounds(&self) -> Option<DocumentBounds> {
        self.shared.footer.bounds
    }

    /// The length of a section of the file.
    pub fn section_bytes(&self, section: Section) -> u64 {
        self.shared.footer.section(section).length
    }

    /// Its blocks, in the order in which they were written.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The number of units of all blocks.
    pub fn unit_count(&self) -> usize {
        self.shared.table.unit_count()
    }

    /// The numbers in the segment of a block's units.
    pub fn units_of(&self, block: usize) -> Range<usize> {
        let entry = &self.shared.table.blocks[block];
        let first = entry.first_unit as usize;
        first..first + entry.facts.unit_count
    }

    /// The block that a unit of the segment belongs to, and its number there.
    pub fn block_of(&self, unit: usize) -> (usize, usize) {
        let blocks = &self.shared.table.blocks;
        let block = blocks.partition_point(|block| block.first_unit as usize <= unit) - 1;
        (block, unit - blocks[block].first_unit as usize)
    }

    /// The units that have a gram, or may have it if it is one of four bytes: one reading of a page.
    pub fn grams(&self, key: GramKey) -> Result<UnitSet, ReadError> {
        let shared = &*self.shared;
        let Some(place) = shared.gram_pages.find(key.0) else { return Ok(UnitSet::none(self.unit_count())) };
        let page = shared.page(PartKind::GramPage, Section::GramPages, &place)?;
        let found = gram::find_in_page(&page, place.entry.first_key, key, self.unit_count());
        let found = found.map_err(|malformed| shared.malformed_page(Section::GramPages, &place, malformed))?;
        Ok(found.unwrap_or_else(|| UnitSet::none(self.unit_count())))
    }

    /// Where an explicit id stands: all versions, by position. That it stands nowhere is nearly always known without reading.
    pub fn find_id(&self, index: &IndexName, id: &str) -> Result<Vec<FoundId>, ReadError> {
        let (shared, hash) = (&*self.shared, IdHash::new(index, id));
        let place = shared.ids.may_have(hash).then(|| shared.ids.directory.find(hash.lower())).flatten();
        let Some(place) = place else { return Ok(Vec::new()) };
        let page = shared.page(PartKind::IdPage, Section::Ids, &place)?;
        let candidates = ids::find_in_page(&page, place.entry.first_key, hash);
        let candidates = candidates.map_err(|malformed| shared.malformed_page(Section::Ids, &place, malformed))?;
        let mut found = Vec::new();
        for candidate in candidates {
            let Some(block) = self.blocks.get(candidate.block as usize) else { continue };
            let document = usize::from(candidate.document);
            if block.index() == index
                && document < block.document_count()
                && block.id(document)?.is_some_and(|found| *found == *id)
            {
                found.push(FoundId { seq: block.stamps()?.stamp(document).seq, place: candidate });
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The batches with an Idempotency-Key whose records it covers, by position. Read anew each time.
    pub fn keys(&self) -> Result<Vec<KeyEntry>, ReadError> {
        let place = self.shared.footer.section(Section::Keys);
        let bytes = self.shared.file.read(place)?;
        keys::decode(&bytes).map_err(|malformed| self.shared.file.malformed(place.offset, malformed))
    }

    /// Reads the whole file and checks every section.
    pub fn verify(&self) -> Result<(), ReadError> {
        Section::ALL.iter().try_for_each(|section| self.shared.file.verify(self.shared.footer.section(*section)))
    }

    /// Bytes of memory that it takes as long as it is open, without the cache.
    pub fn memory_bytes(&self) -> usize {
        let shared = &self.shared;
        let blocks = self.blocks.iter().map(Block::memory_bytes).sum::<usize>();
        let held_shapes = size_of_val(&*shared.held_shapes);
        shared.table.memory_bytes()
            + shared.gram_pages.memory_bytes()
            + shared.ids.memory_bytes()
            + held_shapes
            + blocks
    }
}

impl Shared {
    fn page(&self, kind: PartKind, section: Section, place: &PagePlace) -> Result<Arc<[u8]>, ReadError> {
        let key = CacheKey { owner: self.owner, kind, number: place.number, unit: 0 };
        let section = self.footer.section(section);
        let cached = self.cache.get_or_read(key, || {
            let part = section.part(place.range.clone(), place.entry.crc).expect("checked when the segment was opened");
            Ok::<_, ReadError>(Cached::Page(self.file.read(part)?.into()))
        })?;
        let Cached::Page(page) = cached else { unreachable!("a page was kept under this key") };
        Ok(page)
    }

    fn malformed_page(&self, section: Section, place: &PagePlace, malformed: bytes::Malformed) -> ReadError {
        self.file.malformed(self.footer.section(section).offset + place.range.start, malformed)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.cache.forget(self.owner);
    }
}

#[cfg(test)]
mod tests;

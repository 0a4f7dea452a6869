//! A segment file as people look at it: every section, block and frame, good or not.
//!
//! It promises to change nothing and to go on behind whatever is wrong, as far as the footer can be believed: without a
//! footer nothing in the file has a place.

use std::fs::File;
use std::path::Path;

use grepzilla_model::manifest::SegmentName;

use super::bytes::ByteReader;
use super::directory::PageDirectory;
use super::file::SegmentFile;
use super::gram::{GramKey, GramKind};
use super::layout::{Checked, FOOTER_BYTES, Footer, HEADER_BYTES};
use super::open::{read_footer, read_header, read_section};
use super::table::{BlockTable, FixedFrame};
use super::{OpenSegmentError, Section, SegmentIdentity, keys};
use crate::ReadError;
use crate::block::BlockFacts;
use crate::disk::{DiskError, DiskFile, Verb};

/// What there is in a file.
#[derive(Debug)]
pub struct InspectedSegment {
    /// The length of the file.
    pub bytes: u64,
    /// What its header says.
    pub identity: Option<SegmentIdentity>,
    /// What it is called by its header and footer.
    pub name: Option<SegmentName>,
    /// The documents that the footer counts, and the bytes of their sources.
    pub documents: Option<(u64, u64)>,
    /// In order, without gaps from the beginning of the file to its end; empty without a footer.
    pub sections: Vec<InspectedSection>,
    /// In order; empty if the block table cannot be read.
    pub blocks: Vec<InspectedBlock>,
    /// What the index of grams holds. `None` if it cannot be read.
    pub grams: Option<GramStatistics>,
    /// How many batches came with an Idempotency-Key.
    pub keys: Option<usize>,
    /// What is wrong, in the order in which it was found.
    pub faults: Vec<OpenSegmentError>,
}

/// A stretch of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedSection {
    /// What it is called in the drawing of the layout.
    pub name: &'static str,
    /// Where it begins.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Whether its bytes have their checksum.
    pub is_good: bool,
}

/// A block.
#[derive(Debug, Clone)]
pub struct InspectedBlock {
    /// What the table knows of it.
    pub facts: BlockFacts,
    /// Codes, stamps, columns, then a frame for each unit.
    pub frames: Vec<InspectedFrame>,
}

/// A frame of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedFrame {
    /// What it holds.
    pub name: &'static str,
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length as it lies there.
    pub packed_bytes: u32,
    /// Its length once it is unpacked.
    pub unpacked_bytes: u32,
    /// Whether its bytes have their checksum.
    pub is_good: bool,
}

/// The index of grams in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GramStatistics {
    /// How many different grams it knows.
    pub keys: u64,
    /// The pages that begin with a gram of each kind, in the order of [`GramKind::ALL`].
    pub pages: [u64; GramKind::ALL.len()],
    /// The bytes of all pages.
    pub bytes: u64,
    /// How many units they tell apart.
    pub units: usize,
}

/// Looks at a file. An error only if it cannot be read at all.
pub fn inspect(path: &Path) -> Result<InspectedSegment, DiskError> {
    let file = File::open(path).map_err(DiskError::at(Verb::Open, path))?;
    inspect_file(path, Box::new(file))
}

/// Looks at an open file, wherever it lies; `path` is what it is called.
pub fn inspect_file(path: &Path, file: Box<dyn DiskFile>) -> Result<InspectedSegment, DiskError> {
    let bytes = file.length().map_err(DiskError::at(Verb::Read, path))?;
    let file = SegmentFile::of(path, file, bytes);
    let mut inspected = InspectedSegment {
        bytes,
        identity: None,
        name: None,
        documents: None,
        sections: Vec::new(),
        blocks: Vec::new(),
        grams: None,
        keys: None,
        faults: Vec::new(),
    };
    inspected.ends(&file);
    Ok(inspected)
}

impl InspectedSegment {
    fn ends(&mut self, file: &SegmentFile) {
        let header = self.noted(read_header(file));
        let footer = self.noted(read_footer(file));
        self.identity = header.map(|(identity, _)| identity);
        self.name = header.zip(footer.as_ref()).map(|((identity, _), (_, hash))| identity.name(*hash));
        let of_file = file.path().file_name().and_then(|name| SegmentName::of_file(&name.to_string_lossy()));
        if let (Some(said), Some(found)) = (of_file, self.name)
            && said != found
        {
            let fault = file.corrupt(0, format!("segment {said}, as its name says"), format!("segment {found}"));
            self.faults.push(fault.into());
        }
        let Some((footer, _)) = footer else { return };
        self.documents = Some((footer.documents, footer.raw_bytes));
        let of_header = header.map(|(_, crc)| crc);
        if let Some(crc) = of_header.filter(|crc| *crc != footer.header_crc) {
            let expected = format!("a header with crc {:08x}", footer.header_crc);
            self.faults.push(file.corrupt(0, expected, format!("{crc:08x}")).into());
        }
        self.sections(file, &footer, of_header == Some(footer.header_crc));
        if let Some(identity) = self.identity {
            self.blocks(file, &footer, &identity);
        }
    }

    fn sections(&mut self, file: &SegmentFile, footer: &Footer, header_is_good: bool) {
        let header = HEADER_BYTES as u64;
        self.sections.push(InspectedSection { name: "header", offset: 0, bytes: header, is_good: header_is_good });
        for section in Section::ALL {
            let Checked { offset, length, .. } = footer.section(section);
            let is_good = self.noted(file.verify(footer.section(section))).is_some();
            self.sections.push(InspectedSection { name: section.name(), offset, bytes: length, is_good });
        }
        let bytes = FOOTER_BYTES as u64;
        let offset = file.length() - bytes;
        self.sections.push(InspectedSection { name: "footer", offset, bytes, is_good: true });
    }

    fn blocks(&mut self, file: &SegmentFile, footer: &Footer, identity: &SegmentIdentity) {
        let is_good = |section| self.sections.iter().any(|found| found.name == Section::name(section) && found.is_good);
        let (keys_are_good, table_is_good) = (is_good(Section::Keys), is_good(Section::BlockTable));
        let grams_are_good = is_good(Section::GramPages) && is_good(Section::GramDirectory);
        if keys_are_good {
            let entries = read_section(file, footer, Section::Keys, keys::decode);
            self.keys = self.noted(entries).map(|entries| entries.len());
        }
        if !table_is_good {
            return;
        }
        let table =
            read_section(file, footer, Section::BlockTable, |bytes| BlockTable::decode(bytes, identity, footer));
        let Some(table) = self.noted(table) else { return };
        let frames_at = footer.section(Section::Frames).offset;
        for (number, block) in table.blocks.iter().enumerate() {
            let frames = table.frames_of(number).iter().enumerate().map(|(place, frame)| {
                let offset = frames_at + frame.offset;
                let length = u64::from(frame.entry.packed_bytes);
                let is_good = file.verify(Checked { offset, length, crc: frame.entry.crc }).is_ok();
                let (packed_bytes, unpacked_bytes) = (frame.entry.packed_bytes, frame.entry.unpacked_bytes);
                InspectedFrame { name: FixedFrame::name_at(place), offset, packed_bytes, unpacked_bytes, is_good }
            });
            self.blocks.push(InspectedBlock { facts: block.facts.clone(), frames: frames.collect() });
        }
        if grams_are_good {
            let grams = gram_statistics(file, footer, table.unit_count());
            self.grams = self.noted(grams);
        }
    }

    fn noted<T>(&mut self, outcome: Result<T, impl Into<OpenSegmentError>>) -> Option<T> {
        outcome.map_err(|error| self.faults.push(error.into())).ok()
    }
}

fn gram_statistics(file: &SegmentFile, footer: &Footer, units: usize) -> Result<GramStatistics, ReadError> {
    let place = footer.section(Section::GramPages);
    let directory = read_section(file, footer, Section::GramDirectory, |bytes| {
        PageDirectory::decode(&mut ByteReader::new(bytes), place.length)
    })?;
    let mut found = GramStatistics { keys: 0, pages: [0; GramKind::ALL.len()], bytes: place.length, units };
    for page in directory.pages() {
        let part = place.part(page.range, page.entry.crc).expect("the directory was checked against the section");
        let bytes = file.read(part)?;
        // A page begins with the number of its keys.
        let keys = ByteReader::new(&bytes).u16().map_err(|malformed| file.malformed(part.offset, malformed))?;
        found.keys += u64::from(keys);
        found.pages[GramKey(page.entry.first_key).kind() as usize] += 1;
    }
    Ok(found)
}

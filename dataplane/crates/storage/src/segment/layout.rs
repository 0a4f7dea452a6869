//! The layout of a segment file, format 1: this is its specification, with the pages that its sections name.
//!
//! ```text
//! header         128 B   below
//! frames                 of one block after the other, see `frame`: codes, stamps, columns, then its units
//! shapes                 a frame for each index: the skeletons that its blocks share, see `part`
//! gram pages             see `gram`
//! ids                    pages, see `ids`
//! keys                   see `keys`
//! gram directory         the first key, the length and the crc of each gram page
//! id filter              the first hash, the length and the crc of each page of ids; bits that say which ids are not there
//! block table            indexes, blocks, and the length and crc of each frame, see `table`
//! footer         288 B   below
//! ```
//!
//! The order is that of writing: frames leave memory as blocks come, everything that needs all of them follows. A reader takes the
//! footer from the end, the header, and the three sections before the footer, which stay in memory; everything else is read
//! and checked when it is asked for. Every byte is under a checksum that stands elsewhere: of what is read by parts under
//! that of the part and under that of its section, so that a whole file can be verified without understanding it.
//!
//! ```text
//! header
//!   0  8 B  magic "GZILASEG"            4  min_reader: the least format a reader must know
//!   8  u16  format                     12  u32  crc of all other bytes of the header
//!  16 16 B  cluster UUID               32  u32  shard
//!  36  u16  fold version: of the folded text whose grams these are
//!  38  u16  zero
//!  40  u64  epoch                      48  u64  first seq            56  u64  last seq
//!  64       zeros
//!
//! footer, from its beginning
//!   0       for each of the eight sections between header and footer, in order, 24 bytes:
//!           u64 offset, u64 length, u32 crc, u32 zero
//! 192  u32  crc of the header          196  u32  blocks
//! 200  u64  documents                  208  u64  bytes of their sources
//! 216  i64  least time of a document   224  i64  greatest   232  i64  when the last one was received; 0 without documents
//! 240       zeros
//! 272  u16  format                     274  u16  min_reader
//! 276  u32  crc of the footer up to here and of the magic
//! 280  8 B  magic "GZILAEND"
//! ```
//!
//! Numbers are little endian. Magic, format, min_reader and crc keep their places in every format, counted from the two
//! ends, so that a newer file is told from a damaged one. The hash in the file's name is the xxh3 (64 bits) of the
//! footer: it stands, through the checksums, for every byte, and tells files of one range apart.
//!
//! Versions: 1, the first.

use std::ops::Range;

use grepzilla_model::fold::FOLD_VERSION;
use grepzilla_model::manifest::{DocumentBounds, SegmentName};
use grepzilla_model::{ClusterUuid, Epoch, SeqNo, ShardId, TimeNs};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::{ByteReader, Malformed};

/// The format that this program writes, and the newest it reads.
pub const FORMAT: u16 = 1;

pub(super) const HEADER_BYTES: usize = 128;
pub(super) const FOOTER_BYTES: usize = 288;

const HEADER_MAGIC: [u8; 8] = *b"GZILASEG";
const FOOTER_MAGIC: [u8; 8] = *b"GZILAEND";
const HEADER_CRC_AT: usize = 12;
const HEADER_END: usize = 64;
const FOOTER_FORMAT_AT: usize = 272;
const FOOTER_CRC_AT: usize = 276;

/// Whose documents a segment holds, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentIdentity {
    /// The cluster.
    pub cluster: ClusterUuid,
    /// The shard.
    pub shard: ShardId,
    /// The epoch in which it is written.
    pub epoch: Epoch,
    /// The first position that it covers.
    pub first: SeqNo,
    /// The last position that it covers, not before the first.
    pub last: SeqNo,
}

impl SegmentIdentity {
    /// The name of a file with this footer hash.
    pub fn name(&self, hash: u64) -> SegmentName {
        SegmentName { epoch: self.epoch, first: self.first, last: self.last, hash }
    }
}

/// The parts of the file between header and footer, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are drawn above")]
pub enum Section {
    Frames,
    Shapes,
    GramPages,
    Ids,
    Keys,
    GramDirectory,
    IdFilter,
    BlockTable,
}

impl Section {
    /// All, in the order of the file.
    pub const ALL: [Section; 8] = [
        Section::Frames,
        Section::Shapes,
        Section::GramPages,
        Section::Ids,
        Section::Keys,
        Section::GramDirectory,
        Section::IdFilter,
        Section::BlockTable,
    ];

    /// What it is called in the drawing.
    pub fn name(self) -> &'static str {
        match self {
            Section::Frames => "frames",
            Section::Shapes => "shapes",
            Section::GramPages => "gram pages",
            Section::Ids => "ids",
            Section::Keys => "keys",
            Section::GramDirectory => "gram directory",
            Section::IdFilter => "id filter",
            Section::BlockTable => "block table",
        }
    }
}

/// A part of the file and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Checked {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) crc: u32,
}

impl Checked {
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// A part of this part, if it lies within it.
    pub(super) fn part(&self, range: Range<u64>, crc: u32) -> Option<Checked> {
        let fits = range.start <= range.end && range.end <= self.length;
        fits.then(|| Checked { offset: self.offset + range.start, length: range.end - range.start, crc })
    }
}

/// What a file of another format says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OtherFormat {
    pub(super) format: u16,
    pub(super) min_reader: u16,
}

/// Why a header or a footer is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EndError {
    Malformed(Malformed),
    Crc { expected: u32, found: u32 },
    Newer(OtherFormat),
    OtherFold { found: u16 },
}

impl From<Malformed> for EndError {
    fn from(malformed: Malformed) -> EndError {
        EndError::Malformed(malformed)
    }
}

pub(super) fn encode_header(identity: &SegmentIdentity) -> [u8; HEADER_BYTES] {
    header_of_format(identity, FORMAT, FORMAT, FOLD_VERSION)
}

pub(super) fn header_of_format(
    identity: &SegmentIdentity,
    format: u16,
    min_reader: u16,
    fold_version: u16,
) -> [u8; HEADER_BYTES] {
    let mut bytes = HEADER_MAGIC.to_vec();
    bytes.extend([format, min_reader].map(u16::to_le_bytes).concat());
    bytes.extend([0; 4]);
    bytes.extend(identity.cluster.0.as_bytes());
    bytes.extend(identity.shard.0.to_le_bytes());
    bytes.extend([fold_version, 0].map(u16::to_le_bytes).concat());
    bytes.extend([identity.epoch.0, identity.first.0, identity.last.0].map(u64::to_le_bytes).concat());
    bytes.resize(HEADER_BYTES, 0);
    let crc = header_crc(&bytes);
    bytes[HEADER_CRC_AT..HEADER_CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    bytes.try_into().expect("as long as drawn")
}

pub(super) fn decode_header(bytes: &[u8; HEADER_BYTES]) -> Result<SegmentIdentity, EndError> {
    let mut reader = ByteReader::new(bytes);
    if reader.array()? != HEADER_MAGIC {
        return Err(Malformed { at: 0, expected: "the magic of a segment" }.into());
    }
    let (format, min_reader, found) = (reader.u16()?, reader.u16()?, reader.u32()?);
    check_crc(header_crc(bytes), found)?;
    check_format(format, min_reader)?;
    let (cluster, shard) = (ClusterUuid(Uuid::from_bytes(reader.array()?)), ShardId(reader.u32()?));
    let fold_version = reader.u16()?;
    if fold_version != FOLD_VERSION {
        return Err(EndError::OtherFold { found: fold_version });
    }
    let zero = reader.u16()?;
    let (epoch, first, last) = (Epoch(reader.u64()?), SeqNo(reader.u64()?), SeqNo(reader.u64()?));
    if first > last || zero != 0 || bytes[HEADER_END..].iter().any(|byte| *byte != 0) {
        return Err(reader.malformed("a first position, the last one, and zeros").into());
    }
    Ok(SegmentIdentity { cluster, shard, epoch, first, last })
}

fn header_crc(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..HEADER_CRC_AT]);
    hasher.update(&bytes[HEADER_CRC_AT + 4..]);
    hasher.finalize()
}

/// The end of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    /// In the order of [`Section::ALL`].
    pub(super) sections: [Checked; Section::ALL.len()],
    pub(super) header_crc: u32,
    pub(super) blocks: u32,
    pub(super) documents: u64,
    pub(super) raw_bytes: u64,
    /// `None` without documents.
    pub(super) bounds: Option<DocumentBounds>,
}

impl Footer {
    pub(super) fn section(&self, section: Section) -> Checked {
        self.sections[section as usize]
    }

    pub(super) fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut bytes = Vec::with_capacity(FOOTER_BYTES);
        for section in &self.sections {
            bytes.extend([section.offset, section.length].map(u64::to_le_bytes).concat());
            bytes.extend([section.crc, 0].map(u32::to_le_bytes).concat());
        }
        bytes.extend([self.header_crc, self.blocks].map(u32::to_le_bytes).concat());
        bytes.extend([self.documents, self.raw_bytes].map(u64::to_le_bytes).concat());
        let bounds =
            self.bounds.map_or([TimeNs(0); 3], |bounds| [bounds.time_min, bounds.time_max, bounds.received_max]);
        bytes.extend(bounds.map(|time| time.0.to_le_bytes()).concat());
        bytes.resize(FOOTER_FORMAT_AT, 0);
        bytes.extend([FORMAT, FORMAT].map(u16::to_le_bytes).concat());
        bytes.extend([0; 4]);
        bytes.extend(FOOTER_MAGIC);
        let crc = footer_crc(&bytes);
        bytes[FOOTER_CRC_AT..FOOTER_CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        bytes.try_into().expect("as long as drawn")
    }

    /// Of a file of `file_bytes`. That the sections fill it is checked.
    pub(super) fn decode(bytes: &[u8; FOOTER_BYTES], file_bytes: u64) -> Result<Footer, EndError> {
        let mut tail = ByteReader::new(&bytes[FOOTER_FORMAT_AT..]);
        let (format, min_reader, found) = (tail.u16()?, tail.u16()?, tail.u32()?);
        if tail.array()? != FOOTER_MAGIC {
            return Err(Malformed { at: FOOTER_BYTES - 8, expected: "the magic at the end of a segment" }.into());
        }
        check_crc(footer_crc(bytes), found)?;
        check_format(format, min_reader)?;
        let mut reader = ByteReader::new(bytes);
        let mut sections = [Checked::default(); Section::ALL.len()];
        let mut end = HEADER_BYTES as u64;
        for section in &mut sections {
            *section = Checked { offset: reader.u64()?, length: reader.u64()?, crc: reader.u32()? };
            if section.offset != end || reader.u32()? != 0 {
                return Err(reader.malformed("sections one behind the other").into());
            }
            end = section.end();
        }
        if end != file_bytes.saturating_sub(FOOTER_BYTES as u64) {
            return Err(reader.malformed("sections up to the footer").into());
        }
        let (header_crc, blocks) = (reader.u32()?, reader.u32()?);
        let (documents, raw_bytes) = (reader.u64()?, reader.u64()?);
        let mut time = || reader.u64().map(|number| TimeNs(number.cast_signed()));
        let (time_min, time_max, received_max) = (time()?, time()?, time()?);
        let bounds = (documents > 0).then_some(DocumentBounds { time_min, time_max, received_max });
        Ok(Footer { sections, header_crc, blocks, documents, raw_bytes, bounds })
    }

    /// The hash that stands in the file's name.
    pub(super) fn hash(bytes: &[u8; FOOTER_BYTES]) -> u64 {
        xxh3_64(bytes)
    }
}

fn footer_crc(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..FOOTER_CRC_AT]);
    hasher.update(&bytes[FOOTER_CRC_AT + 4..]);
    hasher.finalize()
}

fn check_crc(expected: u32, found: u32) -> Result<(), EndError> {
    if expected == found { Ok(()) } else { Err(EndError::Crc { expected, found }) }
}

fn check_format(format: u16, min_reader: u16) -> Result<(), EndError> {
    if min_reader > FORMAT { Err(EndError::Newer(OtherFormat { format, min_reader })) } else { Ok(()) }
}

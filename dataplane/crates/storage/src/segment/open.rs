//! Opening a segment: the two ends of the file, then what stays in memory.

use std::path::Path;
use std::sync::Arc;

use grepzilla_model::fold::FOLD_VERSION;
use grepzilla_model::manifest::SegmentName;
use grepzilla_model::{ClusterUuid, ShardId};
use parking_lot::Mutex;

use super::block_parts::SegmentBlock;
use super::bytes::{ByteReader, Malformed};
use super::file::SegmentFile;
use super::layout::{
    self, EndError, FOOTER_BYTES, FORMAT, Footer, HEADER_BYTES, OtherFormat, Section, SegmentIdentity,
};
use super::{BlockTable, IdFilter, OpenSegmentError, PageDirectory, Segment, Shared};
use crate::ReadError;
use crate::block::Block;
use crate::cache::BlockCache;
use crate::disk::Disk;

/// Which segment a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedSegment {
    /// The cluster.
    pub cluster: ClusterUuid,
    /// The shard.
    pub shard: ShardId,
    /// What it is called in the manifest.
    pub name: SegmentName,
}

impl Segment {
    /// Opens a file that must be this segment, whatever the file is called.
    pub fn open(
        disk: &Arc<dyn Disk>,
        path: &Path,
        expected: &ExpectedSegment,
        cache: &Arc<BlockCache>,
    ) -> Result<Segment, OpenSegmentError> {
        let file = SegmentFile::open(disk.as_ref(), path)?;
        let (identity, header_crc) = read_header(&file)?;
        let (footer, hash) = read_footer(&file)?;
        check_identity(&file, &identity, hash, expected)?;
        if footer.header_crc != header_crc {
            let found = format!("{header_crc:08x}");
            return Err(file.corrupt(0, format!("a header with crc {:08x}", footer.header_crc), found).into());
        }
        let section_bytes = |section| footer.section(section).length;
        let table =
            read_section(&file, &footer, Section::BlockTable, |bytes| BlockTable::decode(bytes, &identity, &footer))?;
        let gram_pages = read_section(&file, &footer, Section::GramDirectory, |bytes| {
            let mut reader = ByteReader::new(bytes);
            let directory = PageDirectory::decode(&mut reader, section_bytes(Section::GramPages))?;
            reader.end().map(|()| directory)
        })?;
        let ids = read_section(&file, &footer, Section::IdFilter, |bytes| {
            IdFilter::decode(bytes, section_bytes(Section::Ids))
        })?;
        let (name, owner) = (expected.name, cache.next_owner());
        let cache = Arc::clone(cache);
        let held_shapes = (0..table.shapes_count()).map(|_| Mutex::default()).collect();
        let shared =
            Arc::new(Shared { file, name, identity, footer, table, gram_pages, ids, cache, owner, held_shapes });
        let block = |number: usize| {
            let facts = shared.table.blocks[number].facts.clone();
            Block::new(facts, Arc::new(SegmentBlock::new(Arc::clone(&shared), number)))
        };
        let blocks = (0..shared.table.blocks.len()).map(block).collect();
        Ok(Segment { shared, blocks })
    }
}

/// The identity in the header, and the crc of the whole header.
pub(super) fn read_header(file: &SegmentFile) -> Result<(SegmentIdentity, u32), OpenSegmentError> {
    let bytes = file.read_unchecked(0, HEADER_BYTES as u64)?;
    let header = bytes.as_slice().try_into().expect("as long as asked for");
    let identity = layout::decode_header(header).map_err(|error| end_error(file, 0, error))?;
    Ok((identity, crc32fast::hash(&bytes)))
}

/// The footer and its hash.
pub(super) fn read_footer(file: &SegmentFile) -> Result<(Footer, u64), OpenSegmentError> {
    let least = (HEADER_BYTES + FOOTER_BYTES) as u64;
    if file.length() < least {
        return Err(file.corrupt(0, format!("at least {least} bytes"), file.length().to_string()).into());
    }
    let offset = file.length() - FOOTER_BYTES as u64;
    let bytes = file.read_unchecked(offset, FOOTER_BYTES as u64)?;
    let footer = bytes.as_slice().try_into().expect("as long as asked for");
    let decoded = Footer::decode(footer, file.length()).map_err(|error| end_error(file, offset, error))?;
    Ok((decoded, Footer::hash(footer)))
}

fn check_identity(
    file: &SegmentFile,
    identity: &SegmentIdentity,
    hash: u64,
    expected: &ExpectedSegment,
) -> Result<(), ReadError> {
    let name = identity.name(hash);
    let is_same = (identity.cluster, identity.shard, name) == (expected.cluster, expected.shard, expected.name);
    let describe = |cluster: ClusterUuid, shard: ShardId, name: SegmentName| {
        format!("segment {name} of shard {shard} of cluster {cluster}")
    };
    if is_same {
        return Ok(());
    }
    let expected = describe(expected.cluster, expected.shard, expected.name);
    Err(file.corrupt(0, expected, describe(identity.cluster, identity.shard, name)))
}

pub(super) fn read_section<T>(
    file: &SegmentFile,
    footer: &Footer,
    section: Section,
    decode: impl FnOnce(&[u8]) -> Result<T, Malformed>,
) -> Result<T, ReadError> {
    let place = footer.section(section);
    decode(&file.read(place)?).map_err(|malformed| file.malformed(place.offset, malformed))
}

fn end_error(file: &SegmentFile, offset: u64, error: EndError) -> OpenSegmentError {
    let path = file.path().to_owned();
    match error {
        EndError::Newer(OtherFormat { format, min_reader }) => {
            OpenSegmentError::NewerFormat { path, format, min_reader, supported: FORMAT }
        }
        EndError::OtherFold { found } => OpenSegmentError::OtherFold { path, found, supported: FOLD_VERSION },
        EndError::Crc { expected, found } => {
            file.corrupt(offset, format!("crc {expected:08x}"), format!("{found:08x}")).into()
        }
        EndError::Malformed(malformed) => {
            file.corrupt(offset + malformed.at as u64, malformed.expected, "something else").into()
        }
    }
}

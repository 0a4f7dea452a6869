//! Files of deletes: which documents of a segment were superseded, and by which position.
//!
//! ```text
//!  0  8 B  magic "GZILADEL"
//!  8  u16  format                     10  u16  min_reader
//! 12  u32  crc of all other bytes of the file
//! 16  u64  epoch   24  u64  first seq   32  u64  last seq   40  u64  hash: the name of the segment
//! 48  u64  generation
//! 56  u64  entries
//! 64       for each, by block and document, 14 bytes: u32 block, u16 document, u64 the position that superseded it
//! ```
//!
//! Numbers are little endian. Such a file is immutable and says everything about its segment: a later generation replaces it.
//! Versions: 1, the first.

use std::path::Path;
use std::sync::Arc;

use grepzilla_model::SeqNo;
use grepzilla_model::manifest::{DeletesEntry, DeletesName};
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::{ByteReader, Malformed};
use super::file::SegmentFile;
use super::{DocumentPlace, OpenSegmentError, WriteSegmentError};
use crate::disk::{Disk, GrowingFile};

const MAGIC: [u8; 8] = *b"GZILADEL";
const FORMAT: u16 = 1;
const CRC_AT: usize = 12;
const HEADER_BYTES: usize = 64;
const ENTRY_BYTES: usize = 14;

/// A superseded document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeletedDocument {
    /// The document.
    pub place: DocumentPlace,
    /// The position of the newer version or tombstone.
    pub by: SeqNo,
}

/// The superseded documents of a segment at one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletes {
    name: DeletesName,
    documents: Vec<DeletedDocument>,
}

impl Deletes {
    /// What its file is called.
    pub fn name(&self) -> DeletesName {
        self.name
    }

    /// All, by block and document.
    pub fn documents(&self) -> &[DeletedDocument] {
        &self.documents
    }

    /// Those of a block, by document.
    pub fn of_block(&self, block: u32) -> &[DeletedDocument] {
        let start = self.documents.partition_point(|deleted| deleted.place.block < block);
        let end = self.documents.partition_point(|deleted| deleted.place.block <= block);
        &self.documents[start..end]
    }

    /// Reads a whole file, which must have this name and, in the manifest, this entry.
    pub fn open(
        disk: &Arc<dyn Disk>,
        path: &Path,
        name: DeletesName,
        expected: &DeletesEntry,
    ) -> Result<Deletes, OpenSegmentError> {
        let file = SegmentFile::open(disk.as_ref(), path)?;
        let bytes = file.read_unchecked(0, file.length())?;
        let (format, min_reader) = check_header(&bytes).map_err(|malformed| file.malformed(0, malformed))?;
        if min_reader > FORMAT {
            let path = path.to_owned();
            return Err(OpenSegmentError::NewerFormat { path, format, min_reader, supported: FORMAT });
        }
        let found = xxh3_64(&bytes);
        if found != expected.hash {
            return Err(file.corrupt(0, format!("hash {:016x}", expected.hash), format!("{found:016x}")).into());
        }
        let deletes = decode(&bytes, name).map_err(|malformed| file.malformed(0, malformed))?;
        if deletes.documents.len() as u64 != expected.count {
            let found = deletes.documents.len().to_string();
            return Err(file.corrupt(56, format!("{} documents", expected.count), found).into());
        }
        Ok(deletes)
    }
}

/// Writes the file of deletes of a segment at a generation, durably. Documents come in any order; one that comes twice counts with
/// the least position.
pub fn write_deletes(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    name: DeletesName,
    documents: &[DeletedDocument],
) -> Result<DeletesEntry, WriteSegmentError> {
    let mut documents = documents.to_vec();
    documents.sort_unstable();
    documents.dedup_by_key(|deleted| deleted.place);
    let bytes = encode(name, &documents);
    let path = dir.join(name.file_name());
    let mut file = GrowingFile::create(disk, &dir.join(format!("{}.tmp", name.file_name())))?;
    file.append(&bytes)?;
    file.finish(&path)?;
    Ok(DeletesEntry { generation: name.generation, count: documents.len() as u64, hash: xxh3_64(&bytes) })
}

fn encode(name: DeletesName, documents: &[DeletedDocument]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([FORMAT, FORMAT].map(u16::to_le_bytes).concat());
    bytes.extend([0; 4]);
    bytes.extend(name_numbers(name).map(u64::to_le_bytes).concat());
    bytes.extend((documents.len() as u64).to_le_bytes());
    for DeletedDocument { place, by } in documents {
        bytes.extend(place.block.to_le_bytes());
        bytes.extend(place.document.to_le_bytes());
        bytes.extend(by.0.to_le_bytes());
    }
    let crc = crc(&bytes);
    bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Format and min_reader of a file whose crc is right.
fn check_header(bytes: &[u8]) -> Result<(u16, u16), Malformed> {
    let mut reader = ByteReader::new(bytes);
    if reader.left() < HEADER_BYTES || reader.array()? != MAGIC {
        return Err(Malformed { at: 0, expected: "the header of a file of deletes" });
    }
    let (format, min_reader, found) = (reader.u16()?, reader.u16()?, reader.u32()?);
    if found != crc(bytes) {
        return Err(Malformed { at: CRC_AT, expected: "the crc of the file" });
    }
    Ok((format, min_reader))
}

fn decode(bytes: &[u8], name: DeletesName) -> Result<Deletes, Malformed> {
    let mut reader = ByteReader::new(&bytes[16..]);
    for number in name_numbers(name) {
        if reader.u64()? != number {
            return Err(reader.malformed("the name of the file"));
        }
    }
    let count = reader.u64()?;
    if reader.left() as u64 != count.saturating_mul(ENTRY_BYTES as u64) {
        return Err(reader.malformed("as many documents as it says"));
    }
    let mut documents: Vec<DeletedDocument> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let place = DocumentPlace { block: reader.u32()?, document: reader.u16()? };
        if documents.last().is_some_and(|before| before.place >= place) {
            return Err(reader.malformed("ascending documents"));
        }
        documents.push(DeletedDocument { place, by: SeqNo(reader.u64()?) });
    }
    Ok(Deletes { name, documents })
}

fn name_numbers(name: DeletesName) -> [u64; 5] {
    let segment = name.segment;
    [segment.epoch.0, segment.first.0, segment.last.0, segment.hash, name.generation.0]
}

fn crc(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..CRC_AT]);
    hasher.update(&bytes[CRC_AT + 4..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use grepzilla_model::manifest::SegmentName;
    use grepzilla_model::{Epoch, Generation};

    use super::*;
    use crate::disk::twin::Machine;

    fn name() -> DeletesName {
        let segment = SegmentName { epoch: Epoch(1), first: SeqNo(2), last: SeqNo(30), hash: 4 };
        DeletesName { segment, generation: Generation(5) }
    }

    fn deleted(block: u32, document: u16, by: u64) -> DeletedDocument {
        DeletedDocument { place: DocumentPlace { block, document }, by: SeqNo(by) }
    }

    #[test]
    fn deletes_are_read_as_they_were_written_each_once() {
        let disk = Machine::new(1).boot();
        let given = [deleted(2, 1, 40), deleted(0, 7, 31), deleted(2, 0, 33), deleted(0, 7, 35)];
        let entry = write_deletes(&disk, Path::new("/"), name(), &given).expect("written");
        let path = Path::new("/").join(name().file_name());
        let deletes = Deletes::open(&disk, &path, name(), &entry).expect("as written");
        assert_eq!(deletes.documents(), [deleted(0, 7, 31), deleted(2, 0, 33), deleted(2, 1, 40)]);
        assert_eq!(deletes.of_block(2).len(), 2);
        assert_eq!((deletes.of_block(1), entry.count), ([].as_slice(), 3));
        assert_eq!(disk.list(Path::new("/")).expect("a folder"), [name().file_name()]);
    }

    #[test]
    fn every_damaged_byte_and_every_other_name_is_noticed() {
        let machine = Machine::new(1);
        let disk = machine.boot();
        let entry =
            write_deletes(&disk, Path::new("/"), name(), &[deleted(0, 1, 9), deleted(3, 1, 8)]).expect("written");
        let path = Path::new("/").join(name().file_name());
        let good = machine.files()[&path].clone();
        let open = |bytes: Vec<u8>| {
            machine.plant(&path, bytes);
            Deletes::open(&disk, &path, name(), &entry)
        };
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            assert!(open(bytes).is_err(), "byte {at}");
            assert!(open(good[..at].to_vec()).is_err(), "{at} bytes");
        }
        open(good).expect("undamaged");
        let other = DeletesName { generation: Generation(6), ..name() };
        assert!(Deletes::open(&disk, &path, other, &entry).is_err());
        assert!(Deletes::open(&disk, &path, name(), &DeletesEntry { hash: 1, ..entry }).is_err());
    }
}

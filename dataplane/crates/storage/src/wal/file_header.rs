//! The first 4096 bytes of a log file.
//!
//! ```text
//!  0  8 B  magic "GZILAWAL"
//!  8  u16  format
//! 10  u16  min_reader: the least format a reader must know
//! 12  u32  crc of all other bytes of the header
//! 16 16 B  cluster UUID
//! 32  u64  incarnation of the replica
//! 40  u64  epoch in which the file was prepared; its frames are of this one or newer
//! 48  u64  file_no
//! 56  u64  nonce, drawn for this file
//! 64  u64  previous file: file_no, 0 = none
//! 72  u64  previous file: length, the offset at which its part of the log ends
//! 80  u32  previous file: chain, the checksum of its last frame's header
//! 84  u32  shard
//! 88  u32  state: 1 prepared, 2 begun
//! 92       zeros
//! ```
//!
//! Numbers are little endian. Magic, format, min_reader and crc keep their places in every format, so that a newer
//! file is told from a damaged one. All fields lie in the first sector: the header is replaced when the file is begun,
//! and a disk writes a sector whole or not at all. In a prepared file the previous file is not known yet, and zero.

use crc32fast::Hasher;
use grepzilla_model::{ClusterUuid, Epoch, Incarnation, ShardId};
use uuid::Uuid;

use super::frame::Mismatch;
use super::name::FileNo;

/// Its length.
pub const FILE_HEADER_BYTES: usize = 4096;

/// The format that this program writes, and the newest it reads.
pub const FORMAT: u16 = 1;

const MAGIC: [u8; 8] = *b"GZILAWAL";
const FIELDS_END: usize = 92;

/// Whose log a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogOwner {
    pub(crate) cluster: ClusterUuid,
    pub(crate) shard: ShardId,
    pub(crate) incarnation: Incarnation,
}

/// The end of the file before, as its successor states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) file_no: FileNo,
    pub(super) length: u64,
    pub(super) chain: u32,
}

/// How far a file's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileState {
    /// Ready to be begun.
    Prepared,
    /// Part of the log, after that file if there is one.
    Begun(Option<Previous>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) owner: LogOwner,
    pub(super) epoch: Epoch,
    pub(super) file_no: FileNo,
    pub(super) nonce: u64,
    pub(super) state: FileState,
}

/// A header that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HeaderError {
    Damaged(Mismatch),
    Newer { format: u16, min_reader: u16 },
}

impl FileHeader {
    pub(super) fn encode(&self) -> Box<[u8; FILE_HEADER_BYTES]> {
        let mut bytes = Box::new([0; FILE_HEADER_BYTES]);
        let (state, previous) = match self.state {
            FileState::Prepared => (1u32, None),
            FileState::Begun(previous) => (2, previous),
        };
        let previous = previous.unwrap_or(Previous { file_no: FileNo(0), length: 0, chain: 0 });
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[10..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..32].copy_from_slice(self.owner.cluster.0.as_bytes());
        let numbers =
            [self.owner.incarnation.0, self.epoch.0, self.file_no.0, self.nonce, previous.file_no.0, previous.length];
        for (place, number) in bytes[32..80].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        for (place, number) in
            bytes[80..FIELDS_END].chunks_exact_mut(4).zip([previous.chain, self.owner.shard.0, state])
        {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let crc = crc(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; FILE_HEADER_BYTES]) -> Result<FileHeader, HeaderError> {
        let damaged = |expected: String, found: String| Err(HeaderError::Damaged(Mismatch { expected, found }));
        if bytes[0..8] != MAGIC {
            return damaged(format!("magic {MAGIC:02x?}"), format!("{:02x?}", &bytes[0..8]));
        }
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if u32_at(12) != crc(bytes) {
            return damaged(format!("header crc {:08x}", crc(bytes)), format!("{:08x}", u32_at(12)));
        }
        let (format, min_reader) = (u16_at(8), u16_at(10));
        if min_reader > FORMAT {
            return Err(HeaderError::Newer { format, min_reader });
        }
        let previous =
            (u64_at(64) != 0).then(|| Previous { file_no: FileNo(u64_at(64)), length: u64_at(72), chain: u32_at(80) });
        let state = match (u32_at(88), previous) {
            (1, None) => FileState::Prepared,
            (2, previous) => FileState::Begun(previous),
            (state, _) => return damaged("state 1 without or 2 with a previous file".into(), format!("{state}")),
        };
        Ok(FileHeader {
            owner: LogOwner {
                cluster: ClusterUuid(Uuid::from_bytes(bytes[16..32].try_into().expect("sixteen bytes"))),
                shard: ShardId(u32_at(84)),
                incarnation: Incarnation(u64_at(32)),
            },
            epoch: Epoch(u64_at(40)),
            file_no: FileNo(u64_at(48)),
            nonce: u64_at(56),
            state,
        })
    }

    /// What the first frame carries as its chain.
    pub(super) fn chain(&self) -> u32 {
        crc(&self.encode())
    }
}

fn crc(bytes: &[u8; FILE_HEADER_BYTES]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(state: FileState) -> FileHeader {
        let owner =
            LogOwner { cluster: ClusterUuid(Uuid::from_u128(7)), shard: ShardId(3), incarnation: Incarnation(0xfeed) };
        FileHeader { owner, epoch: Epoch(2), file_no: FileNo(9), nonce: 0xabcd, state }
    }

    #[test]
    fn a_header_is_read_as_it_was_written_in_every_state() {
        let previous = Previous { file_no: FileNo(8), length: 4160, chain: 0x1234_5678 };
        for state in [FileState::Prepared, FileState::Begun(None), FileState::Begun(Some(previous))] {
            assert_eq!(FileHeader::decode(&header(state).encode()), Ok(header(state)));
        }
    }

    #[test]
    fn every_damaged_byte_of_a_header_is_noticed() {
        let good = header(FileState::Begun(None)).encode();
        for at in 0..FILE_HEADER_BYTES {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(matches!(FileHeader::decode(&bad), Err(HeaderError::Damaged(_))), "byte {at}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_only_if_it_asks_for_a_newer_reader() {
        for (min_reader, readable) in [(FORMAT, true), (FORMAT + 1, false)] {
            let mut bytes = header(FileState::Prepared).encode();
            bytes[8..10].copy_from_slice(&7u16.to_le_bytes());
            bytes[10..12].copy_from_slice(&min_reader.to_le_bytes());
            let crc = crc(&bytes);
            bytes[12..16].copy_from_slice(&crc.to_le_bytes());
            let newer = Err(HeaderError::Newer { format: 7, min_reader });
            assert_eq!(FileHeader::decode(&bytes), if readable { Ok(header(FileState::Prepared)) } else { newer });
        }
    }
}

//! A frame of the log: 64 bytes of header, a payload, zeros up to a multiple of 8.
//!
//! ```text
//!  0 u32 magic "GZFR"
//!  4 u32 header crc: bytes 8 to 63
//!  8 u32 payload length            12 u8 type: 1 DATA, 2 EPOCH_START, 3 PAD, 4 SEAL
//! 13 u8  flags: bit 0, the payload is compressed with zstd                 14 u16 zero
//! 16 u64 first seq: of the frame's first record; of the next record where the frame has none
//! 24 u64 epoch
//! 32 u64 nonce of the file: what stood here before the file was made is not a frame of it
//! 40 u64 synced_upto: the offset in this file up to which all was durable when the frame was written
//! 48 u64 commit position known to the writer
//! 56 u32 payload crc
//! 60 u32 chain: the header crc of the frame before, or of the file header
//! ```
//!
//! Little endian. DATA carries what `payload` draws; EPOCH_START nothing, but it is a record and has a sequence number;
//! PAD nothing; SEAL {u64 epoch, u64 file_no} of the successor. The length is believed only after the header's
//! checksum, and is capped. A writer leaves DATA uncompressed: compressing costs the acknowledgement more time than the
//! bytes cost the disk, and documents are compressed for good when they become a segment. A reader takes both.

use grepzilla_model::{Epoch, SeqNo};

/// The length of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 64;

/// The longest frame, header and padding included.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

/// The longest payload, compressed or not.
pub const PAYLOAD_BYTES_MAX: usize = FRAME_BYTES_MAX - FRAME_HEADER_BYTES;

/// What every frame starts with.
pub(super) const MAGIC: [u8; 4] = *b"GZFR";

/// Frames start at multiples of this.
pub(super) const ALIGNMENT: usize = 8;

const FLAG_COMPRESSED: u8 = 1;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// One batch of records.
    Data,
    /// The record that starts an epoch.
    EpochStart,
    /// Says that everything before it is durable.
    Pad,
    /// The last frame of a file.
    Seal,
}

impl std::fmt::Display for FrameType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            FrameType::Data => "DATA",
            FrameType::EpochStart => "EPOCH_START",
            FrameType::Pad => "PAD",
            FrameType::Seal => "SEAL",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) payload_bytes: u32,
    pub(super) kind: FrameType,
    pub(super) compressed: bool,
    pub(super) first_seq: SeqNo,
    pub(super) epoch: Epoch,
    pub(super) nonce: u64,
    pub(super) synced_upto: u64,
    pub(super) commit: SeqNo,
    pub(super) payload_crc: u32,
    pub(super) chain: u32,
}

/// Bytes that are not what they must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) expected: String,
    pub(super) found: String,
}

impl Mismatch {
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Mismatch {
        Mismatch { expected: expected.into(), found: found.into() }
    }
}

impl FrameHeader {
    pub(super) fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[12] = match self.kind {
            FrameType::Data => 1,
            FrameType::EpochStart => 2,
            FrameType::Pad => 3,
            FrameType::Seal => 4,
        };
        bytes[13] = if self.compressed { FLAG_COMPRESSED } else { 0 };
        let numbers = [self.first_seq.0, self.epoch.0, self.nonce, self.synced_upto, self.commit.0];
        for (place, number) in bytes[16..56].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes[56..60].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.chain.to_le_bytes());
        let crc = crc32fast::hash(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header and checks what needs no context.
    pub(super) fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<FrameHeader, Mismatch> {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if bytes[0..4] != MAGIC {
            return Err(Mismatch::new(format!("frame magic {MAGIC:02x?}"), format!("{:02x?}", &bytes[0..4])));
        }
        let crc = crc32fast::hash(&bytes[8..]);
        if u32_at(4) != crc {
            return Err(Mismatch::new(format!("frame header crc {crc:08x}"), format!("{:08x}", u32_at(4))));
        }
        let payload_bytes = u32_at(8);
        if payload_bytes as usize > PAYLOAD_BYTES_MAX {
            return Err(Mismatch::new(format!("at most {PAYLOAD_BYTES_MAX} payload bytes"), payload_bytes.to_string()));
        }
        let kind = match bytes[12] {
            1 => FrameType::Data,
            2 => FrameType::EpochStart,
            3 => FrameType::Pad,
            4 => FrameType::Seal,
            other => return Err(Mismatch::new("frame type 1 to 4", other.to_string())),
        };
        if bytes[13] & !FLAG_COMPRESSED != 0 || bytes[14..16] != [0, 0] {
            return Err(Mismatch::new("no unknown frame flags", format!("{:02x?}", &bytes[13..16])));
        }
        Ok(FrameHeader {
            payload_bytes,
            kind,
            compressed: bytes[13] & FLAG_COMPRESSED != 0,
            first_seq: SeqNo(u64_at(16)),
            epoch: Epoch(u64_at(24)),
            nonce: u64_at(32),
            synced_upto: u64_at(40),
            commit: SeqNo(u64_at(48)),
            payload_crc: u32_at(56),
            chain: u32_at(60),
        })
    }

    /// What the next frame carries as its chain.
    pub(super) fn chain_of(encoded: &[u8; FRAME_HEADER_BYTES]) -> u32 {
        u32::from_le_bytes(encoded[4..8].try_into().expect("four bytes"))
    }
}

/// The whole length of a frame with a payload of `payload_bytes`.
pub(super) fn frame_bytes(payload_bytes: usize) -> u64 {
    (FRAME_HEADER_BYTES + payload_bytes.next_multiple_of(ALIGNMENT)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FrameHeader {
        FrameHeader {
            payload_bytes: 5,
            kind: FrameType::Data,
            compressed: true,
            first_seq: SeqNo(17),
            epoch: Epoch(4),
            nonce: 0x1122_3344_5566_7788,
            synced_upto: 4096,
            commit: SeqNo(16),
            payload_crc: 0xdead_beef,
            chain: 0xcafe_f00d,
        }
    }

    #[test]
    fn the_bytes_of_a_header_are_as_drawn() {
        let hex: String = header().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let drawn = [
            "475a4652",         // magic
            "133fd45d",         // header crc
            "05000000",         // payload length
            "01010000",         // DATA, compressed, zero
            "1100000000000000", // first seq
            "0400000000000000", // epoch
            "8877665544332211", // nonce
            "0010000000000000", // synced_upto
            "1000000000000000", // commit position
            "efbeadde",         // payload crc
            "0df0feca",         // chain
        ];
        assert_eq!(hex, drawn.concat());
        assert_eq!(FrameHeader::decode(&header().encode()), Ok(header()));
    }

    #[test]
    fn every_damaged_bit_of_a_header_is_noticed() {
        let good = header().encode();
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_header_with_a_good_checksum_still_cannot_ask_for_the_impossible() {
        let resealed = |at: usize, value: u8| {
            let mut bytes = header().encode();
            bytes[at] = value;
            let crc = crc32fast::hash(&bytes[8..]);
            bytes[4..8].copy_from_slice(&crc.to_le_bytes());
            FrameHeader::decode(&bytes)
        };
        assert!(resealed(11, 1).is_err(), "a payload of more than 16 MiB");
        assert!(resealed(12, 5).is_err() && resealed(12, 0).is_err(), "an unknown type");
        assert!(resealed(13, 2).is_err(), "an unknown flag");
        assert!(resealed(15, 1).is_err(), "something in the zeros");
    }
}

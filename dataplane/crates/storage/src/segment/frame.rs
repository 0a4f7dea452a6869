//! Frames: payloads packed and checked, the unit of reading.
//!
//! A frame is one zstd frame without a checksum of its own, or the payload as it is if that is not longer: then both lengths
//! are the same. Where it lies, both lengths and the crc of its bytes as they lie stand in the block table. The crc is checked before
//! anything is unpacked, and the room for unpacking is bounded.

use std::cell::RefCell;
use std::io::{self, Read};

use zstd::bulk::{Compressor, Decompressor};
use zstd::stream::read::Decoder;
use zstd::zstd_safe::CParameter;

use super::bytes::{ByteReader, Malformed, put_varint};

/// The largest payload. A block is far smaller, whatever its documents.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// Room for so much is made because a table says so; for more only as far as there is something to fill it.
const ROOM_BYTES_MAX: usize = 8 << 20;

/// The largest window, as a power of two, of any level that a segment is written with.
const WINDOW_LOG_MAX: u32 = 23;

const MEMORY: &str = "packing fails for want of memory only";

/// What is known of a frame but for its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FrameEntry {
    pub(super) packed_bytes: u32,
    pub(super) unpacked_bytes: u32,
    pub(super) crc: u32,
}

impl FrameEntry {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        put_varint(bytes, u64::from(self.packed_bytes));
        put_varint(bytes, u64::from(self.unpacked_bytes));
        bytes.extend(self.crc.to_le_bytes());
    }

    pub(super) fn decode(reader: &mut ByteReader<'_>) -> Result<FrameEntry, Malformed> {
        let packed_bytes = reader.count(PAYLOAD_BYTES_MAX)? as u32;
        let unpacked_bytes = reader.count(PAYLOAD_BYTES_MAX)? as u32;
        Ok(FrameEntry { packed_bytes, unpacked_bytes, crc: reader.u32()? })
    }
}

/// Packs payloads.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    packed: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    pub(super) fn new(level: i32) -> Packer {
        let mut compressor = Compressor::new(level).expect(MEMORY);
        // The lengths stand in the block table.
        compressor.set_parameter(CParameter::ContentSizeFlag(false)).expect("a known parameter");
        Packer { compressor, packed: Vec::new() }
    }

    /// The frame of a payload and what is to be known of it.
    pub(super) fn pack<'a>(&'a mut self, payload: &'a [u8]) -> (FrameEntry, &'a [u8]) {
        assert!(payload.len() <= PAYLOAD_BYTES_MAX, "{} bytes are no part of a block", payload.len());
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(payload.len()));
        let packed_bytes = self.compressor.compress_to_buffer(payload, &mut self.packed).expect(MEMORY);
        let bytes = if packed_bytes < payload.len() { &self.packed[..packed_bytes] } else { payload };
        let unpacked_bytes = payload.len() as u32;
        let entry = FrameEntry { packed_bytes: bytes.len() as u32, unpacked_bytes, crc: crc32fast::hash(bytes) };
        (entry, bytes)
    }
}

thread_local! {
    /// Making one costs more than unpacking a small frame.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The payload of a frame whose crc has been checked.
pub(super) fn unpack(entry: &FrameEntry, bytes: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    if entry.packed_bytes == entry.unpacked_bytes {
        return Ok(bytes);
    }
    let malformed = Malformed { at: 0, expected: "a zstd frame of the length that stands in the table" };
    let length = entry.unpacked_bytes as usize;
    let payload =
        if length <= ROOM_BYTES_MAX { unpack_at_once(&bytes, length) } else { unpack_by_parts(&bytes, length) };
    payload.ok().filter(|payload| payload.len() == length).ok_or(malformed)
}

fn unpack_at_once(bytes: &[u8], length: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = decompressor.get_or_insert_with(|| Decompressor::new().expect(MEMORY));
        decompressor.decompress(bytes, length)
    })
}

/// Room is made as it is filled.
fn unpack_by_parts(bytes: &[u8], length: usize) -> io::Result<Vec<u8>> {
    let mut decoder = Decoder::with_buffer(bytes)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    let mut payload = Vec::new();
    decoder.take(length as u64 + 1).read_to_end(&mut payload)?;
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_the_incompressible_stays_as_it_is() {
        let mut packer = Packer::new(3);
        let large = (0..=ROOM_BYTES_MAX as u32).map(|place| (place / 5_000) as u8).collect();
        for payload in [b"".to_vec(), b"x".to_vec(), vec![7; 100_000], (0..=255).collect(), large] {
            let (entry, bytes) = packer.pack(&payload);
            let bytes = bytes.to_vec();
            assert_eq!((entry.packed_bytes as usize, crc32fast::hash(&bytes)), (bytes.len(), entry.crc));
            assert!(bytes.len() <= payload.len());
            assert_eq!(unpack(&entry, bytes), Ok(payload));
        }
    }

    #[test]
    fn a_payload_of_another_length_is_refused() {
        let mut packer = Packer::new(3);
        let (entry, bytes) = packer.pack(&[7; 100_000]);
        let bytes = bytes.to_vec();
        for unpacked_bytes in [0, 99_999, 100_001, ROOM_BYTES_MAX as u32 + 1, PAYLOAD_BYTES_MAX as u32] {
            assert!(unpack(&FrameEntry { unpacked_bytes, ..entry }, bytes.clone()).is_err());
        }
        assert!(unpack(&entry, vec![0; 10]).is_err());
    }
}

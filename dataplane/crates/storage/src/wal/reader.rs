//! Reads the frames of one file, one after the other, and believes none unchecked.

use grepzilla_model::{Epoch, SeqNo};

use super::file_header::FILE_HEADER_BYTES;
use super::frame::{ALIGNMENT, FRAME_HEADER_BYTES, FrameHeader, FrameType, MAGIC, Mismatch, frame_bytes};
use crate::disk::{DiskError, DurableFile};

/// How much is read at once. A longer frame is read whole.
const WINDOW_BYTES: usize = 4 << 20;

/// Where a log stands between two frames: what the next one must continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogPosition {
    /// The epoch of the last frame.
    pub(super) epoch: Epoch,
    /// The sequence number of the next record.
    pub(super) next_seq: SeqNo,
}

impl LogPosition {
    /// Before the first record of a log.
    pub(super) const START: LogPosition = LogPosition { epoch: Epoch(0), next_seq: SeqNo(1) };
}

/// A frame that passed every check that needs no decoding of its payload.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) offset: u64,
    pub(super) header: FrameHeader,
    pub(super) payload: &'a [u8],
}

/// Why there is no next frame.
#[derive(Debug)]
pub(super) enum ReadError {
    Disk(DiskError),
    /// What stands at this offset is no frame that could follow.
    Invalid {
        offset: u64,
        mismatch: Mismatch,
    },
}

impl From<DiskError> for ReadError {
    fn from(error: DiskError) -> ReadError {
        ReadError::Disk(error)
    }
}

/// Reads from the end of the file's header on.
#[derive(Debug)]
pub(super) struct FrameReader<'a> {
    file: &'a DurableFile,
    nonce: u64,
    limit: u64,
    offset: u64,
    chain: u32,
    sealed: bool,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> FrameReader<'a> {
    /// Reads the file with this nonce, whose header has this chain, up to `limit`.
    pub(super) fn new(file: &'a DurableFile, nonce: u64, chain: u32, limit: u64) -> FrameReader<'a> {
        let offset = FILE_HEADER_BYTES as u64;
        FrameReader { file, nonce, limit, offset, chain, sealed: false, window: Vec::new(), window_start: offset }
    }

    /// Where the next frame starts.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What the next frame must carry as its chain.
    pub(super) fn chain(&self) -> u32 {
        self.chain
    }

    /// The next frame. `None` exactly at the limit, and behind a SEAL.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        if self.offset == self.limit || self.sealed {
            return Ok(None);
        }
        let offset = self.offset;
        let invalid = |mismatch: Mismatch| ReadError::Invalid { offset, mismatch };
        let header_bytes: [u8; FRAME_HEADER_BYTES] =
            self.bytes(offset, FRAME_HEADER_BYTES)?.try_into().expect("as many bytes as were asked for");
        let header = FrameHeader::decode(&header_bytes).map_err(invalid)?;
        check_place(&header, offset, self.nonce, self.chain).map_err(invalid)?;
        let payload_bytes = header.payload_bytes as usize;
        let padded = payload_bytes.next_multiple_of(ALIGNMENT);
        let body = self.bytes(offset + FRAME_HEADER_BYTES as u64, padded)?;
        check_body(&header, body).map_err(invalid)?;
        self.offset += frame_bytes(payload_bytes);
        self.chain = FrameHeader::chain_of(&header_bytes);
        self.sealed = header.kind == FrameType::Seal;
        // Looked up again, because the borrow of a value returned from a branch would outlive it.
        let start = usize::try_from(offset + FRAME_HEADER_BYTES as u64 - self.window_start).expect("within the window");
        Ok(Some(Frame { offset, header, payload: &self.window[start..start + payload_bytes] }))
    }

    /// Bytes of the file, in the window or read into it. The window then holds whatever follows too.
    fn bytes(&mut self, offset: u64, count: usize) -> Result<&[u8], ReadError> {
        let end = offset + count as u64;
        if end > self.limit {
            let found = format!("{} bytes", self.limit - self.offset);
            let mismatch = Mismatch::new(format!("{} bytes of a frame", end - self.offset), found);
            return Err(ReadError::Invalid { offset: self.offset, mismatch });
        }
        if end > self.window_start + self.window.len() as u64 {
            // From the frame's own start, so that its header stays in the window with its payload.
            self.fill(self.offset, usize::try_from(end - self.offset).expect("a frame is at most 16 MiB"))?;
        }
        let start = usize::try_from(offset - self.window_start).expect("within the window");
        Ok(&self.window[start..start + count])
    }

    fn fill(&mut self, from: u64, at_least: usize) -> Result<(), ReadError> {
        let left = usize::try_from(self.limit - from).unwrap_or(usize::MAX);
        self.window.resize(at_least.max(WINDOW_BYTES).min(left), 0);
        self.window_start = from;
        let count = self.file.read_at(&mut self.window, from)?;
        self.window.truncate(count);
        if count < at_least {
            let mismatch = Mismatch::new(format!("{at_least} bytes"), format!("{count} bytes"));
            return Err(ReadError::Invalid { offset: self.offset, mismatch });
        }
        Ok(())
    }
}

/// Checks that a frame belongs to this file and follows the frame before.
fn check_place(header: &FrameHeader, offset: u64, nonce: u64, chain: u32) -> Result<(), Mismatch> {
    if header.nonce != nonce {
        return Err(Mismatch::new(format!("nonce {nonce:016x}"), format!("{:016x}", header.nonce)));
    }
    if header.chain != chain {
        return Err(Mismatch::new(format!("chain {chain:08x}"), format!("{:08x}", header.chain)));
    }
    if header.synced_upto > offset {
        return Err(Mismatch::new(format!("synced_upto of at most {offset}"), header.synced_upto.to_string()));
    }
    Ok(())
}

fn check_body(header: &FrameHeader, body: &[u8]) -> Result<(), Mismatch> {
    let (payload, padding) = body.split_at(header.payload_bytes as usize);
    let crc = crc32fast::hash(payload);
    if crc != header.payload_crc {
        return Err(Mismatch::new(format!("payload crc {:08x}", header.payload_crc), format!("{crc:08x}")));
    }
    if padding.iter().any(|byte| *byte != 0) {
        return Err(Mismatch::new("zeros behind the payload", format!("{padding:02x?}")));
    }
    Ok(())
}

/// What stands between the end of the good frames and the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Remains {
    /// Whether there is anything but zeros.
    pub(super) any: bool,
    /// The offset and the greatest `synced_upto` of frame headers of this file found there.
    pub(super) proof: Option<(u64, u64)>,
}

/// Looks through a file from `from` on for headers of its frames. Their checksum and the file's nonce make them
/// evidence even if their payload never reached the disk.
pub(super) fn search_remains(file: &DurableFile, nonce: u64, from: u64, limit: u64) -> Result<Remains, DiskError> {
    let mut remains = Remains::default();
    let mut window = vec![0; WINDOW_BYTES + FRAME_HEADER_BYTES];
    let mut offset = from;
    while offset < limit {
        let count = file.read_at(&mut window, offset)?;
        let window = &window[..count.min(usize::try_from(limit - offset).unwrap_or(usize::MAX))];
        let is_empty = window.iter().all(|byte| *byte == 0);
        remains.any |= !is_empty;
        // Most of what stands there is the room of a file that was not used: zeros hold no header.
        let searched = if is_empty { 0 } else { window.len().min(WINDOW_BYTES) };
        for at in (0..searched).step_by(ALIGNMENT) {
            let Some(header) = header_at(window, at).filter(|header| header.nonce == nonce) else { continue };
            if remains.proof.is_none_or(|(_, synced_upto)| header.synced_upto > synced_upto) {
                remains.proof = Some((offset + at as u64, header.synced_upto));
            }
        }
        if count < WINDOW_BYTES {
            break;
        }
        offset += WINDOW_BYTES as u64;
    }
    Ok(remains)
}

fn header_at(window: &[u8], at: usize) -> Option<FrameHeader> {
    let bytes: &[u8; FRAME_HEADER_BYTES] = window.get(at..at + FRAME_HEADER_BYTES)?.try_into().ok()?;
    if bytes[..4] != MAGIC {
        return None;
    }
    FrameHeader::decode(bytes).ok()
}

/// Checks that a frame continues the log, and moves the position behind it. `records` is how many it holds.
pub(super) fn advance(position: &mut LogPosition, header: &FrameHeader, records: u64) -> Result<(), Mismatch> {
    if header.first_seq != position.next_seq {
        return Err(Mismatch::new(format!("sequence number {}", position.next_seq), header.first_seq.to_string()));
    }
    let starts = header.kind == FrameType::EpochStart;
    if starts && header.epoch <= position.epoch || !starts && header.epoch != position.epoch {
        let expected = if starts { "an epoch after" } else { "epoch" };
        return Err(Mismatch::new(format!("{expected} {}", position.epoch), header.epoch.to_string()));
    }
    *position = LogPosition { epoch: header.epoch, next_seq: position.next_seq.plus(records) };
    Ok(())
}

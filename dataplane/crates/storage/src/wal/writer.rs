//! Writes one file of the log: frames are gathered, written at once, and synced.
//!
//! `synced <= written <= end <= capacity`, all offsets in the file. `end` is behind the last frame gathered. Behind any
//! frame there is room left for a PAD and a SEAL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::{Epoch, SeqNo};

use super::file_header::{FILE_HEADER_BYTES, FileHeader, FileState, LogOwner, Previous};
use super::frame::{ALIGNMENT, FrameHeader, FrameType, frame_bytes};
use super::name::{FileNo, file_name};
use crate::disk::{Died, Disk, DurableFile, WriteError};

/// What a SEAL carries: the successor's epoch and number.
pub(super) const SEAL_PAYLOAD_BYTES: usize = 16;

/// How much of the memory of a large group is kept for the next one.
const GATHERED_BYTES_KEPT: usize = 1 << 20;

/// A PAD and a SEAL.
const RESERVE_BYTES: u64 = 64 + 64 + SEAL_PAYLOAD_BYTES as u64;

/// A file that is ready to be begun: room, header and name are durable.
#[derive(Debug)]
pub(super) struct PreparedFile {
    pub(super) file: DurableFile,
    pub(super) header: FileHeader,
    pub(super) capacity: u64,
}

/// The file that is written to.
#[derive(Debug)]
pub(super) struct WalFile {
    file: DurableFile,
    header: FileHeader,
    capacity: u64,
    gathered: Vec<u8>,
    written: u64,
    synced: u64,
    chain: u32,
}

/// What a frame is to say; the file adds its own part.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewFrame<'a> {
    pub(super) kind: FrameType,
    pub(super) compressed: bool,
    pub(super) first_seq: SeqNo,
    pub(super) epoch: Epoch,
    pub(super) commit: SeqNo,
    pub(super) payload: &'a [u8],
}

impl PreparedFile {
    /// Makes a file of `capacity` bytes.
    pub(super) fn make(
        disk: &Arc<dyn Disk>,
        dir: &std::path::Path,
        header: FileHeader,
        capacity: u64,
    ) -> Result<PreparedFile, WriteError> {
        assert_eq!(header.state, FileState::Prepared, "a file is prepared before it is begun");
        let path = dir.join(file_name(header.epoch, header.file_no));
        let file = DurableFile::prepare(disk, &path, |file| {
            file.make_room(0, capacity)?;
            Ok(file.write_at(header.encode().as_slice(), 0)?)
        })?;
        Ok(PreparedFile { file, header, capacity })
    }
}

/// The header of a new file with a nonce of its own.
pub(super) fn new_header(owner: LogOwner, epoch: Epoch, file_no: FileNo) -> FileHeader {
    FileHeader { owner, epoch, file_no, nonce: rand::random(), state: FileState::Prepared }
}

impl WalFile {
    /// Begins a file. The new header is written with the first frames, or by [`WalFile::write_header`].
    pub(super) fn begin(prepared: PreparedFile, previous: Option<Previous>) -> WalFile {
        let header = FileHeader { state: FileState::Begun(previous), ..prepared.header };
        let mut gathered = Vec::new();
        gathered.extend_from_slice(header.encode().as_slice());
        let chain = header.chain();
        WalFile { file: prepared.file, header, capacity: prepared.capacity, gathered, written: 0, synced: 0, chain }
    }

    pub(super) fn header(&self) -> &FileHeader {
        &self.header
    }

    pub(super) fn path(&self) -> &std::path::Path {
        self.file.path()
    }

    /// The room that the file was made with.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Behind the last frame gathered.
    pub(super) fn end(&self) -> u64 {
        self.written + self.gathered.len() as u64
    }

    /// Whether every frame gathered is durable.
    pub(super) fn is_synced(&self) -> bool {
        self.synced == self.end() || self.end() == FILE_HEADER_BYTES as u64
    }

    /// How the successor will name this file.
    pub(super) fn as_previous(&self) -> Previous {
        Previous { file_no: self.header.file_no, length: self.end(), chain: self.chain }
    }

    /// Whether a frame with such a payload leaves room for PAD and SEAL.
    pub(super) fn has_room_for(&self, payload_bytes: usize) -> bool {
        self.end() + frame_bytes(payload_bytes) + RESERVE_BYTES <= self.capacity
    }

    /// Makes the file large enough for a frame with such a payload: for one that no file has room for.
    pub(super) fn enlarge_for(&mut self, payload_bytes: usize) -> Result<(), WriteError> {
        let needed = self.end() + frame_bytes(payload_bytes) + RESERVE_BYTES;
        let made = self.file.make_room(self.capacity, needed).and_then(|()| self.file.sync_room());
        if let Err(WriteError::NoRoom(_)) = made {
            self.file.give_back(self.capacity);
        }
        made?;
        self.capacity = needed;
        Ok(())
    }

    /// Gathers a frame. There must be room for it.
    pub(super) fn push(&mut self, frame: NewFrame<'_>) {
        let header = FrameHeader {
            payload_bytes: u32::try_from(frame.payload.len()).expect("a payload is at most 16 MiB"),
            kind: frame.kind,
            compressed: frame.compressed,
            first_seq: frame.first_seq,
            epoch: frame.epoch,
            nonce: self.header.nonce,
            synced_upto: self.synced,
            commit: frame.commit,
            payload_crc: crc32fast::hash(frame.payload),
            chain: self.chain,
        };
        let encoded = header.encode();
        self.chain = FrameHeader::chain_of(&encoded);
        self.gathered.extend_from_slice(&encoded);
        self.gathered.extend_from_slice(frame.payload);
        self.gathered.resize(self.gathered.len().next_multiple_of(ALIGNMENT), 0);
        assert!(self.end() <= self.capacity, "a frame is gathered only where there is room");
    }

    /// Writes what was gathered.
    pub(super) fn write(&mut self) -> Result<(), Died> {
        if !self.gathered.is_empty() {
            self.file.write_at(&self.gathered, self.written)?;
            self.forget_gathered();
        }
        Ok(())
    }

    /// Writes the frames gathered so far and leaves the header as it was prepared: the file is not part of the log
    /// before [`WalFile::write_header`].
    pub(super) fn write_behind_header(&mut self) -> Result<(), Died> {
        let skipped = usize::try_from((FILE_HEADER_BYTES as u64).saturating_sub(self.written)).expect("at most 4096");
        self.file.write_at(&self.gathered[skipped..], self.written + skipped as u64)?;
        self.forget_gathered();
        Ok(())
    }

    /// Writes the header alone.
    pub(super) fn write_header(&mut self) -> Result<(), Died> {
        self.file.write_at(self.header.encode().as_slice(), 0)
    }

    fn forget_gathered(&mut self) {
        self.written = self.end();
        self.gathered.clear();
        self.gathered.shrink_to(GATHERED_BYTES_KEPT);
    }

    /// Makes what was written durable. Answers how long that took.
    pub(super) fn sync(&mut self) -> Result<Duration, Died> {
        let began = Instant::now();
        self.file.sync()?;
        self.synced = self.written;
        Ok(began.elapsed())
    }

    /// Gives back the room behind the last frame. Only for a file that is sealed and synced.
    pub(super) fn into_sealed(self) -> (DurableFile, u64) {
        assert!(self.is_synced(), "a sealed file is durable before its successor is begun");
        (self.file, self.written)
    }
}

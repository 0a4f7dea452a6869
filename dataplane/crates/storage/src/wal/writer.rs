//! Writes one file of the log: frames are gathered, written at once, and synced.
//!
//! `begun <= synced <= written <= end <= capacity`, all offsets in the file. `end` is behind the last frame gathered. Behind
//! any frame there is room left for a PAD and a SEAL.
//!
//! Whole pages are written: the page in which the last group ended is written again with the next one, and what a page has
//! behind `end` are the zeros that it was made with. So no page must be read to be changed, and where every group is synced the
//! pages go past the cache of the operating system.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::{Batch, Epoch, SeqNo};

use super::file_header::{FILE_HEADER_BYTES, FileHeader, FileState, LogOwner, Previous};
use super::frame::{ALIGNMENT, FRAME_HEADER_BYTES, FrameHeader, FrameType, frame_bytes};
use super::name::{FileNo, file_name};
use super::payload::put_payload;
use crate::disk::{Died, Disk, DurableFile, PAGE_BYTES, PageBuffer, WriteError};

/// What a SEAL carries: the successor's epoch and number.
pub(super) const SEAL_PAYLOAD_BYTES: usize = 16;

/// How much of the memory of a large group is kept for the next one.
const GATHERED_BYTES_KEPT: usize = 4 << 20;

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
    past_cache: bool,
    /// From `begun` on, a multiple of a page.
    gathered: PageBuffer,
    begun: u64,
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
    pub(super) payload: Payload<'a>,
}

/// What a frame carries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    Bytes(&'a [u8]),
    /// Encoded where it is gathered, so that it is nowhere else.
    Batch(&'a Batch),
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
        let mut gathered = PageBuffer::default();
        gathered.extend(header.encode().as_slice());
        let PreparedFile { file, capacity, .. } = prepared;
        let chain = header.chain();
        WalFile { file, header, capacity, past_cache: false, gathered, begun: 0, written: 0, synced: 0, chain }
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

    /// Whether pages are to go past the cache of the operating system: for who syncs after each write.
    pub(super) fn write_past_cache(&mut self, past_cache: bool) {
        self.past_cache = past_cache;
    }

    /// Behind the last frame gathered.
    pub(super) fn end(&self) -> u64 {
        self.begun + self.gathered.len() as u64
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
        let needed = (self.end() + frame_bytes(payload_bytes) + RESERVE_BYTES).next_multiple_of(PAGE_BYTES as u64);
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
        let start = self.gathered.len();
        self.gathered.resize(start + FRAME_HEADER_BYTES);
        match frame.payload {
            Payload::Bytes(bytes) => self.gathered.extend(bytes),
            Payload::Batch(batch) => put_payload(batch, |part| self.gathered.extend(part)),
        }
        let payload = &self.gathered.bytes()[start + FRAME_HEADER_BYTES..];
        let header = FrameHeader {
            payload_bytes: u32::try_from(payload.len()).expect("a payload is at most 16 MiB"),
            kind: frame.kind,
            compressed: frame.compressed,
            first_seq: frame.first_seq,
            epoch: frame.epoch,
            nonce: self.header.nonce,
            synced_upto: self.synced,
            commit: frame.commit,
            payload_crc: crc32fast::hash(payload),
            chain: self.chain,
        };
        let encoded = header.encode();
        self.chain = FrameHeader::chain_of(&encoded);
        self.gathered.overwrite(start, &encoded);
        self.gathered.resize(self.gathered.len().next_multiple_of(ALIGNMENT));
        assert!(self.end() <= self.capacity, "a frame is gathered only where there is room");
    }

    /// Writes what was gathered.
    pub(super) fn write(&mut self) -> Result<(), Died> {
        if self.written < self.end() { self.write_from(self.begun) } else { Ok(()) }
    }

    /// Writes the frames gathered so far and leaves the header as it was prepared: the file is not part of the log
    /// before [`WalFile::write_header`].
    pub(super) fn write_behind_header(&mut self) -> Result<(), Died> {
        self.write_from(self.begun.max(FILE_HEADER_BYTES as u64))
    }

    /// Writes the header alone.
    pub(super) fn write_header(&mut self) -> Result<(), Died> {
        self.file.write_at(self.header.encode().as_slice(), 0)
    }

    /// Writes the gathered pages from this one on, and forgets all but the one that is not full.
    fn write_from(&mut self, start: u64) -> Result<(), Died> {
        let (end, in_gathered) = (self.end(), |offset: u64| (offset - self.begun) as usize);
        let (first, whole, len) = (in_gathered(start), end - end % PAGE_BYTES as u64, self.gathered.len());
        let padded = in_gathered(end.next_multiple_of(PAGE_BYTES as u64).min(self.capacity));
        let full = in_gathered(whole);
        self.gathered.resize(padded);
        let pages = &self.gathered.bytes()[first..];
        if self.past_cache { self.file.write_pages(pages, start) } else { self.file.write_at(pages, start) }?;
        self.gathered.resize(len);
        self.gathered.drop_front(full, GATHERED_BYTES_KEPT);
        (self.begun, self.written) = (whole, end);
        Ok(())
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

//! The log as its one writer sees it: frames are appended, written as a group, synced; files follow each other.
//!
//! It does not wait for anything but the disk, and knows no thread but the one that prepares files. Positions:
//! `committed < next_seq`; everything before `next_seq` is in a file or gathered for one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::{Batch, Epoch, SeqNo};

use super::counters::LogCounters;
use super::file_header::{FILE_HEADER_BYTES, LogOwner};
use super::frame::FrameType;
use super::name::FileNo;
use super::prepare::{NotPrepared, Preparer};
use super::reader::LogPosition;
use super::recovery::Resumed;
use super::sealed::{SealedFile, SealedFiles};
use super::sizes::LogSizes;
use super::writer::{NewFrame, Payload, SEAL_PAYLOAD_BYTES, WalFile, new_header};
use crate::AppendError;
use crate::disk::{Died, Disk, WriteError, sync_dir};
use crate::replica::{Checkpoint, ReplicaFolder};

/// A log open for appending.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    owner: LogOwner,
    sizes: LogSizes,
    past_cache: bool,
    current: WalFile,
    preparer: Preparer,
    last_file_no: FileNo,
    /// The first record that no trimming has removed.
    begins: SeqNo,
    position: LogPosition,
    committed: SeqNo,
    /// The files before the current one.
    sealed: SealedFiles,
    counters: LogCounters,
    /// When the current file got its first batch.
    first_batch_at: Option<Instant>,
    /// Whether the last record is covered by a later frame that knows it as durable.
    protected: bool,
}

impl Log {
    /// Goes on with a recovered log. All of it is durable.
    pub(super) fn open(folder: &ReplicaFolder, sizes: LogSizes, resumed: Resumed) -> Log {
        let (disk, dir) = (Arc::clone(folder.disk()), folder.dir().to_owned());
        let preparer = Preparer::start(Arc::clone(&disk), dir.clone());
        let mut log = Log {
            disk,
            dir,
            owner: folder.owner(),
            sizes,
            past_cache: false,
            current: resumed.file,
            preparer,
            last_file_no: resumed.last_file_no,
            begins: resumed.begins,
            position: resumed.position,
            committed: SeqNo(resumed.position.next_seq.0 - 1),
            sealed: resumed.before,
            counters: LogCounters { torn_tails: resumed.torn_tails, ..LogCounters::default() },
            first_batch_at: None,
            protected: !resumed.copied,
        };
        log.order_next();
        log
    }

    /// Writes past the cache of the operating system from now on: for who syncs after each write.
    pub(crate) fn write_past_cache(&mut self) {
        self.past_cache = true;
        self.current.write_past_cache(true);
    }

    /// The epoch of the last record.
    pub(crate) fn epoch(&self) -> Epoch {
        self.position.epoch
    }

    /// The last record appended; 0 before the first.
    pub(crate) fn last_seq(&self) -> SeqNo {
        SeqNo(self.position.next_seq.0 - 1)
    }

    /// The first record that it still has, or will have.
    pub(crate) fn begins(&self) -> SeqNo {
        self.begins
    }

    /// What the log has done and holds.
    pub(crate) fn counters(&self) -> LogCounters {
        LogCounters { bytes: self.bytes(), files: self.sealed.len() + 1, ..self.counters }
    }

    /// The bytes of all frames.
    pub(crate) fn bytes(&self) -> u64 {
        self.sealed.bytes() + self.current.end() - FILE_HEADER_BYTES as u64
    }

    /// The position to record as durable: everything has been synced.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let file_no = self.current.header().file_no.0;
        Checkpoint { epoch: self.epoch(), seq: self.last_seq(), file_no }
    }

    /// Says how far records are committed: later frames carry it.
    pub(crate) fn set_committed(&mut self, committed: SeqNo) {
        assert!(self.committed <= committed && committed <= self.last_seq(), "what is committed is in the log");
        self.committed = committed;
    }

    /// Appends a batch that keeps its promises and takes so many bytes. Answers the sequence number of the first record. It is
    /// in the file after [`Log::write`] and durable after [`Log::sync`].
    pub(crate) fn append(&mut self, batch: &Batch, payload_bytes: usize) -> Result<SeqNo, AppendError> {
        self.make_room(payload_bytes)?;
        let records = batch.records.len() as u64;
        let first = self.push(FrameType::Data, self.position.epoch, Payload::Batch(batch), records);
        self.first_batch_at.get_or_insert_with(Instant::now);
        self.counters.batches += 1;
        Ok(first)
    }

    /// Appends the start of an epoch, which must be newer than every one before.
    pub(crate) fn start_epoch(&mut self, epoch: Epoch) -> Result<SeqNo, AppendError> {
        if epoch <= self.epoch() {
            return Err(AppendError::StaleEpoch { current: self.epoch(), asked: epoch });
        }
        self.make_room(0)?;
        Ok(self.push(FrameType::EpochStart, epoch, Payload::Bytes(&[]), 1))
    }

    /// Hands all appended frames to the operating system.
    pub(crate) fn write(&mut self) -> Result<(), Died> {
        self.current.write()
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&mut self) -> Result<(), Died> {
        let took = self.current.sync()?;
        self.counters.fsync.observe(took);
        Ok(())
    }

    /// Whether everything appended is durable.
    pub(crate) fn is_synced(&self) -> bool {
        self.current.is_synced()
    }

    /// Counts a group of batches that were written together.
    pub(crate) fn count_group(&mut self) {
        self.counters.groups += 1;
    }

    /// Whether [`Log::protect`] has something to do.
    pub(crate) fn needs_protection(&self) -> bool {
        !self.protected
    }

    /// Writes and syncs a frame that says that everything before it is durable, so that damage to the last record
    /// cannot pass for an interrupted write. Everything appended has been synced.
    pub(crate) fn protect(&mut self) -> Result<(), Died> {
        if !self.protected {
            assert!(self.is_synced(), "a frame speaks of what is durable when it is written");
            self.push(FrameType::Pad, self.position.epoch, Payload::Bytes(&[]), 0);
            self.write()?;
            self.sync()?;
            self.protected = true;
        }
        Ok(())
    }

    /// When the current file becomes too old. `None` while it holds no batch.
    pub(crate) fn rotates_at(&self, age_max: Duration) -> Option<Instant> {
        self.first_batch_at.map(|first| first + age_max)
    }

    /// Whether the next file can be begun without waiting.
    pub(crate) fn next_is_ready(&self) -> bool {
        self.preparer.is_ready()
    }

    /// Seals the current file and begins the next one. Everything appended before is durable then.
    pub(crate) fn rotate(&mut self) -> Result<(), AppendError> {
        let next = self.preparer.take().map_err(|error| match error {
            NotPrepared::NoRoom => AppendError::NoSpace,
            NotPrepared::Died(died) => AppendError::Died(died),
        })?;
        let mut payload = [0; SEAL_PAYLOAD_BYTES];
        payload[..8].copy_from_slice(&next.header.epoch.0.to_le_bytes());
        payload[8..].copy_from_slice(&next.header.file_no.0.to_le_bytes());
        self.push(FrameType::Seal, self.position.epoch, Payload::Bytes(&payload), 0);
        self.write()?;
        self.sync()?;
        tracing::info!(
            shard = %self.owner.shard,
            file = %self.current.path().display(),
            bytes = self.current.end(),
            successor = %next.header.file_no,
            "sealed a log file"
        );
        self.sealed.push(SealedFile {
            path: self.current.path().to_owned(),
            last_seq: self.last_seq(),
            bytes: self.current.end() - FILE_HEADER_BYTES as u64,
        });
        let previous = self.current.as_previous();
        let sealed = std::mem::replace(&mut self.current, WalFile::begin(next, Some(previous)));
        self.current.write_past_cache(self.past_cache);
        let (file, length) = sealed.into_sealed();
        self.preparer.give_back(file, length);
        self.first_batch_at = None;
        self.protected = true;
        self.order_next();
        Ok(())
    }

    /// Removes the files whose records segments hold: nothing in them is behind `upto`. Which of them are gone after a
    /// power loss does not matter. One that cannot be removed stays until the next start.
    pub(crate) fn trim(&mut self, upto: SeqNo) -> Result<(), Died> {
        self.write()?;
        if !self.is_synced() {
            self.sync()?;
        }
        let removed = self.sealed.take_upto(upto, self.last_seq());
        let Some(last) = removed.last() else { return Ok(()) };
        self.begins = last.last_seq.plus(1);
        for file in &removed {
            if let Err(error) = self.disk.remove(&file.path) {
                tracing::warn!(path = %file.path.display(), %error, "a log file that is not needed could not be removed");
            }
        }
        tracing::info!(shard = %self.owner.shard, files = removed.len(), %upto, "trimmed the log");
        sync_dir(self.disk.as_ref(), &self.dir)
    }

    fn order_next(&mut self) {
        self.last_file_no = FileNo(self.last_file_no.0 + 1);
        let header = new_header(self.owner, self.position.epoch, self.last_file_no);
        self.preparer.order(header, self.sizes.after(self.current.capacity()));
    }

    /// Makes sure that a frame fits: in the next file if not in this one, and a frame for which every file is too
    /// small in one made larger.
    fn make_room(&mut self, payload_bytes: usize) -> Result<(), AppendError> {
        if !self.current.has_room_for(payload_bytes) && self.current.end() > FILE_HEADER_BYTES as u64 {
            self.rotate()?;
        }
        if !self.current.has_room_for(payload_bytes) {
            self.current.enlarge_for(payload_bytes).map_err(|error| match error {
                WriteError::NoRoom(_) => AppendError::NoSpace,
                WriteError::Died(died) => AppendError::Died(died),
            })?;
        }
        Ok(())
    }

    fn push(&mut self, kind: FrameType, epoch: Epoch, payload: Payload<'_>, records: u64) -> SeqNo {
        let (first_seq, before) = (self.position.next_seq, self.current.end());
        self.current.push(NewFrame { kind, compressed: false, first_seq, epoch, commit: self.committed, payload });
        self.position = LogPosition { epoch, next_seq: first_seq.plus(records) };
        self.counters.frames += 1;
        self.counters.records += records;
        self.counters.bytes_written += self.current.end() - before;
        self.protected = false;
        first_seq
    }
}

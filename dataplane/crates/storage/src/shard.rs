//! One replica of one shard, open: the only way in for everybody else.
//!
//! It takes batches, makes them durable, shows them, and answers, in that order. It assigns sequence numbers, from 1
//! and without gaps, in the order in which batches were taken. Who may write, and in which epoch, is somebody else's
//! decision; that no epoch comes twice is checked here.

mod contents;
mod damage;
mod horizon;
mod keys;
mod list;
mod log_thread;
mod maintenance;
mod newest;
mod opening;
mod options;
mod policy;
mod queue;
mod retention;
mod seal_thread;
mod state;

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use grepzilla_model::{
    Batch, ClusterUuid, Durability, Epoch, Incarnation, IndexName, Manifest, SeqNo, ShardId, TimeNs,
};
use parking_lot::Mutex;

use crate::disk::Disk;
use crate::priority;
use crate::replica::ReplicaFolder;
use crate::wal::frame::PAYLOAD_BYTES_MAX;
use crate::wal::{check_promises, payload_bytes};
use crate::{AppendError, MaintenanceError, OpenError, ReadError, StoredDocument, View};

use contents::Contents;
use log_thread::{Board, LogThread};
use maintenance::Maintenance;
use opening::Opened;
use queue::{Queue, Request, WaitingBatch};
use seal_thread::SealThread;

pub use damage::Damage;
pub(crate) use list::{LiveSegment, SegmentList};
pub use maintenance::{Flushed, MaintenanceStats, Merged, Retained};
pub use options::{FsyncMode, ShardOptions};
pub(crate) use retention::Hidden;
pub use retention::{Retention, RetentionRules};
pub use state::{OpenProgress, Positions, ReplayStats, ShardStats};

/// What was done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The epoch in which it was logged.
    pub epoch: Epoch,
    /// The sequence number of its first record.
    pub first_seq: SeqNo,
    /// The sequence number of its last record.
    pub last_seq: SeqNo,
    /// What its acknowledgement rests on.
    pub durability: Durability,
    /// It had been done before, for a batch with the same Idempotency-Key and body, and was not done again: the rest
    /// says what was done then.
    pub repeated: bool,
}

/// An open replica. Closed by [`Shard::close`], or when dropped.
pub struct Shard {
    incarnation: Incarnation,
    contents: Arc<Contents>,
    maintenance: Maintenance,
    replay: ReplayStats,
    queue: Arc<Queue>,
    board: Arc<Mutex<Board>>,
    thread: Mutex<Thread>,
    _seal_thread: SealThread,
}

enum Thread {
    Running(JoinHandle<Result<(), AppendError>>),
    Ended(Result<(), AppendError>),
}

impl Shard {
    /// Opens or creates the replica in `dir`; recovers. Returns when every good record is in the hot tier, durable, and
    /// the log can be appended to. `progress` hears how far it is.
    ///
    /// A log that is damaged is refused and marked, so that it stays as it is. A segment that is damaged is set aside: what the
    /// log still has of it comes from there; what it has not is missing, and the shard can only be read.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        cluster: ClusterUuid,
        shard: ShardId,
        options: ShardOptions,
        progress: &dyn Fn(OpenProgress),
    ) -> Result<Shard, OpenError> {
        let _entered = tracing::info_span!("open_shard", %shard).entered();
        let folder = Arc::new(ReplicaFolder::open(disk, dir, cluster, shard)?);
        let contents = Arc::new(Contents::new(Arc::clone(&folder), &options));
        let seal_thread = SealThread::start(&contents, shard);
        let Opened { manifest, mut log, keys, replay } = opening::open(&folder, &contents, &options, progress)?;
        if options.fsync == FsyncMode::Always {
            log.write_past_cache();
        }
        let last = log.last_seq();
        let positions =
            Positions { epoch: log.epoch(), appended: last, durable: last, committed: last, wal_bytes: log.bytes() };
        let (counters, log_begins) = (log.counters(), log.begins());
        let board = Arc::new(Mutex::new(Board { positions, counters, keys: keys.len(), log_begins }));
        let queue = Arc::new(Queue::new(options.queue_bytes_max));
        let incarnation = folder.owner().incarnation;
        let (fsync, age_max) = (options.fsync, options.wal_age_max);
        let maintenance =
            Maintenance::new(Arc::clone(&folder), Arc::clone(&contents), Arc::clone(&queue), options, manifest);
        let thread = LogThread {
            shard,
            folder,
            log,
            contents: Arc::clone(&contents),
            keys,
            queue: Arc::clone(&queue),
            board: Arc::clone(&board),
            fsync,
            age_max,
        };
        let handle = std::thread::Builder::new().name(format!("log-{shard}")).spawn(move || thread.run());
        let thread = Mutex::new(Thread::Running(handle.expect("the system has room for a thread")));
        Ok(Shard { incarnation, contents, maintenance, replay, queue, board, thread, _seal_thread: seal_thread })
    }

    /// Which life of its folder this replica is.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The epoch of the log's last record; 0 of an empty log.
    pub fn last_epoch(&self) -> Epoch {
        self.positions().epoch
    }

    /// Appends the start of an epoch, which must be newer than [`Shard::last_epoch`], and syncs it in every mode.
    /// Batches queued before belong to the epoch before. Answers its sequence number.
    ///
    /// It waits for the log thread, so it must not be called on it, that is from the `done` of an append.
    pub fn start_epoch(&self, epoch: Epoch) -> Result<SeqNo, AppendError> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.queue.push(Request::StartEpoch(epoch, answer))?;
        answered.recv().unwrap_or(Err(AppendError::Closed))
    }

    /// Queues a batch. `done` is called on the log thread, once, when the batch is as durable as the mode says and in
    /// [`Shard::view`], or when it is known not to become so; it must be quick. An error returned here means that
    /// `done` is never called and the batch is nowhere.
    ///
    /// A batch with an Idempotency-Key that came before, in the window of the options, is not written again: it is
    /// answered as the first one was, as soon as that one is. With another body it is [`AppendError::KeyReused`].
    ///
    /// The current span is kept with the batch: the event of its frame is logged in it.
    ///
    /// # Panics
    ///
    /// If the batch breaks the promises of [`Batch`]: no record, or an id or source that is too long.
    pub fn append(
        &self,
        batch: Batch,
        done: Box<dyn FnOnce(Result<Appended, AppendError>) + Send>,
    ) -> Result<(), AppendError> {
        if self.contents.is_damaged() {
            return Err(AppendError::ReadOnly);
        }
        let bytes = payload_bytes(&batch);
        if bytes > PAYLOAD_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes, bytes_max: PAYLOAD_BYTES_MAX });
        }
        check_promises(&batch);
        self.queue.push(Request::Append(WaitingBatch { batch, bytes, span: tracing::Span::current(), done }))
    }

    /// Everything committed, and never anything else. What retention hides is in it too, until [`View::at`] is asked.
    pub fn view(&self) -> View {
        self.contents.view()
    }

    /// Whether retention hides a document that was looked up from who looks at a moment.
    pub fn hides(&self, document: &StoredDocument, now: TimeNs) -> bool {
        let StoredDocument { index, stamp, received_max, .. } = document;
        self.contents.hidden().hides(index, stamp.seq, *received_max, now)
    }

    /// The newest version of the document with this explicit `_id`. `None`: there is none, or it was deleted.
    pub fn get(&self, index: &IndexName, id: &str) -> Result<Option<StoredDocument>, ReadError> {
        self.contents.get(index, id)
    }

    /// The document that was written in this epoch at this position. `None`: there is none, or a newer version or a
    /// tombstone of its explicit `_id` has superseded it.
    pub fn get_at(&self, epoch: Epoch, seq: SeqNo) -> Result<Option<StoredDocument>, ReadError> {
        self.contents.get_at(epoch, seq)
    }

    /// The last manifest that was published, as far as this replica knows.
    pub fn manifest(&self) -> Manifest {
        self.maintenance.manifest()
    }

    /// The segments that cannot be used, by position. If there are any, what is left is shown and nothing is written.
    pub fn damage(&self) -> Vec<Damage> {
        self.contents.list().damage().to_vec()
    }

    /// Whether there is a segment that cannot be used. Once there is, there is until the shard is opened again.
    pub fn is_damaged(&self) -> bool {
        self.contents.is_damaged()
    }

    /// Whether the log still has all that is missing: then opening the shard again makes it whole.
    pub fn can_be_restored(&self) -> bool {
        let log_begins = self.board.lock().log_begins;
        self.damage().iter().all(|damage| log_begins <= damage.segment.first)
    }

    /// Takes note of a segment that could not be read in a [`View`] of this shard. One whose bytes are damaged is set aside:
    /// it is left out of all later views, which say so, and nothing is written any more.
    pub fn distrust(&self, error: &ReadError) {
        self.contents.distrust(error);
    }

    /// Bytes of memory that the hot tier takes.
    pub fn hot_bytes(&self) -> u64 {
        self.contents.hot_stats().bytes
    }

    /// Whether the hot tier is large or old enough to be flushed.
    pub fn wants_flush(&self, now: TimeNs) -> bool {
        self.maintenance.wants_flush(now)
    }

    /// Makes a segment of all that is committed, durably; it is shown in the same moment in which the hot tier lets go of
    /// it. `None`: there is nothing to flush. It blocks; writes and searches go on meanwhile. It lasts when it has been
    /// published: a restart before goes back to the log.
    pub fn flush(&self) -> Result<Option<Flushed>, MaintenanceError> {
        priority::behind(|| self.maintenance.flush())
    }

    /// Merges neighbouring segments: where there are enough of one size, or, while nothing is written, wherever a segment at least
    /// doubles; or makes one anew most of whose documents have been superseded or are hidden. `None`: there is nothing to merge, or
    /// `stop` was set meanwhile. It blocks; everything else goes on. What retention hides is known from the last [`Shard::retain`].
    pub fn merge(&self, stop: &AtomicBool) -> Result<Option<Merged>, MaintenanceError> {
        let positions = self.positions();
        priority::behind(|| self.maintenance.merge(positions.epoch, positions.committed, stop))
    }

    /// Whether there are so many segments that they must be merged.
    pub fn must_merge(&self) -> bool {
        self.maintenance.must_merge()
    }

    /// Hides what there is too much of from `now` on, and drops the oldest segments of which nothing can be seen any more. `None`:
    /// there is nothing to drop. What is gone is gone from all later views; it lasts when it has been published.
    pub fn retain(&self, now: TimeNs) -> Result<Option<Retained>, MaintenanceError> {
        self.maintenance.retain(now)
    }

    /// What is to be published next: what is shown, as the generation after the published one. `None`: it is published, or
    /// the store's manifest is not adopted yet.
    pub fn next_manifest(&self) -> Option<Manifest> {
        self.maintenance.next_manifest(self.last_epoch())
    }

    /// The store has accepted a manifest that [`Shard::next_manifest`] gave. It is recorded; then the log is trimmed, and
    /// files that nothing names are removed. To be called again after an error, with the same or a later one.
    pub fn published(&self, manifest: Manifest) -> Result<(), MaintenanceError> {
        self.maintenance.published(manifest)
    }

    /// Takes the store's manifest over, `None` if it has none: after the shard was claimed and before anything is flushed.
    /// If it is newer than the local one its segments are shown, which must be here. Files that it does not name are removed.
    pub fn adopt(&self, manifest: Option<Manifest>) -> Result<(), MaintenanceError> {
        self.maintenance.adopt(manifest, self.positions().committed)
    }

    /// Where the log stands.
    pub fn positions(&self) -> Positions {
        self.board.lock().positions
    }

    /// What has been done and what is held.
    pub fn stats(&self) -> ShardStats {
        let (log, keys) = {
            let board = self.board.lock();
            (board.counters, board.keys)
        };
        let (maintenance, replay) = (self.maintenance.stats(), self.replay);
        ShardStats {
            log,
            keys,
            maintenance,
            replay,
            damaged_segments: self.contents.list().damage().len() as u64,
            queue_bytes: self.queue.bytes(),
            hot: self.contents.hot_stats(),
            superseded: self.contents.superseded(),
        }
    }

    /// Whether the log takes batches, now or when there is room again. `false` from [`Shard::close`] on, when the
    /// process must end, and if a bug has ended the log's thread. It does not wait.
    pub fn is_open(&self) -> bool {
        self.queue.is_open()
    }

    /// Does what is queued, makes it durable in every mode, and closes the log so that any later damage to it shows.
    /// Later calls answer what the first one did.
    pub fn close(&self) -> Result<(), AppendError> {
        self.queue.close();
        let mut thread = self.thread.lock();
        let result = match std::mem::replace(&mut *thread, Thread::Ended(Err(AppendError::Closed))) {
            // The thread's own panic has been reported where it happened.
            Thread::Running(handle) => handle.join().unwrap_or(Err(AppendError::Closed)),
            Thread::Ended(result) => result,
        };
        *thread = Thread::Ended(result.clone());
        result
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the shard was not closed cleanly");
        }
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("incarnation", &self.incarnation).finish_non_exhaustive()
    }
}

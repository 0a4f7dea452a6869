//! The thread that owns the log: takes all that waits, writes it as one group, syncs once, makes it visible, answers.
//!
//! When nothing waits it keeps house: the sync of [`FsyncMode::Batch`], the frame that protects the last record, the
//! end of a file that is old enough, another look at a disk that was full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::{Epoch, SeqNo, ShardId};
use parking_lot::Mutex;

use super::queue::{Queue, Request, WaitingBatch};
use super::{Appended, FsyncMode, Positions};
use crate::AppendError;
use crate::disk::{Died, WriteError};
use crate::hot::HotTier;
use crate::replica::ReplicaFolder;
use crate::wal::{Log, LogCounters};

/// How long the log must be quiet before its last record is protected.
const QUIET: Duration = Duration::from_millis(50);

/// How often something that could not be done is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// What the log thread tells everybody.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) positions: Positions,
    pub(super) counters: LogCounters,
}

/// What the thread works with.
pub(super) struct LogThread {
    pub(super) shard: ShardId,
    pub(super) folder: ReplicaFolder,
    pub(super) log: Log,
    pub(super) hot: Arc<HotTier>,
    pub(super) queue: Arc<Queue>,
    pub(super) board: Arc<Mutex<Board>>,
    pub(super) fsync: FsyncMode,
    pub(super) age_max: Duration,
}

/// Where the thread stands between two groups.
struct Pace {
    /// Since when nothing was appended.
    quiet_since: Instant,
    /// Since when something is written and not synced.
    unsynced_since: Option<Instant>,
    /// A batch was refused for want of space, and none was taken since.
    full: bool,
}

/// A request that is in the log.
struct Logged {
    epoch: Epoch,
    first: SeqNo,
    request: Request,
}

impl LogThread {
    /// Runs until the queue is closed and empty, or the process must die.
    pub(super) fn run(mut self) -> Result<(), AppendError> {
        // Also if the thread panics nobody is left waiting.
        let _shut = ShutOnExit(Arc::clone(&self.queue));
        let mut pace = Pace { quiet_since: Instant::now(), unsynced_since: None, full: false };
        let result = self.serve(&mut pace).and_then(|()| self.finish());
        if let Err(died) = &result {
            self.queue.shut(&AppendError::Died(died.clone()));
        }
        Ok(result?)
    }

    fn serve(&mut self, pace: &mut Pace) -> Result<(), Died> {
        loop {
            let taken = self.queue.take(self.wakes_at(pace));
            if taken.closing {
                return Ok(());
            }
            if !taken.requests.is_empty() {
                self.group(taken.requests, pace)?;
            }
            self.keep_house(pace)?;
        }
    }

    /// Leaves a log that was closed cleanly: everything durable, and known to be.
    fn finish(&mut self) -> Result<(), Died> {
        self.log.write()?;
        self.log.sync()?;
        self.log.protect()?;
        self.publish();
        match self.folder.record_checkpoint(self.log.checkpoint()) {
            Ok(()) => Ok(()),
            Err(WriteError::Died(died)) => Err(died),
            Err(WriteError::NoRoom(_)) => Ok(()),
        }
    }

    /// Appends, writes, syncs, shows and answers what has waited.
    fn group(&mut self, requests: Vec<Request>, pace: &mut Pace) -> Result<(), Died> {
        let mut logged = Vec::with_capacity(requests.len());
        let mut durable = Ok(());
        for request in requests {
            match self.append(&request) {
                Ok((epoch, first)) => logged.push(Logged { epoch, first, request }),
                Err(error) => {
                    match &error {
                        AppendError::NoSpace => {
                            pace.full = true;
                            self.queue.set_full(true);
                        }
                        AppendError::Died(died) => durable = Err(died.clone()),
                        _ => {}
                    }
                    self.refuse(request, error);
                }
            }
        }
        if logged.is_empty() {
            return durable;
        }
        if let Err(died) = durable.and_then(|()| self.settle(&logged, pace)) {
            for Logged { request, .. } in logged {
                self.refuse(request, AppendError::Died(died.clone()));
            }
            return Err(died);
        }
        self.log.count_group();
        self.show_and_answer(logged);
        pace.quiet_since = Instant::now();
        Ok(())
    }

    fn append(&mut self, request: &Request) -> Result<(Epoch, SeqNo), AppendError> {
        match request {
            Request::Append(waiting) => {
                let first = self.log.append(&waiting.payload, waiting.batch.records.len() as u64)?;
                Ok((self.log.epoch(), first))
            }
            Request::StartEpoch(epoch, _) => Ok((*epoch, self.log.start_epoch(*epoch)?)),
        }
    }

    /// Makes the group as durable as the mode asks. The start of an epoch is always synced.
    fn settle(&mut self, logged: &[Logged], pace: &mut Pace) -> Result<(), Died> {
        self.log.write()?;
        let starts_epoch = logged.iter().any(|logged| matches!(logged.request, Request::StartEpoch(..)));
        if self.fsync == FsyncMode::Always || starts_epoch {
            self.log.sync()?;
            pace.unsynced_since = None;
        } else {
            pace.unsynced_since.get_or_insert_with(Instant::now);
        }
        self.log.set_committed(self.log.last_seq());
        Ok(())
    }

    fn show_and_answer(&self, logged: Vec<Logged>) {
        let mut answers: Vec<(WaitingBatch, Appended)> = Vec::with_capacity(logged.len());
        let mut starts = Vec::new();
        let mut bytes = 0;
        for Logged { epoch, first, request } in logged {
            match request {
                Request::Append(mut waiting) => {
                    bytes += waiting.payload.len();
                    let records = std::mem::take(&mut waiting.batch.records);
                    let last = SeqNo(first.0 + records.len() as u64 - 1);
                    self.tell(&waiting, epoch, first, records.len());
                    self.hot.insert(epoch, first, waiting.batch.received, records);
                    let durability = self.fsync.durability();
                    answers.push((waiting, Appended { epoch, first_seq: first, last_seq: last, durability }));
                }
                Request::StartEpoch(_, answer) => starts.push((answer, first)),
            }
        }
        self.publish();
        if !starts.is_empty() {
            self.queue.epoch_started();
        }
        self.queue.answered(bytes);
        for (answer, seq) in starts {
            // Whoever asked may have gone away.
            drop(answer.try_send(Ok(seq)));
        }
        for (waiting, appended) in answers {
            (waiting.done)(Ok(appended));
        }
    }

    /// Says what was logged within the span of the request, so that its trace leads to the log.
    fn tell(&self, waiting: &WaitingBatch, epoch: Epoch, first: SeqNo, records: usize) {
        waiting.span.in_scope(|| {
            tracing::debug!(
                shard = %self.shard,
                %epoch,
                first_seq = %first,
                records,
                bytes = waiting.payload.len(),
                "appended frame"
            );
        });
    }

    fn refuse(&self, request: Request, error: AppendError) {
        if let Request::Append(waiting) = &request {
            self.queue.answered(waiting.payload.len());
        }
        request.refuse(error);
    }

    fn publish(&self) {
        let last = self.log.last_seq();
        let mut board = self.board.lock();
        let durable = if self.log.is_synced() { last } else { board.positions.durable };
        board.positions = Positions {
            epoch: self.log.epoch(),
            appended: last,
            durable,
            committed: last,
            wal_bytes: self.log.bytes(),
        };
        board.counters = self.log.counters();
    }

    /// When something is to be done though nothing comes.
    fn wakes_at(&self, pace: &Pace) -> Option<Instant> {
        let soon = Instant::now() + RETRY_AFTER;
        let sync_at = match self.fsync {
            FsyncMode::Batch { interval } => pace.unsynced_since.map(|since| since + interval),
            FsyncMode::Always | FsyncMode::Disabled => None,
        };
        let protect_at = (self.log.needs_protection() && self.log.is_synced()).then(|| pace.quiet_since + QUIET);
        let rotate_at =
            self.log.rotates_at(self.age_max).map(|at| if self.log.next_is_ready() { at } else { at.max(soon) });
        let full_at = pace.full.then_some(soon);
        [sync_at, protect_at, rotate_at, full_at].into_iter().flatten().min()
    }

    fn keep_house(&mut self, pace: &mut Pace) -> Result<(), Died> {
        let now = Instant::now();
        let changed =
            self.sync_if_due(now, pace)? | self.protect_if_quiet(now, pace)? | self.rotate_if_old(now, pace)?;
        if changed {
            self.publish();
        }
        if pace.full && self.log.next_is_ready() {
            pace.full = false;
            self.queue.set_full(false);
        }
        Ok(())
    }

    fn sync_if_due(&mut self, now: Instant, pace: &mut Pace) -> Result<bool, Died> {
        let FsyncMode::Batch { interval } = self.fsync else { return Ok(false) };
        let due = pace.unsynced_since.is_some_and(|since| since + interval <= now);
        if due {
            self.log.sync()?;
            pace.unsynced_since = None;
        }
        Ok(due)
    }

    fn protect_if_quiet(&mut self, now: Instant, pace: &Pace) -> Result<bool, Died> {
        let due = self.log.needs_protection() && self.log.is_synced() && pace.quiet_since + QUIET <= now;
        if due {
            self.log.protect()?;
        }
        Ok(due)
    }

    fn rotate_if_old(&mut self, now: Instant, pace: &mut Pace) -> Result<bool, Died> {
        let old = self.log.rotates_at(self.age_max).is_some_and(|at| at <= now);
        if !old || !self.log.next_is_ready() {
            return Ok(false);
        }
        match self.log.rotate() {
            Ok(()) => {
                pace.unsynced_since = None;
                Ok(true)
            }
            Err(AppendError::Died(died)) => Err(died),
            // The file stays in use; it is tried again.
            Err(_) => Ok(false),
        }
    }
}

/// Refuses everything once the thread is gone.
struct ShutOnExit(Arc<Queue>);

impl Drop for ShutOnExit {
    fn drop(&mut self) {
        self.0.shut(&AppendError::Closed);
    }
}

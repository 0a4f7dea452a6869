//! The thread that owns the log: takes all that waits, writes it as one group, syncs once, makes it visible, answers.
//!
//! A batch whose key came before is not written again: it waits for the first one and gets its answer. When nothing
//! waits, the thread keeps house.

mod chores;
mod house;

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::{Batch, Epoch, SeqNo, ShardId};
use parking_lot::Mutex;

use super::contents::Contents;
use super::keys::{KeyWindow, Known, entry_of};
use super::queue::{Queue, Request, WaitingBatch};
use super::{Appended, FsyncMode, Positions};
use crate::AppendError;
use crate::disk::{Died, WriteError};
use crate::replica::ReplicaFolder;
use crate::wal::{Log, LogCounters};

use house::Pace;

/// What the log thread tells everybody.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) positions: Positions,
    pub(super) counters: LogCounters,
    pub(super) keys: usize,
    /// The first record that the log still has.
    pub(super) log_begins: SeqNo,
}

/// What the thread works with.
pub(super) struct LogThread {
    pub(super) shard: ShardId,
    pub(super) folder: Arc<ReplicaFolder>,
    pub(super) log: Log,
    pub(super) contents: Arc<Contents>,
    pub(super) keys: KeyWindow,
    pub(super) queue: Arc<Queue>,
    pub(super) board: Arc<Mutex<Board>>,
    pub(super) fsync: FsyncMode,
    pub(super) age_max: Duration,
}

/// A request that is in the log.
struct Logged {
    entry: Entry,
    request: Request,
}

/// Where it is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    epoch: Epoch,
    first: SeqNo,
    last: SeqNo,
    /// It was there before.
    repeated: bool,
}

impl LogThread {
    /// Runs until the queue is closed and empty, or the process must die.
    pub(super) fn run(mut self) -> Result<(), AppendError> {
        // Also if the thread panics nobody is left waiting.
        let _shut = ShutOnExit(Arc::clone(&self.queue));
        let mut pace = Pace::new();
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
                let (chores, appends): (Vec<_>, Vec<_>) = taken.requests.into_iter().partition(Request::is_chore);
                if !appends.is_empty() {
                    self.group(appends, pace)?;
                }
                self.do_chores(chores)?;
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
                Ok(entry) => logged.push(Logged { entry, request }),
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
        let news = logged.iter().any(|logged| !logged.entry.repeated);
        if let Err(died) = durable.and_then(|()| if news { self.settle(&logged, pace) } else { Ok(()) }) {
            for Logged { request, .. } in logged {
                self.refuse(request, AppendError::Died(died.clone()));
            }
            return Err(died);
        }
        if news {
            self.log.count_group();
            pace.quiet_since = Instant::now();
        }
        self.show_and_answer(logged);
        Ok(())
    }

    fn append(&mut self, request: &Request) -> Result<Entry, AppendError> {
        match request {
            Request::Append(waiting) => self.append_batch(waiting),
            Request::StartEpoch(epoch, _) => {
                let first = self.log.start_epoch(*epoch)?;
                Ok(Entry { epoch: *epoch, first, last: first, repeated: false })
            }
            Request::Cut(..) | Request::Trim(..) => unreachable!("chores are done apart"),
        }
    }

    fn append_batch(&mut self, waiting: &WaitingBatch) -> Result<Entry, AppendError> {
        match self.keys.look_up(&waiting.batch) {
            Known::New => {}
            Known::Repeat(entry) => {
                return Ok(Entry {
                    epoch: entry.epoch,
                    first: entry.first,
                    last: entry.first.plus(u64::from(entry.count) - 1),
                    repeated: true,
                });
            }
            Known::Reused => return Err(AppendError::KeyReused),
        }
        let count = waiting.batch.records.len() as u64;
        let first = self.log.append(&waiting.batch, waiting.bytes)?;
        let epoch = self.log.epoch();
        if let Some(entry) = entry_of(&waiting.batch, epoch, first) {
            self.keys.remember(entry);
        }
        Ok(Entry { epoch, first, last: SeqNo(first.0 + count - 1), repeated: false })
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
        for Logged { entry, request } in logged {
            match request {
                Request::Append(mut waiting) => {
                    bytes += waiting.bytes;
                    self.tell(&waiting, entry);
                    if !entry.repeated {
                        let records = std::mem::take(&mut waiting.batch.records);
                        let batch = Batch { records, ..waiting.batch };
                        self.contents.add(entry.epoch, entry.first, batch);
                    }
                    let Entry { epoch, first, last, repeated } = entry;
                    let durability = self.fsync.durability();
                    answers.push((waiting, Appended { epoch, first_seq: first, last_seq: last, durability, repeated }));
                }
                Request::StartEpoch(_, answer) => starts.push((answer, entry.first)),
                Request::Cut(..) | Request::Trim(..) => unreachable!("chores are done apart"),
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
    fn tell(&self, waiting: &WaitingBatch, entry: Entry) {
        waiting.span.in_scope(|| {
            tracing::debug!(
                shard = %self.shard,
                epoch = %entry.epoch,
                first_seq = %entry.first,
                records = entry.last.0 - entry.first.0 + 1,
                bytes = waiting.bytes,
                repeated = entry.repeated,
                "appended frame"
            );
        });
    }

    fn refuse(&self, request: Request, error: AppendError) {
        if let Request::Append(waiting) = &request {
            self.queue.answered(waiting.bytes);
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
        board.keys = self.keys.len();
        board.log_begins = self.log.begins();
    }
}

/// Refuses everything once the thread is gone.
struct ShutOnExit(Arc<Queue>);

impl Drop for ShutOnExit {
    fn drop(&mut self) {
        self.0.shut(&AppendError::Closed);
    }
}

//! Batches that wait for the log thread.
//!
//! Bounded by bytes, counted from the moment a batch is queued until it is acknowledged, so that the memory of batches
//! under way is bounded too.

use std::sync::mpsc::SyncSender;
use std::time::Instant;

use grepzilla_model::{Batch, Epoch, SeqNo};
use parking_lot::{Condvar, Mutex};
use tracing::Span;

use super::Appended;
use crate::AppendError;
use crate::segment::KeyEntry;

/// What is called when a batch's fate is known.
pub(super) type Done = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// What the log thread is asked for.
pub(super) enum Request {
    Append(WaitingBatch),
    StartEpoch(Epoch, SyncSender<Result<SeqNo, AppendError>>),
    /// Everything that waited before is to be seen in the cut; keys behind the position are wanted.
    Cut(SeqNo, SyncSender<Result<Cut, AppendError>>),
    /// Segments hold everything up to the position.
    Trim(SeqNo, SyncSender<Result<(), AppendError>>),
}

/// What a flush is to put into a segment.
#[derive(Debug)]
pub(super) struct Cut {
    /// The epoch of the log.
    pub(super) epoch: Epoch,
    /// The last record; everything up to it is durable in the log, and in closed blocks of the hot tier or in segments.
    pub(super) upto: SeqNo,
    /// The last record of a batch, or before what was asked for.
    pub(super) last_of_batch: SeqNo,
    pub(super) keys: Vec<KeyEntry>,
}

/// A batch that keeps its promises, with the span of the request that it came with.
pub(super) struct WaitingBatch {
    pub(super) batch: Batch,
    /// What it takes in the log.
    pub(super) bytes: usize,
    pub(super) span: Span,
    pub(super) done: Done,
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Request::Append(waiting) => waiting.bytes,
            Request::StartEpoch(..) | Request::Cut(..) | Request::Trim(..) => 0,
        }
    }

    /// Whether it is done between two groups.
    pub(super) fn is_chore(&self) -> bool {
        matches!(self, Request::Cut(..) | Request::Trim(..))
    }

    /// Answers that it was not done.
    pub(super) fn refuse(self, error: AppendError) {
        match self {
            Request::Append(waiting) => (waiting.done)(Err(error)),
            // Nobody may be waiting any more, and then nobody is told.
            Request::StartEpoch(_, answer) => drop(answer.try_send(Err(error))),
            Request::Cut(_, answer) => drop(answer.try_send(Err(error))),
            Request::Trim(_, answer) => drop(answer.try_send(Err(error))),
        }
    }
}

/// The queue.
pub(super) struct Queue {
    bytes_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<Request>,
    /// Of all batches not yet acknowledged.
    bytes: usize,
    epoch_started: bool,
    gate: Gate,
}

/// Whether requests are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Gate {
    Open,
    /// There is no room for a batch; there may be later.
    NoSpace,
    /// What waits is still done.
    Closing,
    /// Nothing is done any more, for this reason.
    Shut(AppendError),
}

/// What the log thread finds.
pub(super) struct Taken {
    pub(super) requests: Vec<Request>,
    /// Nothing will come any more.
    pub(super) closing: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Queue {
        let state = State { waiting: Vec::new(), bytes: 0, epoch_started: false, gate: Gate::Open };
        Queue { bytes_max, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes a request.
    pub(super) fn push(&self, request: Request) -> Result<(), AppendError> {
        let mut state = self.state.lock();
        match &request {
            Request::Append(waiting) => state.admits_batch(waiting.bytes, self.bytes_max)?,
            Request::StartEpoch(..) | Request::Cut(..) | Request::Trim(..) => state.admits()?,
        }
        state.bytes += request.bytes();
        state.waiting.push(request);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Everything that waits; waits for it until `deadline`. Empty at the deadline, and when closing with nothing left.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Taken {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && state.gate != Gate::Closing {
            match deadline {
                Some(deadline) if self.changed.wait_until(&mut state, deadline).timed_out() => break,
                Some(_) => {}
                None => self.changed.wait(&mut state),
            }
        }
        let requests = std::mem::take(&mut state.waiting);
        Taken { closing: requests.is_empty() && state.gate == Gate::Closing, requests }
    }

    /// Says that batches of so many bytes have got their answer.
    pub(super) fn answered(&self, bytes: usize) {
        self.state.lock().bytes -= bytes;
    }

    /// The bytes that wait for their answer.
    pub(super) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// Whether requests are taken, now or when there is room again.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state.lock().gate, Gate::Open | Gate::NoSpace)
    }

    /// Batches are taken from now on.
    pub(super) fn epoch_started(&self) {
        self.state.lock().epoch_started = true;
    }

    /// Whether batches are refused at once for want of space.
    pub(super) fn set_full(&self, full: bool) {
        let mut state = self.state.lock();
        match (&state.gate, full) {
            (Gate::Open, true) => state.gate = Gate::NoSpace,
            (Gate::NoSpace, false) => state.gate = Gate::Open,
            _ => {}
        }
    }

    /// Nothing new is taken; what waits is still done.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        if !matches!(state.gate, Gate::Shut(_)) {
            state.gate = Gate::Closing;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing is done any more; what waits is refused.
    pub(super) fn shut(&self, reason: &AppendError) {
        let mut state = self.state.lock();
        if !matches!(state.gate, Gate::Shut(_)) {
            state.gate = Gate::Shut(reason.clone());
        }
        let waiting = std::mem::take(&mut state.waiting);
        state.bytes = 0;
        drop(state);
        for request in waiting {
            request.refuse(reason.clone());
        }
    }
}

impl State {
    fn admits(&self) -> Result<(), AppendError> {
        match &self.gate {
            Gate::Open | Gate::NoSpace => Ok(()),
            Gate::Closing => Err(AppendError::Closed),
            Gate::Shut(reason) => Err(reason.clone()),
        }
    }

    fn admits_batch(&self, bytes: usize, bytes_max: usize) -> Result<(), AppendError> {
        self.admits()?;
        if self.gate == Gate::NoSpace {
            return Err(AppendError::NoSpace);
        }
        if !self.epoch_started {
            return Err(AppendError::NoEpoch);
        }
        if self.bytes > 0 && self.bytes + bytes > bytes_max {
            return Err(AppendError::QueueFull { backlog_bytes: self.bytes });
        }
        Ok(())
    }
}

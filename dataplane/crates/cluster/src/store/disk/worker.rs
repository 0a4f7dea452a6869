//! The thread that writes: one request after the other, and leases when they expire.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::file::MetadataFile;
use crate::store::local::{Local, Plan};
use crate::store::{Changes, LeaseId, Outcome, Revision, StoreError, Transaction};

/// How long to sleep when no lease is held.
const IDLE: Duration = Duration::from_secs(3_600);

/// What the thread is asked. A reply that nobody waits for any more is dropped; the work is done all the same.
#[derive(Debug)]
pub(super) enum Request {
    Commit { transaction: Transaction, reply: oneshot::Sender<Result<Outcome, StoreError>> },
    Grant { ttl: Duration, reply: oneshot::Sender<Result<LeaseId, StoreError>> },
    Revoke { lease: LeaseId, reply: oneshot::Sender<()> },
}

/// The only writer of the file, and of the state in front of it.
#[derive(Debug)]
pub(super) struct Worker {
    file: MetadataFile,
    local: Arc<Local>,
    requests: mpsc::Receiver<Request>,
}

impl Worker {
    pub(super) fn new(file: MetadataFile, local: Arc<Local>, requests: mpsc::Receiver<Request>) -> Worker {
        Worker { file, local, requests }
    }

    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self) {
        loop {
            for lease in self.local.look(|state| state.expired(Instant::now())) {
                self.end(lease);
            }
            let deadline = self.local.look(|state| state.next_deadline()).unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(request) => self.serve(request),
                    None => return,
                },
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }

    fn serve(&self, request: Request) {
        match request {
            Request::Commit { transaction, reply } => {
                let _nobody_waits = reply.send(self.commit(&transaction));
            }
            Request::Grant { ttl, reply } => {
                let _nobody_waits = reply.send(self.local.look(|state| state.grant(ttl)));
            }
            Request::Revoke { lease, reply } => {
                self.end(lease);
                let _nobody_waits = reply.send(());
            }
        }
    }

    fn commit(&self, transaction: &Transaction) -> Result<Outcome, StoreError> {
        // Only this thread changes the state, so the plan holds until it is applied.
        match self.local.look(|state| state.plan(transaction))? {
            Plan::Conflict => Ok(Outcome::Conflict),
            Plan::Nothing(revision) => Ok(Outcome::Committed(revision)),
            Plan::Change(changes) => Ok(Outcome::Committed(self.write(changes))),
        }
    }

    fn end(&self, lease: LeaseId) {
        let changes = self.local.look(|state| {
            state.drop_lease(lease);
            state.plan_end_of(lease)
        });
        if let Some(changes) = changes {
            self.write(changes);
        }
    }

    fn write(&self, changes: Changes) -> Revision {
        if let Err(error) = self.file.persist(&changes) {
            // Nobody knows now which of the two states the disk holds. An abort cannot be caught, a panic can.
            tracing::error!(%error, "the metadata store cannot write to its disk; the process ends");
            std::process::abort();
        }
        let revision = changes.revision;
        self.local.look(|state| state.apply(changes));
        revision
    }
}

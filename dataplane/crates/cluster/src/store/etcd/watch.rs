//! A watch that goes on across reconnections, without a gap and without a repeat.
//!
//! It remembers the next revision it owes. Every connection begins one revision before that, because etcd reports no
//! progress to a watch that begins in its future; what was delivered already is dropped. Fragments are not asked for:
//! without them etcd never splits a revision.
//!
//! After each [`HEARTBEAT`] of silence etcd is asked for its progress. The answer is the sign of life that is handed
//! on; no answer means that the connection is dead, even if TCP does not know it yet.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Event, EventType, WatchOptions, WatchResponse, WatchStream};
use futures::stream::{BoxStream, StreamExt, unfold};
use tokio::time::timeout;

use super::failure::Failure;
use super::pool::{Contact, Pool};
use super::{MESSAGE_BYTES_MAX, entry};
use crate::store::{Backoff, Change, Changes, HEARTBEAT, Revision, StoreError};

/// How long etcd has for reporting its progress.
const PROGRESS_TIMEOUT: Duration = HEARTBEAT;

/// One watch.
pub(super) struct Watcher {
    pool: Arc<Pool>,
    prefix: String,
    /// Everything before this has been delivered.
    next: Revision,
    /// Begin at `next` itself, because what is before it has been compacted.
    exactly: bool,
    connection: Option<Connection>,
    backoff: Backoff,
    /// Refusals in a row, one of each member at most.
    refusals: usize,
    over: bool,
}

struct Connection {
    contact: Contact,
    stream: WatchStream,
    asked_for_progress: bool,
}

/// What came over a connection.
enum Received {
    Changes(Changes),
    /// Nothing that concerns the caller.
    Nothing,
    Compacted(Revision),
    Refused(String),
    /// The connection is of no use any more.
    Broken(String),
}

impl Watcher {
    pub(super) fn new(pool: Arc<Pool>, prefix: &str, from: Revision) -> Watcher {
        Watcher {
            pool,
            prefix: prefix.to_owned(),
            // etcd takes revision 0 for "now"; the history begins at 1.
            next: from.max(Revision(1)),
            exactly: false,
            connection: None,
            backoff: Backoff::default(),
            refusals: 0,
            over: false,
        }
    }

    pub(super) fn stream(self) -> BoxStream<'static, Result<Changes, StoreError>> {
        unfold(self, |mut watcher| async move { watcher.next().await.map(|item| (item, watcher)) }).boxed()
    }

    async fn next(&mut self) -> Option<Result<Changes, StoreError>> {
        if self.over {
            return None;
        }
        loop {
            let Some(connection) = &mut self.connection else {
                if let Err(error) = self.connect().await {
                    self.over = true;
                    return Some(Err(error));
                }
                continue;
            };
            match connection.receive(self.next).await {
                Received::Changes(changes) => {
                    self.next = self.next.max(changes.revision.next());
                    self.exactly = false;
                    self.refusals = 0;
                    self.backoff.reset();
                    return Some(Ok(changes));
                }
                Received::Nothing => {}
                // Only the revision before the one that is owed is gone: begin without it.
                Received::Compacted(oldest) if oldest <= self.next && !self.exactly => {
                    self.exactly = true;
                    self.connection = None;
                }
                Received::Compacted(oldest) => {
                    self.over = true;
                    return Some(Err(StoreError::Compacted { from: self.next, oldest }));
                }
                Received::Refused(reason) => {
                    if let Err(error) = self.refused(reason).await {
                        self.over = true;
                        return Some(Err(error));
                    }
                }
                Received::Broken(reason) => self.reconnect(&reason).await,
            }
        }
    }

    /// Opens a connection, or waits before the next attempt. Fails only if every member refuses.
    async fn connect(&mut self) -> Result<(), StoreError> {
        let start = if self.exactly { self.next.0 } else { (self.next.0 - 1).max(1) };
        let options = WatchOptions::new().with_prefix().with_start_revision(start);
        let contact = match self.pool.contact().await {
            Ok(contact) => contact,
            Err(Failure::Refused(reason)) => return self.refused(reason).await,
            Err(_) => {
                self.backoff.wait().await;
                return Ok(());
            }
        };
        let mut client = contact.client.watch_client().max_decoding_message_size(MESSAGE_BYTES_MAX);
        match timeout(self.pool.call_timeout(), client.watch(self.prefix.as_str(), Some(options))).await {
            Ok(Ok(stream)) => self.connection = Some(Connection { contact, stream, asked_for_progress: false }),
            Ok(Err(error)) => {
                self.pool.leave(&contact).await;
                if let Failure::Refused(reason) = Failure::of(&error) {
                    return self.refused(reason).await;
                }
                self.backoff.wait().await;
            }
            Err(_) => {
                self.pool.leave(&contact).await;
                self.backoff.wait().await;
            }
        }
        Ok(())
    }

    async fn refused(&mut self, reason: String) -> Result<(), StoreError> {
        self.refusals += 1;
        if self.refusals > self.pool.size() {
            return Err(StoreError::Refused { reason });
        }
        self.reconnect(&reason).await;
        Ok(())
    }

    async fn reconnect(&mut self, reason: &str) {
        tracing::debug!(reason, next = self.next.0, "a watch lost its connection and goes on with another");
        if let Some(connection) = self.connection.take() {
            self.pool.leave(&connection.contact).await;
        }
        self.backoff.wait().await;
    }
}

impl Connection {
    /// Waits for one message; asks for progress when nothing comes.
    async fn receive(&mut self, next: Revision) -> Received {
        let patience = if self.asked_for_progress { PROGRESS_TIMEOUT } else { HEARTBEAT };
        match timeout(patience, self.stream.message()).await {
            Ok(Ok(Some(message))) => {
                self.asked_for_progress = false;
                self.read(&message, next)
            }
            Ok(Ok(None)) => Received::Broken("etcd ended the stream".to_owned()),
            Ok(Err(error)) => Received::Broken(error.to_string()),
            Err(_) if self.asked_for_progress => Received::Broken(format!("no progress in {PROGRESS_TIMEOUT:?}")),
            Err(_) => {
                self.asked_for_progress = true;
                match self.stream.request_progress().await {
                    Ok(()) => Received::Nothing,
                    Err(error) => Received::Broken(error.to_string()),
                }
            }
        }
    }

    fn read(&self, message: &WatchResponse, next: Revision) -> Received {
        if message.canceled() {
            return match message.compact_revision() {
                0 if message.cancel_reason().is_empty() => Received::Broken("etcd cancelled the watch".to_owned()),
                0 => Received::Refused(message.cancel_reason().to_owned()),
                oldest => Received::Compacted(Revision(oldest)),
            };
        }
        if message.created() {
            return Received::Nothing;
        }
        if message.events().is_empty() {
            return Received::Changes(self.progress(message, next));
        }
        let changes = message.events().iter().map(change).collect::<Result<Vec<Change>, StoreError>>();
        match changes {
            Ok(changes) => owed(changes, next).map_or(Received::Nothing, Received::Changes),
            Err(error) => Received::Refused(error.to_string()),
        }
    }

    fn progress(&self, message: &WatchResponse, next: Revision) -> Changes {
        let delivered = Revision(next.0 - 1);
        let reported = message.header().map_or(delivered, |header| Revision(header.revision()));
        // Unsound versions report progress that they have not made: there it is a sign of life and no more.
        let revision = if self.contact.reports_progress { reported.max(delivered) } else { delivered };
        Changes { changes: Vec::new(), revision }
    }
}

/// What has not been delivered yet. `None`: all of it has.
fn owed(mut changes: Vec<Change>, next: Revision) -> Option<Changes> {
    changes.retain(|change| change.revision() >= next);
    let revision = changes.last()?.revision();
    Some(Changes { changes, revision })
}

fn change(event: &Event) -> Result<Change, StoreError> {
    let missing = || StoreError::Refused { reason: "etcd sent a change without a key".to_owned() };
    let found = entry(event.kv().ok_or_else(missing)?.clone())?;
    Ok(match event.event_type() {
        EventType::Put => Change::Put(found),
        EventType::Delete => Change::Delete { key: found.key, revision: found.mod_revision },
    })
}

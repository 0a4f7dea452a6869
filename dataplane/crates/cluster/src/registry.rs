//! A node's presence in the cluster, as long as its process lives.
//!
//! One lease per process carries the node's record and the leader keys of the shards it leads. The task keeps the lease
//! alive, writes what its handle is told, registers again after the lease was lost, and takes everything away when it
//! is cancelled. A process that dies is gone one TTL later. The others see all of it through [`crate::topology`].
//!
//! ```text
//! grant ──> hold: each second a keep-alive, and whatever has changed ──cancelled──> revoke
//!   ^            │ the lease is gone
//!   └────────────┘
//! ```
//!
//! Of two processes with one node's name the younger one wins: a process takes the key over when it starts, and never
//! again, so an older one that comes back from a pause waits until the key is free.

mod session;

use std::collections::BTreeMap;
use std::time::Duration;

use grepzilla_model::{Epoch, ShardId};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::keyspace::{Keys, NodeRecord};
use crate::store::{Backoff, LeaseId, SharedStore, StoreError};
use session::{Ended, Session};

/// How a presence is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationOptions {
    /// How long the node is believed to be there without a word from it. Default 3 s.
    pub ttl: Duration,
    /// How often it gives word; at most a third of `ttl`, so that one lost word does no harm. Default 1 s.
    pub keep_alive_every: Duration,
}

impl Default for RegistrationOptions {
    fn default() -> RegistrationOptions {
        RegistrationOptions::with_ttl(Duration::from_secs(3))
    }
}

impl RegistrationOptions {
    /// Three words in the time that one must arrive.
    pub fn with_ttl(ttl: Duration) -> RegistrationOptions {
        RegistrationOptions { ttl, keep_alive_every: ttl / 3 }
    }
}

/// What others may know of this node now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationState {
    /// Nothing: the store has not answered yet, or the lease was lost and no new one is there.
    Absent {
        /// Why.
        reason: String,
    },
    /// The node is registered under this lease.
    Registered(LeaseId),
    /// There was no word from the store for one TTL. The registration may or may not be there.
    OutOfTouch {
        /// The last error.
        reason: String,
    },
    /// Another, younger process is registered with this node's name.
    NameTaken {
        /// That process's lease.
        lease: Option<LeaseId>,
    },
}

/// What the node wants to be known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Desired {
    record: NodeRecord,
    leading: BTreeMap<ShardId, Epoch>,
}

/// Tells the task what to say. Clones speak to the same task.
#[derive(Debug, Clone)]
pub struct RegistrationHandle {
    desired: watch::Sender<Desired>,
    state: watch::Receiver<RegistrationState>,
}

impl RegistrationHandle {
    /// Changes the node's record. Written soon, if it differs.
    pub fn update(&self, change: impl FnOnce(&mut NodeRecord)) {
        self.modify(|desired| change(&mut desired.record));
    }

    /// Announces that this node leads a shard. A leader of a higher epoch that is announced already stays announced.
    pub fn announce_leader(&self, shard: ShardId, epoch: Epoch) {
        self.modify(|desired| {
            desired.leading.insert(shard, epoch);
        });
    }

    /// Takes the announcement back.
    pub fn withdraw_leader(&self, shard: ShardId) {
        self.modify(|desired| {
            desired.leading.remove(&shard);
        });
    }

    /// What others may know of this node now.
    pub fn state(&self) -> watch::Receiver<RegistrationState> {
        self.state.clone()
    }

    fn modify(&self, change: impl FnOnce(&mut Desired)) {
        self.desired.send_if_modified(|desired| {
            let before = desired.clone();
            change(desired);
            before != *desired
        });
    }
}

/// The task. Whoever makes it runs it.
#[derive(Debug)]
pub struct Registration {
    store: SharedStore,
    keys: Keys,
    options: RegistrationOptions,
    desired: watch::Receiver<Desired>,
    state: watch::Sender<RegistrationState>,
}

impl Registration {
    /// A task that is not running yet, and its handle.
    pub fn new(
        store: SharedStore,
        keys: Keys,
        record: NodeRecord,
        options: RegistrationOptions,
    ) -> (Registration, RegistrationHandle) {
        let (desired, desired_receiver) = watch::channel(Desired { record, leading: BTreeMap::new() });
        let (state, state_receiver) =
            watch::channel(RegistrationState::Absent { reason: "the registration has not begun".to_owned() });
        let task = Registration { store, keys, options, desired: desired_receiver, state };
        (task, RegistrationHandle { desired, state: state_receiver })
    }

    /// Keeps the node registered until it is cancelled, then takes the registration away.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut first = true;
        while let Some((lease, ttl)) = self.grant(&cancel).await {
            let mut session = Session::new(self.store.clone(), self.keys.clone(), lease, first);
            match self.hold(&mut session, ttl, &cancel).await {
                Ended::Cancelled => break,
                Ended::LeaseGone => {
                    first = false;
                    tracing::warn!(lease = lease.0, "the lease of this node is gone; registering again");
                    self.say(RegistrationState::Absent { reason: "the lease expired".to_owned() });
                }
            }
        }
        self.say(RegistrationState::Absent { reason: "the node has left".to_owned() });
    }

    /// A new lease. `None`: cancelled.
    async fn grant(&mut self, cancel: &CancellationToken) -> Option<(LeaseId, Duration)> {
        let mut backoff = Backoff::default();
        loop {
            let granted = tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                granted = self.store.grant(self.options.ttl) => granted,
            };
            match granted {
                Ok(granted) => return Some(granted),
                Err(error) => self.say(RegistrationState::Absent { reason: error.to_string() }),
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                () = backoff.wait() => {}
            }
        }
    }

    /// Keeps a lease alive and its keys as desired.
    async fn hold(&mut self, session: &mut Session, ttl: Duration, cancel: &CancellationToken) -> Ended {
        let mut alive = Instant::now();
        let mut ticks = tokio::time::interval(self.options.keep_alive_every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.reset();
        loop {
            let desired = self.desired.borrow_and_update().clone();
            let sent = Instant::now();
            let deadline = self.options.keep_alive_every;
            // Two words, each with its own deadline: a record that cannot be written must not cost the lease.
            let words = async { (session.keep_alive(deadline).await, session.publish(&desired, deadline).await) };
            let (kept_alive, published) = tokio::select! {
                biased;
                () = cancel.cancelled() => return session.leave(deadline).await,
                words = words => words,
            };
            if kept_alive.is_ok() {
                alive = sent;
            }
            match kept_alive.and(published) {
                Ok(()) => self.say(session.state()),
                Err(StoreError::LeaseGone(_)) => return Ended::LeaseGone,
                // The lease runs on in the store, whatever we hear from it: only silence for its whole length counts.
                Err(error) if alive.elapsed() >= ttl => {
                    self.say(RegistrationState::OutOfTouch { reason: error.to_string() });
                }
                Err(error) if !session.is_registered() => {
                    self.say(RegistrationState::Absent { reason: error.to_string() });
                }
                Err(error) => tracing::debug!(%error, "a word to the metadata store was lost"),
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return session.leave(self.options.keep_alive_every).await,
                // An error means that the handle is gone; the registration stays as it is until it is cancelled.
                Ok(()) = self.desired.changed() => {}
                _ = ticks.tick() => {}
            }
        }
    }

    /// Tells the node, and the log once for each change.
    fn say(&self, state: RegistrationState) {
        let changed = self.state.send_if_modified(|before| {
            let changed = *before != state;
            before.clone_from(&state);
            changed
        });
        if changed {
            tracing::info!(?state, "the registration of this node has changed");
        }
    }
}

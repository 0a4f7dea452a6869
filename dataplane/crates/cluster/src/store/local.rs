//! The state of a store that lives in one process: what the memory home is, and what the disk home keeps in front of
//! its file.
//!
//! A change happens in two steps: `plan` says what a transaction would change, `apply` makes it visible. The disk home
//! makes the plan durable in between. Reads and watches see applied changes only.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, unfold};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{
    Change, Changes, Compare, Entry, HEARTBEAT, LeaseId, Listing, Operation, Revision, StoreError, Transaction,
};

/// Revisions kept for watches that resume; older ones are compacted.
const HISTORY_REVISIONS_MAX: usize = 10_000;

/// Who deletes the keys of expired leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    /// Whoever looks at the state: nothing can be seen in between, so no task is needed.
    ByLooking,
    /// The owner, because a deletion must be durable first.
    ByOwner,
}

/// The shared state and its alarm bell.
#[derive(Debug)]
pub(super) struct Local {
    state: Mutex<State>,
    applied: watch::Sender<Revision>,
    expiry: Expiry,
}

/// Everything a store knows.
#[derive(Debug, Default)]
pub(super) struct State {
    entries: BTreeMap<String, Entry>,
    revision: Revision,
    /// One element per revision, without gaps, up to `revision`.
    history: VecDeque<Changes>,
    leases: HashMap<LeaseId, Lease>,
}

#[derive(Debug)]
struct Lease {
    ttl: Duration,
    deadline: Instant,
}

/// What a transaction would do.
#[derive(Debug)]
pub(super) enum Plan {
    /// Some comparison failed.
    Conflict,
    /// Nothing would change.
    Nothing(Revision),
    /// These changes, all of the next revision.
    Change(Changes),
}

impl Local {
    /// A store with these entries, last changed at `revision`. Earlier history is compacted.
    pub(super) fn new(entries: BTreeMap<String, Entry>, revision: Revision, expiry: Expiry) -> Local {
        let state = State { entries, revision, ..State::default() };
        Local { state: Mutex::new(state), applied: watch::Sender::new(revision), expiry }
    }

    /// Works on the state; changes ring the bell.
    pub(super) fn look<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        if self.expiry == Expiry::ByLooking {
            state.expire(Instant::now());
        }
        let result = work(&mut state);
        let revision = state.revision;
        drop(state);
        self.applied.send_if_modified(|applied| std::mem::replace(applied, revision) != revision);
        result
    }

    /// Wakes all watches, because something but the revision has changed that they wait for.
    pub(super) fn ring(&self) {
        self.applied.send_modify(|_| {});
    }

    /// The stream of [`super::MetadataStore::watch`].
    pub(super) fn watch(
        self: &Arc<Local>,
        prefix: &str,
        from: Revision,
    ) -> BoxStream<'static, Result<Changes, StoreError>> {
        let watcher = Watcher {
            local: self.clone(),
            applied: self.applied.subscribe(),
            prefix: prefix.to_owned(),
            next: from,
            over: false,
        };
        unfold(watcher, |mut watcher| async move { watcher.next().await.map(|item| (item, watcher)) }).boxed()
    }
}

struct Watcher {
    local: Arc<Local>,
    applied: watch::Receiver<Revision>,
    prefix: String,
    next: Revision,
    over: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<Changes, StoreError>> {
        if self.over {
            return None;
        }
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            self.applied.mark_unchanged();
            let (found, revision, deadline) = self
                .local
                .look(|state| (state.changes_from(self.next, &self.prefix), state.revision, state.next_deadline()));
            match found {
                Ok(Some(changes)) => {
                    self.next = changes.revision.next();
                    return Some(Ok(changes));
                }
                Ok(None) => self.next = self.next.max(revision.next()),
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
            if Instant::now() >= heartbeat {
                return Some(Ok(Changes { changes: Vec::new(), revision }));
            }
            let wake = deadline.map_or(heartbeat, |deadline| deadline.min(heartbeat));
            tokio::select! {
                changed = self.applied.changed() => changed.expect("the sender lives in the state this watcher holds"),
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }
}

impl State {
    pub(super) fn get(&self, key: &str) -> Option<Entry> {
        self.entries.get(key).cloned()
    }

    pub(super) fn list(&self, prefix: &str) -> Listing {
        let from_prefix = self.entries.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let entries = from_prefix.take_while(|(key, _)| key.starts_with(prefix)).map(|(_, entry)| entry.clone());
        Listing { entries: entries.collect(), revision: self.revision }
    }

    /// What a transaction would change.
    pub(super) fn plan(&self, transaction: &Transaction) -> Result<Plan, StoreError> {
        transaction.check()?;
        if !transaction.compares.iter().all(|compare| self.holds(compare)) {
            return Ok(Plan::Conflict);
        }
        let revision = self.revision.next();
        let mut changes = Vec::with_capacity(transaction.operations.len());
        for operation in &transaction.operations {
            match operation {
                Operation::Put { lease: Some(lease), .. } if !self.leases.contains_key(lease) => {
                    return Err(StoreError::LeaseGone(*lease));
                }
                Operation::Put { key, value, lease } => changes.push(Change::Put(Entry {
                    key: key.clone(),
                    value: value.clone(),
                    mod_revision: revision,
                    lease: *lease,
                })),
                Operation::Delete { key } if self.entries.contains_key(key) => {
                    changes.push(Change::Delete { key: key.clone(), revision });
                }
                Operation::Delete { .. } => {}
            }
        }
        if changes.is_empty() {
            return Ok(Plan::Nothing(self.revision));
        }
        Ok(Plan::Change(Changes { changes, revision }))
    }

    fn holds(&self, compare: &Compare) -> bool {
        let (key, wanted) = match compare {
            Compare::Absent(key) => (key, Revision(0)),
            Compare::Unchanged(key, revision) => (key, *revision),
        };
        self.entries.get(key).map_or(Revision(0), |entry| entry.mod_revision) == wanted
    }

    /// What the end of a lease would change. `None`: no key has it.
    pub(super) fn plan_end_of(&self, lease: LeaseId) -> Option<Changes> {
        let revision = self.revision.next();
        let leased = self.entries.values().filter(|entry| entry.lease == Some(lease));
        let changes: Vec<Change> = leased.map(|entry| Change::Delete { key: entry.key.clone(), revision }).collect();
        (!changes.is_empty()).then_some(Changes { changes, revision })
    }

    /// Makes planned changes visible. No other change may have come in between.
    pub(super) fn apply(&mut self, changes: Changes) {
        assert_eq!(changes.revision, self.revision.next(), "a plan is applied before the next one is made");
        for change in &changes.changes {
            match change {
                Change::Put(entry) => self.entries.insert(entry.key.clone(), entry.clone()),
                Change::Delete { key, .. } => self.entries.remove(key),
            };
        }
        self.revision = changes.revision;
        self.history.push_back(changes);
        if self.history.len() > HISTORY_REVISIONS_MAX {
            self.history.pop_front();
        }
    }

    /// Forgets the history below `revision`.
    pub(super) fn compact(&mut self, revision: Revision) {
        while self.history.front().is_some_and(|changes| changes.revision < revision) {
            self.history.pop_front();
        }
    }

    /// The first changes under `prefix` at or after `from`.
    fn changes_from(&self, from: Revision, prefix: &str) -> Result<Option<Changes>, StoreError> {
        let oldest = self.history.front().map_or(self.revision.next(), |changes| changes.revision);
        if from < oldest {
            return Err(StoreError::Compacted { from, oldest });
        }
        let skip = usize::try_from(from.0 - oldest.0).unwrap_or(usize::MAX).min(self.history.len());
        let found = self.history.range(skip..).find_map(|changes| {
            let under = changes.changes.iter().filter(|change| change.key().starts_with(prefix));
            let under: Vec<Change> = under.cloned().collect();
            (!under.is_empty()).then_some(Changes { changes: under, revision: changes.revision })
        });
        Ok(found)
    }

    pub(super) fn grant(&mut self, ttl: Duration) -> Result<LeaseId, StoreError> {
        if ttl.is_zero() {
            return Err(StoreError::Refused { reason: "a lease lives longer than 0 s".to_owned() });
        }
        let lease = LeaseId(rand::random_range(1..=i64::MAX));
        self.leases.insert(lease, Lease { ttl, deadline: Instant::now() + ttl });
        Ok(lease)
    }

    pub(super) fn keep_alive(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        let now = Instant::now();
        match self.leases.get_mut(&lease) {
            Some(held) if held.deadline > now => {
                held.deadline = now + held.ttl;
                Ok(())
            }
            // Past its deadline it is as good as gone, even if its owner has not deleted the keys yet.
            _ => Err(StoreError::LeaseGone(lease)),
        }
    }

    /// Takes a lease away; its keys are the caller's to delete.
    pub(super) fn drop_lease(&mut self, lease: LeaseId) {
        self.leases.remove(&lease);
    }

    /// When the next lease expires, if none is kept alive.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.leases.values().map(|lease| lease.deadline).min()
    }

    /// The leases that have expired, the earliest first.
    pub(super) fn expired(&self, now: Instant) -> Vec<LeaseId> {
        let over = self.leases.iter().filter(|(_, lease)| lease.deadline <= now);
        let mut over: Vec<(Instant, LeaseId)> = over.map(|(id, lease)| (lease.deadline, *id)).collect();
        over.sort_by_key(|(deadline, lease)| (*deadline, lease.0));
        over.into_iter().map(|(_, lease)| lease).collect()
    }

    fn expire(&mut self, now: Instant) {
        for lease in self.expired(now) {
            self.end(lease);
        }
    }

    /// Ends a lease with its keys, visibly at once.
    pub(super) fn end(&mut self, lease: LeaseId) {
        self.drop_lease(lease);
        if let Some(changes) = self.plan_end_of(lease) {
            self.apply(changes);
        }
    }
}

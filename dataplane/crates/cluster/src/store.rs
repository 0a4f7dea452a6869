//! The contract of a metadata store: small values under keys, one revision for the whole store, transactions that
//! compare, watches that resume, leases that expire.
//!
//! Three homes keep it (etcd, disk, memory), and one conformance suite checks all three. Safety never rests on a clock,
//! a lease or a read: it rests on [`Transaction`]s that compare `mod_revision`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

mod backoff;
pub mod disk;
pub mod etcd;
mod local;
pub mod memory;
mod transaction;

pub(crate) use backoff::Backoff;
pub use transaction::{TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX};

/// While it is in touch, a watch says something at least this often: an empty [`Changes`] if nothing has changed.
/// Silence that lasts much longer means that the store is out of touch.
pub const HEARTBEAT: Duration = Duration::from_secs(2);

/// A store that is shared by all parts of a process.
pub type SharedStore = Arc<dyn MetadataStore>;

/// The state of the whole store after one transaction. Rises with every change; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub i64);

impl Revision {
    /// The revision after this one.
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

/// A lease of this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseId(pub i64);

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Vec<u8>,
    /// The revision that last changed it: what transactions compare.
    pub mod_revision: Revision,
    /// The lease it dies with.
    pub lease: Option<LeaseId>,
}

/// The keys under a prefix at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Ascending by key.
    pub entries: Vec<Entry>,
    /// The revision the listing shows; watch from `revision + 1` to miss nothing.
    pub revision: Revision,
}

/// All or nothing: if every comparison holds, every operation is done in one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// What must hold.
    pub compares: Vec<Compare>,
    /// What is done then. No key twice.
    pub operations: Vec<Operation>,
}

/// A condition on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compare {
    /// The key does not exist.
    Absent(String),
    /// The key was last changed at this revision. Revision 0: it does not exist.
    Unchanged(String, Revision),
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Writes a value, bound to a lease or to none.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Vec<u8>,
        /// What it dies with.
        lease: Option<LeaseId>,
    },
    /// Removes a key; nothing happens if it is not there.
    Delete {
        /// The key.
        key: String,
    },
}

/// How a transaction ended, when that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All comparisons held; the operations are visible from this revision on.
    Committed(Revision),
    /// Some comparison failed; nothing was done.
    Conflict,
}

/// One change seen by a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A key has this value now.
    Put(Entry),
    /// A key is gone, by a delete or with its lease.
    Delete {
        /// The key.
        key: String,
        /// The revision at which it went.
        revision: Revision,
    },
}

impl Change {
    /// The key that changed.
    pub fn key(&self) -> &str {
        match self {
            Change::Put(entry) => &entry.key,
            Change::Delete { key, .. } => key,
        }
    }

    /// The revision at which it changed.
    pub fn revision(&self) -> Revision {
        match self {
            Change::Put(entry) => entry.mod_revision,
            Change::Delete { revision, .. } => *revision,
        }
    }
}

/// The changes of one revision (or several), in order. Changes of one revision are never split. Empty: a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// What changed.
    pub changes: Vec<Change>,
    /// All changes up to this revision have been delivered.
    pub revision: Revision,
}

/// What a store must do.
pub trait MetadataStore: fmt::Debug + Send + Sync + 'static {
    /// One key, read linearizably.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>>;

    /// All keys that begin with `prefix`, at one revision.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Listing, StoreError>>;

    /// Changes of keys that begin with `prefix`, from revision `from` (inclusive) on, in order and without gaps. The
    /// stream goes on across reconnections. It ends after an error; [`StoreError::Compacted`] asks to list again.
    fn watch(&self, prefix: &str, from: Revision) -> BoxStream<'static, Result<Changes, StoreError>>;

    /// Runs a transaction. [`StoreError::Unknown`]: it may or may not have happened, read again and look for your own mark.
    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// A new lease that expires `ttl` after its last keep-alive. The store may grant a longer one and says how long.
    fn grant(&self, ttl: Duration) -> BoxFuture<'_, Result<(LeaseId, Duration), StoreError>>;

    /// Keeps a lease alive once. [`StoreError::LeaseGone`]: it has expired, its keys are deleted.
    fn keep_alive(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Ends a lease now and deletes its keys. Idempotent.
    fn revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, and nothing was done. Try again.
    #[error("the metadata store is unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// A transaction was sent and its answer never came. It may have happened.
    #[error("the outcome of a transaction is unknown: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// The history that a watch asked for is gone. List again and watch from there.
    #[error("revision {from:?} has been compacted; the oldest one that is left is {oldest:?}")]
    Compacted {
        /// Where the watch wanted to begin.
        from: Revision,
        /// The oldest revision that can be watched.
        oldest: Revision,
    },
    /// The lease is not there: it expired or was revoked.
    #[error("lease {0:?} is gone")]
    LeaseGone(LeaseId),
    /// The store refuses the request or breaks its contract; trying again does not help.
    #[error("the metadata store refused the request: {reason}")]
    Refused {
        /// What happened.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without any change. An unknown outcome must be looked at first.
    pub fn retryable(&self) -> bool {
        match self {
            StoreError::Unavailable { .. } => true,
            StoreError::Unknown { .. }
            | StoreError::Compacted { .. }
            | StoreError::LeaseGone(_)
            | StoreError::Refused { .. } => false,
        }
    }
}

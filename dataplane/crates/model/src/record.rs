//! What a log is made of: records, and the batches in which they arrive.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Bucket, IndexName, SharedText, TimeNs};

/// The longest explicit `_id`, in bytes.
pub const ID_BYTES_MAX: usize = 512;

/// Hash of an Idempotency-Key; all zeros: the batch came without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct KeyHash(pub [u8; 16]);

/// Hash of a request's whole decompressed body; all zeros: the batch came without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BodyHash(pub [u8; 16]);

/// What a record does to its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Adds the document, or a newer version of it.
    Put,
    /// Removes the document with this id; the source is empty.
    Tombstone,
}

/// One entry of a shard's log, as validated and stamped by the leader. Followers and replay compute nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// PUT or TOMBSTONE.
    pub kind: RecordKind,
    /// Where it belongs; stored, so that a split can tell the halves apart.
    pub bucket: Bucket,
    /// The index of the document.
    pub index: IndexName,
    /// The explicit `_id`, at most [`ID_BYTES_MAX`] bytes and never empty. `None`: the id is `<shard>.<epoch>.<seq>`.
    pub id: Option<Arc<str>>,
    /// The document's time.
    pub time: TimeNs,
    /// The document: one JSON object as received, without duplicate keys and lone surrogates.
    pub source: SharedText,
}

/// The records of one request that go to one shard: one frame of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The request's Idempotency-Key.
    pub key: KeyHash,
    /// The request's body.
    pub body: BodyHash,
    /// When the leader took it.
    pub received: TimeNs,
    /// At least one.
    pub records: Vec<Record>,
}

/// What an acknowledgement rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Synced to the disk: survives power loss.
    Fsync,
    /// Handed to the operating system: survives the process.
    Os,
}

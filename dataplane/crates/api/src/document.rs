//! `GET /doc/{id}` and `DELETE /doc/{id}`: one document by its id.
//!
//! An id is the document's `_id`, percent-encoded where a path needs it, or `<shard>.<epoch>.<seq>` as a search shows it
//! for documents without one.

use grepzilla_model::{Epoch, SeqNo, ShardId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ingest::TokenPart;

/// Query parameters of both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentParameters {
    /// The index; `main` if absent. An id that is a place is unique in its shard, so there it only counts if it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// How long to wait for the answer of the shard, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// The answer to `GET`: a document that is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DocumentResponse {
    /// `_id`, or `<shard>.<epoch>.<seq>`.
    pub id: String,
    /// Its index.
    pub index: String,
    /// Its shard.
    pub shard: ShardId,
    /// The epoch in which this version was written.
    pub epoch: Epoch,
    /// The position of this version.
    pub seq: SeqNo,
    /// Its time, RFC 3339.
    pub time: String,
    /// The document.
    pub source: Box<RawValue>,
    /// The request's trace id.
    pub trace_id: String,
}

/// The answer to a deletion that is durable and visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteResponse {
    /// Always true: what went wrong is answered as an error.
    pub ok: bool,
    /// Whether there was such a document when the request came. Deleting what is not there is no error.
    pub found: bool,
    /// The shard of the tombstone.
    pub shard: ShardId,
    /// Its leader's epoch.
    pub epoch: Epoch,
    /// The position of the tombstone.
    pub seq: SeqNo,
    /// The same, for a later read that must not see the document.
    pub token: Vec<TokenPart>,
    /// The request's trace id.
    pub trace_id: String,
}

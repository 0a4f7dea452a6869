//! `GET /doc/{id}` and `DELETE /doc/{id}`: one document by its id.
//!
//! An id is the document's `_id`, percent-encoded where a path needs it, or `<shard>.<epoch>.<seq>` as a search shows it
//! for documents without one.

use grepzilla_model::{Epoch, SeqNo, ShardId};
use serde::{Deserialize, Serialize};

use crate::ingest::TokenPart;

/// Query parameters of both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentParameters {
    /// The index; `main` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// How long to wait for the answer of the shard, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// The answer to a deletion that is durable and visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteResponse {
    /// Always true: what went wrong is answered as an error.
    pub ok: bool,
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

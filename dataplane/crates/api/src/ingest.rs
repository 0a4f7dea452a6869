//! `POST /ingest`: query parameters and answer. The body is documents, which only the node looks into.

use grepzilla_model::{Durability, Epoch, SeqNo, ShardId};
use serde::{Deserialize, Serialize};

use crate::error::ErrorBody;

/// The header that names a batch, so that a retry is recognised.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Query parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestParameters {
    /// The index; `main` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// What the answer waits for; the cluster's default (`quorum`) if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Ack>,
    /// All documents or none; one shard only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atomic: Option<bool>,
    /// How long to wait for the acknowledgement, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ack {
    /// Durable on the leader.
    Leader,
    /// Committed.
    #[default]
    Quorum,
    /// Committed and durable on every in-sync replica.
    All,
}

/// The answer for every status that concerns documents: 200, 207 and 400, and the status of the worst shard when a batch
/// went to several and some of it did enter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IngestResponse {
    /// Whether every document was taken.
    pub ok: bool,
    /// How many documents were appended to logs.
    pub appended: u64,
    /// How many of them are searchable now.
    pub hot_added: u64,
    /// Whether this is the answer to an earlier request with the same key.
    pub idempotent: bool,
    /// The log batch's name, `<shard>-<epoch>-<first seq>`; of the first shard if there are several.
    pub segment: Option<String>,
    /// What is wrong with the documents that were refused: up to eight entries for each of them, and the first
    /// [`IngestResponse::ERRORS_MAX`] in all.
    #[serde(default)]
    pub errors: Vec<DocumentError>,
    /// How many documents were refused of which `errors` says nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors_omitted: u64,
    /// What went wrong as a whole, for every status but 200 and 207.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
    /// What happened on each shard.
    #[serde(default)]
    pub shards: Vec<ShardAck>,
    /// Positions, for a later read that must see these documents.
    #[serde(default)]
    pub token: Vec<TokenPart>,
    /// The request's trace id.
    pub trace_id: String,
}

impl IngestResponse {
    /// Entries of `errors`, at most.
    pub const ERRORS_MAX: usize = 1_000;
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A document that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentError {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Its `_id`, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The path of the field that is wrong, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A fixed word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// What one shard acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardAck {
    /// The shard.
    pub shard: ShardId,
    /// Its leader's epoch.
    pub epoch: Epoch,
    /// The last position of the batch.
    pub seq: SeqNo,
    /// What the acknowledgement rests on.
    pub durability: Durability,
    /// Whether it is committed, and so visible.
    pub committed: bool,
}

/// A position in one shard's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenPart {
    /// The shard.
    pub shard: ShardId,
    /// The epoch in which the position was given.
    pub epoch: Epoch,
    /// The position.
    pub seq: SeqNo,
}

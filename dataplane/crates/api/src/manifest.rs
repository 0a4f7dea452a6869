//! `GET /manifest/{shard}?gen=`: which segments a shard has, or had in an earlier generation.

use grepzilla_model::{Epoch, Generation, SegmentEntry, SeqNo, ShardId};
use serde::{Deserialize, Serialize};

/// Query parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestParameters {
    /// The generation; the newest if absent.
    #[serde(default, rename = "gen", skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestResponse {
    /// The shard.
    pub shard: ShardId,
    /// The generation; 0 of a shard that has published nothing yet.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// The epoch in which it was published.
    pub epoch: Epoch,
    /// The last position that retention has dropped.
    pub base: SeqNo,
    /// The last position that a segment covers: what lies behind is in the log.
    pub flushed: SeqNo,
    /// Ascending by position.
    pub segments: Vec<SegmentEntry>,
    /// Why the shard's leader could not publish a newer one the last time it tried, where the leader answers. Nothing is
    /// lost by that: what is not published stays in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_error: Option<String>,
}

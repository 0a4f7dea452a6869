//! `GET /cluster`, `/readyz` and `/healthz`.

use std::collections::BTreeMap;

use grepzilla_model::{ClusterUuid, Epoch, NodeName, SeqNo, ShardId};
use serde::{Deserialize, Serialize};

/// The answer of `/healthz` (always `ok: true`) and `/readyz`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether traffic is welcome.
    pub ok: bool,
    /// If not, what it waits for: sentences.
    pub reasons: Vec<String>,
    /// What is not as it should be and does not keep the node from serving, such as a shard that cannot be written: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The answer of `/cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Whose it is.
    pub cluster: ClusterUuid,
    /// Who answers.
    pub node: NodeName,
    /// Whether the metadata store is in touch; if not, everything below is the last that was heard.
    pub metadata_connected: bool,
    /// The ring's version.
    pub ring_version: u64,
    /// The nodes that are registered.
    pub nodes: BTreeMap<NodeName, NodeStatus>,
    /// The shards of the ring.
    pub shards: Vec<ShardStatus>,
}

/// A registered node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Address of its HTTP API.
    pub api: String,
    /// Address of its peer port.
    pub peer: String,
    /// Its version.
    pub version: String,
}

/// A shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStatus {
    /// The shard.
    pub shard: ShardId,
    /// Its leader, if it has one that is registered.
    pub leader: Option<NodeName>,
    /// Its epoch.
    pub epoch: Epoch,
    /// The nodes that should hold it.
    pub targets: Vec<NodeName>,
    /// The nodes in its in-sync set.
    pub in_sync: Vec<NodeName>,
    /// The last committed position, where the answering node holds the shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<SeqNo>,
    /// What the answering node holds of it, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldShard>,
    /// Why it does not serve, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocker: Option<String>,
}

/// What a node holds of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldShard {
    /// The last position that a published segment covers; the log has what follows.
    pub flushed: SeqNo,
    /// Its published segments.
    pub segments: u64,
    /// The bytes of their files.
    pub segment_bytes: u64,
    /// The documents in them, superseded ones included.
    pub segment_documents: u64,
    /// The documents in the hot tier.
    pub hot_documents: u64,
}

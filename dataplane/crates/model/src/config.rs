//! What a shard *is*, as opposed to what the ring wants it to be.

use serde::{Deserialize, Serialize};

use crate::{Epoch, Incarnation, NodeName};

/// A shard's configuration: changed only by compare-and-swap, by its leader or a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardConfig {
    /// The current term. Rises with every election, never falls.
    pub epoch: Epoch,
    /// Who leads in this epoch.
    pub leader: NodeName,
    /// All replicas, by (node, incarnation).
    pub replicas: Vec<ShardReplica>,
    /// The in-sync set: nodes of `replicas` that are members and hold all that is committed.
    pub in_sync: Vec<NodeName>,
    /// The in-sync set never falls below this.
    pub min_isr: u32,
    /// Whether the leader may acknowledge.
    pub state: ShardState,
    /// Set when a log had to be elected that may lack acknowledged records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lossy: Option<Lossy>,
}

/// A node's copy of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardReplica {
    /// The node that holds it.
    pub node: NodeName,
    /// Which life of that node's folder.
    pub incarnation: Incarnation,
    /// Whether it counts.
    pub role: ReplicaRole,
}

/// A replica's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaRole {
    /// Catches up; counts for nothing yet.
    Learner,
    /// May be in the in-sync set.
    Member,
}

/// Where a shard is in the life of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShardState {
    /// A candidate has the epoch and brings the log in order; nothing is acknowledged.
    Recovering,
    /// The leader serves.
    Active,
}

/// The mark of a possible loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lossy {
    /// The epoch that began with it.
    pub epoch: Epoch,
    /// Records from here on may be missing.
    pub from_seq: crate::SeqNo,
}

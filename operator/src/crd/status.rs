//! What the operator answers: numbers, conditions and blockers. All of it follows from facts that were read just now;
//! nothing that changes by itself stands here. What is not known is absent or `Unknown`, never the last good word.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of a cluster.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GrepzillaClusterStatus {
    /// The generation of the spec that this status speaks of.
    pub observed_generation: i64,
    /// The cluster's identity, kept in etcd and in each volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_uuid: Option<String>,
    /// The label selector of the pods, for the scale subresource.
    pub selector: String,
    /// Nodes in numbers.
    pub nodes: NodeNumbers,
    /// Shards in numbers.
    pub shards: ShardNumbers,
    /// The version of the ring; absent before there is one, or when it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_version: Option<u64>,
    /// Available, Progressing, Degraded and Reconciled.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Everything that waits: for what, since when, and what a person can do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
}

/// Nodes in numbers.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeNumbers {
    /// As many as the spec asks for.
    pub desired: u32,
    /// Pods that exist.
    pub current: u32,
    /// Pods that are ready.
    pub ready: u32,
}

/// Shards in numbers.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShardNumbers {
    /// As many as the spec asks for.
    pub desired: u32,
    /// Shards with a leader that serves; absent when that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub led: Option<u32>,
    /// Shards without one; absent when that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaderless: Option<u32>,
    /// Shards among those without a leader of which something is damaged: what is left of them is only read, if it can be;
    /// absent when not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<u32>,
}

/// Something that waits.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocker {
    /// What it waits for.
    pub gate: Gate,
    /// The object that is concerned, as kind/name.
    pub object: String,
    /// Since when it waits.
    pub since: Time,
    /// What is the case.
    pub message: String,
    /// What a person can do.
    pub action: String,
}

/// What can be waited for. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Gate {
    /// etcd does not answer.
    MetadataUnreachable,
    /// etcd has lost the cluster that the volumes belong to.
    IdentityLost,
    /// etcd and the volumes belong to different clusters.
    IdentityMismatch,
    /// The spec cannot be carried out as it is.
    InvalidSpec,
    /// The ring has another number of shards than the spec.
    ShardsDiffer,
    /// A node that should go holds shards.
    NodeHoldsShards,
    /// A shard is without a leader although its node runs.
    ShardLeaderless,
    /// A node runs without the copy of a shard that it is listed with: its volume was lost or replaced.
    ReplicaLost,
    /// Something of a shard is damaged: what is left of it is only read, if it can be.
    ShardDamaged,
    /// A pod has no Kubernetes node to run on.
    PodNotScheduled,
    /// An object of this name belongs to somebody else.
    NameTaken,
    /// The cluster secret is not what the nodes can use.
    SecretInvalid,
    /// A pod with the new version does not become ready, so the others keep the old one.
    RolloutHalted,
    /// A volume cannot be made as large as the spec asks for.
    VolumeNotExpandable,
    /// Kubernetes refuses what the operator applies.
    ApplyRefused,
}

/// The conditions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionType {
    /// All documents can be searched and new ones are taken.
    Available,
    /// Something is being changed.
    Progressing,
    /// Something that should work does not.
    Degraded,
    /// The whole spec has been carried out.
    Reconciled,
}

/// True, false, or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Nobody can tell now.
    Unknown,
}

macro_rules! reasons {
    ($($reason:ident: $condition:ident is $truth:ident, $message:literal;)*) => {
        /// Why a condition is what it is: each reason belongs to one condition and one truth.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $(#[doc = $message] $reason,)*
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Reason] = &[$(Reason::$reason,)*];

            /// The word that stands in the status, the condition it belongs to, its truth, and the sentence for people.
            pub fn entry(self) -> (&'static str, ConditionType, Truth, &'static str) {
                match self {
                    $(Reason::$reason => (stringify!($reason), ConditionType::$condition, Truth::$truth, $message),)*
                }
            }
        }
    };
}

reasons! {
    AllShardsLed: Available is True, "every shard has a leader that serves";
    Forming: Available is False, "the cluster is being formed";
    ShardsLeaderless: Available is False, "shards are without a leader that serves";
    NoNodeReady: Available is False, "no node is ready, so the Service leads nowhere";
    ShardsUnknown: Available is Unknown, "etcd is out of touch, so who leads is not known";
    NotLookedAt: Available is Unknown, "the spec is invalid, so the cluster was not looked at";
    Settled: Progressing is False, "nothing is being changed";
    WaitsForBlockers: Progressing is False, "what is to be changed waits for the blockers";
    LeftAlone: Progressing is False, "the cluster is paused";
    NodesStarting: Progressing is True, "nodes are starting";
    NodesLeaving: Progressing is True, "nodes are leaving";
    Applying: Progressing is True, "what was written is taking effect";
    RingChanging: Progressing is True, "the ring is being written";
    RollingOut: Progressing is True, "pods are being replaced one at a time";
    VolumesGrowing: Progressing is True, "volumes are growing";
    AsExpected: Degraded is False, "all that should work works";
    NotYetFormed: Degraded is False, "the cluster is being formed";
    NodesNotReady: Degraded is True, "nodes are not ready";
    ShardsWithoutLeader: Degraded is True, "shards are without a leader that serves";
    HealthUnknown: Degraded is Unknown, "etcd is out of touch, so who leads is not known";
    HealthNotLookedAt: Degraded is Unknown, "the spec is invalid, so the cluster was not looked at";
    AllApplied: Reconciled is True, "the spec has been carried out";
    InProgress: Reconciled is False, "the spec is being carried out";
    Blocked: Reconciled is False, "something waits, see the blockers";
    Paused: Reconciled is False, "the cluster is paused, so the spec is not carried out";
}

impl Truth {
    /// Kubernetes' word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        }
    }
}

impl ConditionType {
    /// The word that stands in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionType::Available => "Available",
            ConditionType::Progressing => "Progressing",
            ConditionType::Degraded => "Degraded",
            ConditionType::Reconciled => "Reconciled",
        }
    }
}

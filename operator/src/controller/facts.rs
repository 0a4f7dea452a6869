//! What is the case: everything that planning and the status rest on, distilled by `observe` from objects read just now.

use std::collections::{BTreeMap, BTreeSet};

use grepzilla_model::{ClusterUuid, NodeName, Ring, ShardId};
use jiff::Timestamp;

use super::build::ChildKind;

/// The facts about one cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The StatefulSet, if it is there.
    pub stateful_set: Option<StatefulSetFacts>,
    /// The pods, by ordinal.
    pub pods: BTreeMap<u32, PodFacts>,
    /// The volume claims, by ordinal. They outlive pods and cluster.
    pub claims: BTreeMap<u32, ClaimFacts>,
    /// The cluster secret.
    pub secret: SecretFacts,
    /// Names that a child needs and that belong to somebody else: the child, its name, and who has it.
    pub taken: Vec<(ChildKind, String, String)>,
    /// The identity that the resource's status recorded.
    pub recorded_uuid: Option<ClusterUuid>,
    /// What etcd says.
    pub metadata: MetadataFacts,
}

/// A StatefulSet.
#[derive(Debug, Clone, PartialEq)]
pub struct StatefulSetFacts {
    /// Its UID, for preconditions.
    pub uid: String,
    /// Its resource version, for preconditions.
    pub resource_version: String,
    /// How many pods it shall make.
    pub replicas: u32,
    /// The size of volumes in its template. It never changes in place.
    pub claim_size: String,
    /// Whether it is on its way out, and must be gone before it can be made again.
    pub deleting: bool,
    /// Whether its controller has seen its newest generation; without that no pod can be called outdated.
    pub observed: bool,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodFacts {
    /// Its UID, for preconditions.
    pub uid: String,
    /// Its resource version, for preconditions.
    pub resource_version: String,
    /// Whether it takes requests.
    pub ready: bool,
    /// Since when it is ready or not.
    pub ready_since: Option<Timestamp>,
    /// Whether it is on its way out.
    pub deleting: bool,
    /// Whether it was made from an older template.
    pub outdated: bool,
    /// Where it runs.
    pub placement: Placement,
}

/// Where a pod runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Placement {
    /// Not decided yet.
    #[default]
    Pending,
    /// There is no place for it, says the scheduler.
    Unschedulable {
        /// The scheduler's words.
        reason: String,
        /// Since when.
        since: Option<Timestamp>,
    },
    /// In a zone; empty if the Kubernetes node names none.
    Zone(String),
}

/// A volume claim.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClaimFacts {
    /// Whose data are on it, if it says so.
    pub cluster_uuid: Option<ClusterUuid>,
    /// How large it shall be, in bytes.
    pub requested_bytes: u64,
    /// Whether it is as large as it shall be.
    pub grown: bool,
    /// Whether its storage class lets it grow.
    pub expandable: bool,
}

/// The cluster secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecretFacts {
    /// Not there.
    #[default]
    Absent,
    /// There, with the right length.
    Usable,
    /// There, but not what a node can use.
    Unusable,
}

/// What etcd says.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataFacts {
    /// Nothing: it does not answer.
    OutOfTouch {
        /// Why.
        reason: String,
    },
    /// This, and it is the newest there is.
    InTouch(ClusterFacts),
}

/// The cluster as etcd has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClusterFacts {
    /// Its identity.
    pub uuid: Option<ClusterUuid>,
    /// The ring.
    pub ring: Option<Ring>,
    /// The nodes whose lease lives.
    pub registered: BTreeSet<NodeName>,
    /// The shards that have a configuration.
    pub shards: BTreeMap<ShardId, ShardFacts>,
    /// The shards of which a node says that something is damaged: that node, and its sentence.
    pub damaged: BTreeMap<ShardId, (NodeName, String)>,
}

/// A shard as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShardFacts {
    /// Whether it has a leader that is registered, alive and serves.
    pub led: bool,
    /// The nodes that hold a copy.
    pub holders: BTreeSet<NodeName>,
    /// The nodes among them that have a new folder in place of that copy.
    pub lost: BTreeSet<NodeName>,
}

impl Default for MetadataFacts {
    fn default() -> MetadataFacts {
        MetadataFacts::OutOfTouch { reason: "it has not been asked".into() }
    }
}

impl Facts {
    /// What etcd says, if it says anything.
    pub fn cluster(&self) -> Option<&ClusterFacts> {
        match &self.metadata {
            MetadataFacts::InTouch(cluster) => Some(cluster),
            MetadataFacts::OutOfTouch { .. } => None,
        }
    }

    /// Whether there are more nodes than `nodes`, so that some may be taken away.
    pub fn may_shrink(&self, nodes: u32) -> bool {
        let present = self.stateful_set.as_ref().map_or(0, |set| set.replicas);
        present > nodes || self.ring().is_some_and(|ring| ring.nodes.keys().any(|index| index.0 >= nodes))
    }

    /// The ring, if there is one and it is known.
    pub fn ring(&self) -> Option<&Ring> {
        self.cluster().and_then(|cluster| cluster.ring.as_ref())
    }

    /// The identity that the volumes or the status speak of.
    pub fn known_uuid(&self) -> Option<ClusterUuid> {
        self.recorded_uuid.or_else(|| self.claims.values().find_map(|claim| claim.cluster_uuid))
    }

    /// Pods that take requests.
    pub fn ready_pods(&self) -> u32 {
        let ready = self.pods.values().filter(|pod| pod.ready && !pod.deleting).count();
        u32::try_from(ready).expect("there are at most 1,000 pods")
    }

    /// Shards that cannot be written because something of them is damaged. `None`: nobody can tell.
    pub fn damaged_shards(&self) -> Option<u32> {
        let damaged = self.cluster()?.damaged.len();
        Some(u32::try_from(damaged).expect("shard ids are u32"))
    }

    /// Shards with a leader that serves, of those in the ring. `None`: nobody can tell.
    pub fn led_shards(&self) -> Option<u32> {
        let cluster = self.cluster()?;
        let ring = cluster.ring.as_ref()?;
        let led = ring.shards().filter(|shard| cluster.shards.get(shard).is_some_and(|facts| facts.led)).count();
        Some(u32::try_from(led).expect("shard ids are u32"))
    }
}

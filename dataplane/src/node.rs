//! The node as its parts see it: who it is, what it knows of the cluster, and which shards it leads.
//!
//! Reading only. The life of the node (`serve`, `membership`, `shards`) writes what is read here; ingest, search, peers
//! and the server ask it and change nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use grepzilla_api::config::NodeConfig;
use grepzilla_api::status::{ClusterStatus, HeldShard, NodeStatus, Readiness, ShardStatus};
use grepzilla_cluster::keyspace::Keys;
use grepzilla_cluster::registry::RegistrationState;
use grepzilla_cluster::store::{MetadataStore, SharedStore};
use grepzilla_cluster::topology::Topology;
use grepzilla_model::{ClusterUuid, Epoch, Incarnation, NodeName, ShardId};
use grepzilla_storage::{BlockCache, Shard};
use tokio::sync::watch;

use crate::membership::LastAddresses;
use crate::metrics::maintenance::MaintenanceMetrics;
use crate::metrics::store::StoreErrors;
pub use crate::node::secret::{ClusterSecret, SecretError};
pub use crate::shards::table::LeaderShard;
use crate::shards::table::{LocalShard, ShardTable};
use crate::shutdown::ShutdownSignals;

mod secret;

/// One running node. All that it is made of is decided before the first request is taken.
#[derive(Debug)]
pub struct Node {
    /// Its configuration: file, environment and flags in one.
    pub config: NodeConfig,
    /// Its name in the ring.
    pub name: NodeName,
    /// The cluster that its disk belongs to.
    pub cluster: ClusterUuid,
    /// This process: drawn at random at its start, so that two processes of one name are told apart.
    pub incarnation: Incarnation,
    /// What guards the peer port; only in a cluster.
    pub secret: Option<ClusterSecret>,
    pub(crate) store_errors: StoreErrors,
    pub(crate) maintenance: MaintenanceMetrics,
    pub(crate) cache: Arc<BlockCache>,
    pub(crate) store: SharedStore,
    pub(crate) keys: Keys,
    pub(crate) topology: watch::Receiver<Arc<Topology>>,
    pub(crate) last_addresses: Arc<LastAddresses>,
    pub(crate) registration: watch::Receiver<RegistrationState>,
    pub(crate) shards: Arc<ShardTable>,
    pub(crate) signals: ShutdownSignals,
}

/// Who leads a shard, and so where its requests go.
#[derive(Debug, Clone)]
pub enum Leader {
    /// This node, in this epoch.
    Here(Arc<LeaderShard>),
    /// This node was the last leader and holds the log, but could not claim the shard again because the metadata store is
    /// away: searches are answered, writes get 503 with the reason.
    ReadOnlyHere {
        /// The log.
        shard: Arc<LeaderShard>,
        /// A sentence.
        reason: String,
    },
    /// Another node.
    At {
        /// Its name.
        node: NodeName,
        /// Its peer port, `host:port`.
        peer: String,
    },
    /// No node that is known to live.
    Nobody {
        /// A sentence.
        reason: String,
    },
}

impl Node {
    /// Where the cluster's metadata are.
    pub(crate) fn metadata(&self) -> (&dyn MetadataStore, &Keys) {
        (self.store.as_ref(), &self.keys)
    }

    /// What is known of the cluster at this moment; there is always a ring. Cheap; it does not change under the caller.
    pub fn topology(&self) -> Arc<Topology> {
        self.topology.borrow().clone()
    }

    /// Who leads a shard, as far as this node knows.
    pub fn leader_of(&self, shard: ShardId) -> Leader {
        let topology = self.topology();
        match locate(&topology, &self.name, shard, self.shards.get(shard)) {
            Leader::Nobody { reason } => self.last_reached(&topology, shard).unwrap_or(Leader::Nobody { reason }),
            found => found,
        }
    }

    /// The shards that this node leads at this moment.
    pub fn led_here(&self) -> Vec<Arc<LeaderShard>> {
        let leading = |local| match local {
            LocalShard::Leading(shard) => Some(shard),
            LocalShard::Opening { .. } | LocalShard::ReadOnly { .. } | LocalShard::Blocked { .. } => None,
        };
        self.shards.all().into_iter().filter_map(|(_, local)| leading(local)).collect()
    }

    /// The shards whose logs this node holds, whether or not it leads them.
    pub(crate) fn opened_here(&self) -> Vec<Arc<LeaderShard>> {
        self.shards.all().iter().filter_map(|(_, local)| local.open().cloned()).collect()
    }

    /// A shard whose log this node holds, whether or not it leads it.
    pub(crate) fn held_here(&self, shard: ShardId) -> Option<Arc<LeaderShard>> {
        self.shards.get(shard).as_ref().and_then(LocalShard::open).cloned()
    }

    /// Whether this node can serve as a root. A shard that is being opened for the first time is waited for, so that a
    /// node that says it is ready has looked at its disk; a shard that cannot be opened is not.
    pub fn readiness(&self) -> Readiness {
        let mut reasons = Vec::new();
        if self.draining() {
            reasons.push("the node is shutting down".to_owned());
        }
        if let Some(sentence) = self.shards.unsettled() {
            reasons.push(sentence);
        }
        if let RegistrationState::NameTaken { .. } = *self.registration.borrow() {
            reasons.push(format!("another, younger process is registered as node {}", self.name));
        }
        Readiness { ok: reasons.is_empty(), reasons, notes: self.shards.troubles() }
    }

    /// The answer of `/cluster`.
    pub fn status(&self) -> ClusterStatus {
        let topology = self.topology();
        let shards = topology.ring.shards().map(|shard| self.shard_status(&topology, shard)).collect();
        let nodes = topology.nodes.iter().map(|(name, record)| {
            let status =
                NodeStatus { api: record.api.clone(), peer: record.peer.clone(), version: record.version.clone() };
            (name.clone(), status)
        });
        ClusterStatus {
            cluster: self.cluster,
            node: self.name.clone(),
            metadata_connected: topology.connected,
            ring_version: topology.ring.version,
            nodes: nodes.collect::<BTreeMap<_, _>>(),
            shards,
        }
    }

    /// Whether the node is on its way out.
    pub fn draining(&self) -> bool {
        self.signals.is_draining()
    }

    /// Another node that leads a shard by its configuration, but is not registered: it may live all the same.
    fn last_reached(&self, topology: &Topology, shard: ShardId) -> Option<Leader> {
        let node = topology.configs.get(&shard).map(|config| &config.leader).filter(|leader| **leader != self.name)?;
        let peer = self.last_addresses.of(node, topology, SystemTime::now())?;
        Some(Leader::At { node: node.clone(), peer })
    }

    fn shard_status(&self, topology: &Topology, shard: ShardId) -> ShardStatus {
        let local = self.shards.get(shard);
        let config = topology.configs.get(&shard);
        let open = local.as_ref().and_then(LocalShard::open).cloned();
        let leader = locate(topology, &self.name, shard, local);
        let (leader, blocker) = match leader {
            Leader::Here(_) => (Some(self.name.clone()), None),
            Leader::At { node, .. } => (Some(node), None),
            Leader::ReadOnlyHere { reason, .. } | Leader::Nobody { reason } => (None, Some(reason)),
        };
        ShardStatus {
            shard,
            leader,
            epoch: config.map_or(Epoch(0), |config| config.epoch),
            targets: topology.ring.target_names(shard).cloned().collect(),
            in_sync: config.map_or_else(Vec::new, |config| config.in_sync.clone()),
            committed: open.as_ref().map(|open| open.log.positions().committed),
            held: open.as_ref().map(|open| held(&open.log)),
            blocker,
        }
    }
}

fn held(log: &Shard) -> HeldShard {
    let manifest = log.manifest();
    HeldShard {
        flushed: manifest.flushed,
        segments: manifest.segments.len() as u64,
        segment_bytes: manifest.segments.iter().map(|segment| segment.bytes).sum(),
        segment_documents: manifest.segments.iter().map(|segment| segment.documents).sum(),
        hot_documents: log.stats().hot.documents,
    }
}

/// Who leads a shard: what this node does itself first, then what the shard's configuration and the registry say.
fn locate(topology: &Topology, me: &NodeName, shard: ShardId, local: Option<LocalShard>) -> Leader {
    let reason = match local {
        Some(LocalShard::Leading(shard)) => return Leader::Here(shard),
        Some(LocalShard::ReadOnly { shard, reason }) => return Leader::ReadOnlyHere { shard, reason },
        Some(LocalShard::Opening { progress: reason } | LocalShard::Blocked { reason }) => Some(reason),
        None => None,
    };
    let Some(config) = topology.configs.get(&shard) else {
        return Leader::Nobody { reason: reason.unwrap_or_else(|| unclaimed(topology, shard)) };
    };
    if config.leader == *me {
        let waiting = || format!("shard {shard} is led by this node, which has not opened it yet");
        return Leader::Nobody { reason: reason.unwrap_or_else(waiting) };
    }
    match topology.nodes.get(&config.leader) {
        Some(record) => Leader::At { node: config.leader.clone(), peer: record.peer.clone() },
        None => {
            Leader::Nobody { reason: format!("node {}, which leads shard {shard}, is not registered", config.leader) }
        }
    }
}

fn unclaimed(topology: &Topology, shard: ShardId) -> String {
    if topology.ring.targets.contains_key(&shard) {
        format!("no node has claimed shard {shard} yet")
    } else {
        format!("the cluster has no shard {shard}")
    }
}

#[cfg(test)]
mod tests {
    use grepzilla_cluster::keyspace::{NodeRecord, NodeState};
    use grepzilla_model::{NodeIndex, Ring, RingNode, RingNodeState, ShardConfig, ShardState};

    use super::*;

    const SHARD: ShardId = ShardId(0);

    /// A cluster of one shard on `n-1`.
    fn topology(leader: Option<&str>, registered: &[&str]) -> Topology {
        let node = RingNode { name: "n-1".into(), zone: String::new(), state: RingNodeState::Active };
        let ring = Ring {
            version: 1,
            feature_level: 1,
            replication_factor: 1,
            nodes: BTreeMap::from([(NodeIndex(1), node)]),
            ranges: Ring::even_ranges(1),
            targets: BTreeMap::from([(SHARD, vec![NodeIndex(1)])]),
        };
        let config = |leader: &str| ShardConfig {
            epoch: Epoch(3),
            leader: leader.into(),
            replicas: Vec::new(),
            in_sync: vec![leader.into()],
            min_isr: 1,
            state: ShardState::Active,
            lossy: None,
        };
        let record = |name: &&str| NodeRecord {
            name: (*name).into(),
            api: format!("{name}:7300"),
            peer: format!("{name}:7301"),
            version: "1".to_owned(),
            formats: 1,
            incarnations: BTreeMap::new(),
            troubles: BTreeMap::new(),
            state: NodeState::Serving,
        };
        Topology {
            ring: Arc::new(ring),
            configs: leader.map(|leader| (SHARD, config(leader))).into_iter().collect(),
            nodes: registered.iter().map(|name| ((*name).into(), record(name))).collect(),
            ..Topology::unknown()
        }
    }

    fn nobody(leader: Leader) -> String {
        match leader {
            Leader::Nobody { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_leader_elsewhere_is_found_through_its_configuration_and_its_registration() {
        let found = locate(&topology(Some("n-1"), &["n-1", "n-2"]), &"n-2".into(), SHARD, None);
        assert!(
            matches!(&found, Leader::At { node, peer } if *node == "n-1".into() && peer == "n-1:7301"),
            "{found:?}"
        );
        let reason = nobody(locate(&topology(Some("n-1"), &["n-2"]), &"n-2".into(), SHARD, None));
        assert!(reason.contains("n-1") && reason.contains("not registered"), "{reason}");
    }

    #[test]
    fn a_shard_that_was_given_up_here_is_looked_for_elsewhere_first() {
        let blocked = || Some(LocalShard::Blocked { reason: "the disk is gone".to_owned() });
        let found = locate(&topology(Some("n-1"), &["n-1"]), &"n-2".into(), SHARD, blocked());
        assert!(matches!(found, Leader::At { .. }), "{found:?}");
        for leader in [None, Some("n-2")] {
            let reason = nobody(locate(&topology(leader, &["n-2"]), &"n-2".into(), SHARD, blocked()));
            assert_eq!(reason, "the disk is gone");
        }
    }

    #[test]
    fn a_shard_that_nobody_leads_says_why() {
        let me = NodeName::from("n-2");
        let reason = nobody(locate(&topology(None, &["n-2"]), &me, SHARD, None));
        assert!(reason.contains("no node has claimed"), "{reason}");
        let reason = nobody(locate(&topology(None, &["n-2"]), &me, ShardId(7), None));
        assert!(reason.contains("no shard 7"), "{reason}");
        let reason = nobody(locate(&topology(Some("n-2"), &["n-2"]), &me, SHARD, None));
        assert!(reason.contains("led by this node"), "{reason}");
    }
}

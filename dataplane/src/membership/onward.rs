//! The rule by which knowledge moves: ring versions and epochs rise and never fall, whatever happens to the store.

use std::collections::BTreeMap;

use grepzilla_cluster::topology::Topology;
use grepzilla_model::{ClusterUuid, ShardConfig, ShardId};

/// What was known, brought up to date by what the store says now. A ring or a configuration that the store has lost, or
/// has in an older form, stays as it was: neither is ever deleted or moved back on purpose.
pub(super) fn onward(ours: ClusterUuid, known: &Topology, heard: &Topology) -> Result<Topology, OtherCluster> {
    if !heard.is_known() {
        let (connected, since, trouble) = (heard.connected, heard.since, heard.trouble.clone());
        return Ok(Topology { connected, since, trouble, ..known.clone() });
    }
    if let Some(theirs) = heard.cluster.filter(|theirs| *theirs != ours) {
        return Err(OtherCluster { ours, theirs });
    }
    let mut next = Topology { cluster: Some(ours), configs: newer(&known.configs, &heard.configs), ..heard.clone() };
    if heard.ring.version < known.ring.version {
        next.ring = known.ring.clone();
        next.ring_revision = known.ring_revision;
    }
    Ok(next)
}

fn newer(
    known: &BTreeMap<ShardId, ShardConfig>,
    heard: &BTreeMap<ShardId, ShardConfig>,
) -> BTreeMap<ShardId, ShardConfig> {
    let mut configs = known.clone();
    for (&shard, config) in heard {
        if known.get(&shard).is_none_or(|known| known.epoch <= config.epoch) {
            configs.insert(shard, config.clone());
        }
    }
    configs
}

/// The metadata store speaks for another cluster than the one that the data folder belongs to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the metadata store is of cluster {theirs}, but this node's data are of cluster {ours}")]
pub(crate) struct OtherCluster {
    /// Whose data the node has.
    pub(crate) ours: ClusterUuid,
    /// Whose store it is.
    pub(crate) theirs: ClusterUuid,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use grepzilla_cluster::store::Revision;
    use grepzilla_model::{Epoch, NodeIndex, Ring, RingNode, RingNodeState, ShardState};
    use uuid::Uuid;

    use super::*;

    const OURS: ClusterUuid = ClusterUuid(Uuid::from_u128(1));
    const SHARD: ShardId = ShardId(0);

    fn topology(version: u64, epoch: u64) -> Topology {
        let node = RingNode { name: "n-0".into(), zone: String::new(), state: RingNodeState::Active };
        let ring = Ring {
            version,
            feature_level: 1,
            replication_factor: 1,
            nodes: BTreeMap::from([(NodeIndex(0), node)]),
            ranges: Ring::even_ranges(1),
            targets: BTreeMap::from([(SHARD, vec![NodeIndex(0)])]),
        };
        let config = ShardConfig {
            epoch: Epoch(epoch),
            leader: "n-0".into(),
            replicas: Vec::new(),
            in_sync: Vec::new(),
            min_isr: 1,
            state: ShardState::Active,
            lossy: None,
        };
        Topology {
            revision: Revision(9),
            cluster: Some(OURS),
            ring: Arc::new(ring),
            configs: BTreeMap::from([(SHARD, config)]),
            connected: true,
            ..Topology::unknown()
        }
    }

    fn figures(topology: &Topology) -> (u64, Epoch) {
        (topology.ring.version, topology.configs[&SHARD].epoch)
    }

    #[test]
    fn ring_versions_and_epochs_rise_and_never_fall() {
        let known = topology(3, 5);
        assert_eq!(figures(&onward(OURS, &known, &topology(4, 6)).expect("ours")), (4, Epoch(6)));
        assert_eq!(figures(&onward(OURS, &known, &topology(2, 4)).expect("ours")), (3, Epoch(5)));
    }

    #[test]
    fn what_the_store_has_lost_stays_known() {
        let emptied = Topology { revision: Revision(9), connected: true, ..Topology::unknown() };
        let next = onward(OURS, &topology(3, 5), &emptied).expect("nobody's");
        assert_eq!((figures(&next), next.cluster, next.connected), ((3, Epoch(5)), Some(OURS), true));
    }

    #[test]
    fn a_store_that_was_never_read_changes_nothing_but_the_contact() {
        let unknown = Topology { trouble: Some("nobody answers".to_owned()), ..Topology::unknown() };
        let known = topology(3, 5);
        let next = onward(OURS, &known, &unknown).expect("nobody's");
        assert_eq!((figures(&next), next.connected), ((3, Epoch(5)), false));
        assert_eq!(next.trouble.as_deref(), Some("nobody answers"));
    }

    #[test]
    fn the_word_of_another_cluster_is_refused_with_both_named() {
        let theirs = ClusterUuid(Uuid::from_u128(2));
        let other = Topology { cluster: Some(theirs), ..topology(4, 6) };
        let error = onward(OURS, &topology(3, 5), &other).expect_err("another cluster's");
        assert_eq!(error, OtherCluster { ours: OURS, theirs });
        assert!(error.to_string().contains(&OURS.to_string()) && error.to_string().contains(&theirs.to_string()));
    }
}

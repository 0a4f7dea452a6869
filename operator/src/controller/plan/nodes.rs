//! How many pods there are. Adding is always safe. A node is taken away only when etcd shows, now, that neither the ring
//! nor a shard's configuration names it; otherwise nothing at all is taken away.

use std::collections::BTreeMap;

use grepzilla_api::contract::node_name;
use grepzilla_model::{NodeIndex, NodeName, Ring};

use super::Wait;
use crate::controller::facts::{ClusterFacts, Facts};
use crate::controller::validate::Cluster;
use crate::crd::status::Gate;

/// How many pods there shall be now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeCount {
    /// The number.
    pub replicas: u32,
    /// Whether nodes beyond the spec leave the ring now. Their pods follow once the ring no longer names them.
    pub leaving: bool,
}

/// Decides.
pub fn count(cluster: &Cluster, facts: &Facts, waits: &mut Vec<Wait>) -> NodeCount {
    let present = facts.stateful_set.as_ref().map_or(0, |set| set.replicas);
    let stay = |replicas| NodeCount { replicas, leaving: false };
    let Some(metadata) = facts.cluster() else { return stay(cluster.nodes.max(present)) };
    let ring_end = metadata.ring.as_ref().map_or(0, ring_end);

    let holders = holders(cluster, metadata, present.max(ring_end));
    if let Some(&last) = holders.keys().next_back() {
        let needed = present.max(ring_end).max(last + 1).max(cluster.nodes);
        waits.push(held(cluster, &holders));
        return stay(needed);
    }
    if ring_end > cluster.nodes {
        return NodeCount { replicas: present.max(cluster.nodes), leaving: true };
    }
    stay(cluster.nodes)
}

/// The ordinal after the last node of the ring.
fn ring_end(ring: &Ring) -> u32 {
    ring.nodes.keys().next_back().map_or(0, |NodeIndex(last)| last + 1)
}

/// The nodes beyond the spec that hold shards, with the number of shards.
fn holders(cluster: &Cluster, metadata: &ClusterFacts, end: u32) -> BTreeMap<u32, usize> {
    (cluster.nodes..end)
        .map(|ordinal| (ordinal, shards_on(metadata, ordinal, &NodeName::from(&*node_name(&cluster.name, ordinal)))))
        .filter(|(_, shards)| *shards > 0)
        .collect()
}

/// Shards that name a node in the ring or in their configuration.
fn shards_on(metadata: &ClusterFacts, ordinal: u32, name: &NodeName) -> usize {
    let targets = metadata.ring.iter().flat_map(|ring| &ring.targets);
    let intended = targets.filter(|(_, nodes)| nodes.contains(&NodeIndex(ordinal))).map(|(shard, _)| *shard);
    let held = metadata.shards.iter().filter(|(_, facts)| facts.holders.contains(name)).map(|(shard, _)| *shard);
    intended.chain(held).collect::<std::collections::BTreeSet<_>>().len()
}

fn held(cluster: &Cluster, holders: &BTreeMap<u32, usize>) -> Wait {
    let list: Vec<String> = holders
        .iter()
        .map(|(ordinal, shards)| format!("{} holds {shards} shards", node_name(&cluster.name, *ordinal)))
        .collect();
    let (first, last) = (holders.keys().next().copied(), holders.keys().next_back().copied());
    let enough = last.map_or(cluster.nodes, |last| last + 1);
    Wait {
        gate: Gate::NodeHoldsShards,
        object: format!("Pod/{}", node_name(&cluster.name, first.unwrap_or_default())),
        since: None,
        message: format!(
            "spec.nodes is {}, but {}; shards cannot be moved yet, so no node is taken away",
            cluster.nodes,
            list.join(" and ")
        ),
        action: format!("set spec.nodes to {enough} or more"),
    }
}

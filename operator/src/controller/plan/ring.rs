//! The ring: intent only. It is made when every node has a place, so that zones are known; after that targets never
//! move, because documents cannot move yet. New nodes join without shards; nodes that hold nothing leave.

use std::collections::BTreeMap;

use grepzilla_api::contract::node_name;
use grepzilla_cluster::placement::{PlacementNode, Rebalance, Wanted, place};
use grepzilla_model::{NodeIndex, NodeName, Ring};

use super::Wait;
use super::nodes::NodeCount;
use crate::controller::facts::{Facts, Placement, PodFacts};
use crate::controller::validate::Cluster;
use crate::crd::status::Gate;

/// The ring that is to be written now, if any is.
pub fn decide(cluster: &Cluster, facts: &Facts, count: &NodeCount, waits: &mut Vec<Wait>) -> Option<Ring> {
    let previous = facts.cluster()?.ring.as_ref();
    waits.extend(unscheduled(cluster, facts));
    let zones = match previous {
        None => first(cluster, facts)?,
        Some(ring) => next(cluster, facts, ring, count.leaving),
    };
    let nodes: Vec<PlacementNode> = zones.into_iter().map(|(ordinal, zone)| node(cluster, ordinal, zone)).collect();
    let shards = previous.map_or(cluster.shards as usize, |ring| ring.targets.len());
    if shards != cluster.shards as usize {
        waits.push(shards_differ(cluster, shards));
    }
    let wanted = Wanted {
        nodes: &nodes,
        shards: u32::try_from(shards).expect("shard ids are u32"),
        replication_factor: previous.map_or(cluster.replication_factor, |ring| ring.replication_factor),
        rebalance: Rebalance::Never,
    };
    match place(previous, &wanted) {
        Ok(ring) => (Some(&ring) != previous).then_some(ring),
        Err(error) => {
            // `nodes` keeps every node that holds shards, so there always is such a ring.
            tracing::error!(%error, "no ring can be placed");
            None
        }
    }
}

/// The zones of the first nodes, once every one has a place.
fn first(cluster: &Cluster, facts: &Facts) -> Option<BTreeMap<u32, String>> {
    (0..cluster.nodes).map(|ordinal| Some((ordinal, zone(facts, ordinal)?.to_owned()))).collect()
}

/// The zones of the nodes of `ring`, of those that join, and not of those that leave.
fn next(cluster: &Cluster, facts: &Facts, ring: &Ring, leaving: bool) -> BTreeMap<u32, String> {
    let stays = |ordinal: u32| !leaving || ordinal < cluster.nodes;
    let known = ring.nodes.iter().filter(|(index, _)| stays(index.0)).map(|(index, node)| {
        // A zone that is no longer named was true once.
        let now = zone(facts, index.0).filter(|zone| !zone.is_empty());
        (index.0, now.unwrap_or(&node.zone).to_owned())
    });
    let join = (0..cluster.nodes).filter_map(|ordinal| Some((ordinal, zone(facts, ordinal)?.to_owned())));
    let mut zones: BTreeMap<u32, String> = join.collect();
    zones.extend(known);
    zones
}

/// The zone of a pod that has a place.
fn zone(facts: &Facts, ordinal: u32) -> Option<&str> {
    match &facts.pods.get(&ordinal)?.placement {
        Placement::Zone(zone) => Some(zone),
        Placement::Pending | Placement::Unschedulable { .. } => None,
    }
}

fn node(cluster: &Cluster, ordinal: u32, zone: String) -> PlacementNode {
    PlacementNode { index: NodeIndex(ordinal), name: NodeName::from(&*node_name(&cluster.name, ordinal)), zone }
}

fn unscheduled<'a>(cluster: &'a Cluster, facts: &'a Facts) -> impl Iterator<Item = Wait> + 'a {
    facts.pods.iter().filter_map(|(&ordinal, PodFacts { placement, .. })| {
        let Placement::Unschedulable { reason, since } = placement else { return None };
        Some(Wait {
            gate: Gate::PodNotScheduled,
            object: format!("Pod/{}", node_name(&cluster.name, ordinal)),
            since: *since,
            message: format!("the scheduler finds no place for the pod: {reason}"),
            action: "add capacity, or change spec.pod or spec.storage so that the pod fits".into(),
        })
    })
}

fn shards_differ(cluster: &Cluster, shards: usize) -> Wait {
    Wait {
        gate: Gate::ShardsDiffer,
        object: format!("GrepzillaCluster/{}", cluster.name),
        since: None,
        message: format!(
            "spec.shards is {}, but the documents that are there are divided into {shards} shards, which cannot be changed yet",
            cluster.shards
        ),
        action: format!("delete the resource (the volumes stay) and apply it again with spec.shards: {shards}"),
    }
}

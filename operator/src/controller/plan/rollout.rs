//! Replacing pods of an older template, one at a time. A pod that is ready is replaced only while all are ready and those
//! of the new template lead their shards, damaged ones aside; the first one is thus the canary, and if it does not come back nothing else is
//! touched. Without etcd none is: it could not lead again. A pod of an older template that is not ready is replaced at
//! once: that is how a bad rollout heals by fixing the spec alone.

use grepzilla_api::contract::node_name;
use grepzilla_model::NodeIndex;
use jiff::Timestamp;

use super::{PATIENCE, Wait};
use crate::controller::facts::{Facts, PodFacts};
use crate::controller::validate::Cluster;
use crate::crd::status::Gate;

/// A pod to be deleted, exactly as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Its ordinal.
    pub ordinal: u32,
    /// Its UID.
    pub uid: String,
    /// Its resource version.
    pub resource_version: String,
}

/// The pod that is replaced now, if one is.
pub fn decide(cluster: &Cluster, facts: &Facts, now: Timestamp, waits: &mut Vec<Wait>) -> Option<Replacement> {
    let set = facts.stateful_set.as_ref()?;
    let nobody_leaves = facts.pods.values().all(|pod| !pod.deleting);
    let mut outdated = facts.pods.iter().rev().filter(|(_, pod)| pod.outdated).peekable();
    if set.deleting || !set.observed || !nobody_leaves || outdated.peek().is_none() {
        return None;
    }
    let replacement = |(ordinal, pod): (&u32, &PodFacts)| Replacement {
        ordinal: *ordinal,
        uid: pod.uid.clone(),
        resource_version: pod.resource_version.clone(),
    };
    if let Some(broken) = outdated.clone().find(|(_, pod)| !pod.ready) {
        return Some(replacement(broken));
    }
    if facts.ready_pods() >= set.replicas {
        return outdated.next().filter(|_| the_new_ones_lead(facts)).map(replacement);
    }
    waits.extend(facts.pods.iter().filter(|(_, pod)| !pod.ready).filter_map(|(ordinal, pod)| {
        let since = pod.ready_since.filter(|since| now.duration_since(*since) >= PATIENCE)?;
        Some(halted(cluster, *ordinal, since))
    }));
    None
}

/// Whether every shard of a pod of the new template has its leader. Without etcd nobody can tell.
fn the_new_ones_lead(facts: &Facts) -> bool {
    let Some(metadata) = facts.cluster() else { return false };
    let is_new = |node: &NodeIndex| facts.pods.get(&node.0).is_some_and(|pod| !pod.outdated);
    let mut shards = metadata.ring.iter().flat_map(|ring| &ring.targets).filter(|(_, nodes)| nodes.iter().any(is_new));
    // A damaged one leads again under no template.
    let is_led =
        |shard| metadata.shards.get(shard).is_some_and(|shard| shard.led) || metadata.damaged.contains_key(shard);
    shards.all(|(shard, _)| is_led(shard))
}

fn halted(cluster: &Cluster, ordinal: u32, since: Timestamp) -> Wait {
    let name = node_name(&cluster.name, ordinal);
    Wait {
        gate: Gate::RolloutHalted,
        object: format!("Pod/{name}"),
        since: Some(since),
        message: format!("{name} is not ready, so the pods that still have the old template are left alone"),
        action: format!("see `kubectl describe pod {name}` and its log; correcting the spec is enough to go on"),
    }
}

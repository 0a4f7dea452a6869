//! Copies that are listed and gone: the node runs, but with a new folder, because its volume was lost or replaced. An empty
//! folder is never taken for the copy that was there.

use std::collections::BTreeMap;

use grepzilla_model::{NodeName, ShardId};

use super::Wait;
use crate::controller::facts::Facts;
use crate::controller::validate::Cluster;
use crate::crd::status::Gate;

/// Looks for them.
pub fn look(cluster: &Cluster, facts: &Facts, waits: &mut Vec<Wait>) {
    let Some(metadata) = facts.cluster() else { return };
    let mut lost: BTreeMap<&NodeName, Vec<ShardId>> = BTreeMap::new();
    for (shard, facts) in &metadata.shards {
        for node in &facts.lost {
            lost.entry(node).or_default().push(*shard);
        }
    }
    waits.extend(lost.into_iter().map(|(node, shards)| wait(cluster, node, &shards)));
}

fn wait(cluster: &Cluster, node: &NodeName, shards: &[ShardId]) -> Wait {
    let list: Vec<String> = shards.iter().map(ShardId::to_string).collect();
    Wait {
        gate: Gate::ReplicaLost,
        object: format!("Pod/{node}"),
        since: None,
        message: format!("{node} came back without its copy of shards {}: its volume is another one", list.join(", ")),
        action: format!(
            "bring the old volume of {node} back and delete the pod. If it is gone for good, so are its documents: delete \
             cluster {} with its volumes and keys, and apply it again",
            cluster.name
        ),
    }
}

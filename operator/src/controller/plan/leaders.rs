//! Shards that nobody leads although their node runs. The operator never decides who leads; it only tells a person where
//! to look.

use std::collections::BTreeMap;

use grepzilla_api::contract::node_name;
use grepzilla_model::{NodeIndex, ShardId};
use jiff::Timestamp;

use super::{PATIENCE, Wait};
use crate::controller::facts::Facts;
use crate::controller::validate::Cluster;
use crate::crd::status::Gate;

/// Looks for them, once their node has been ready for a while.
pub fn look(cluster: &Cluster, facts: &Facts, now: Timestamp, waits: &mut Vec<Wait>) {
    let Some((metadata, ring)) = facts.cluster().zip(facts.ring()) else { return };
    let mut leaderless: BTreeMap<NodeIndex, Vec<ShardId>> = BTreeMap::new();
    for (&shard, targets) in &ring.targets {
        // A lost or a damaged copy is the reason, and is told by itself.
        let is_explained = metadata.damaged.contains_key(&shard);
        if !is_explained && !metadata.shards.get(&shard).is_some_and(|shard| shard.led || !shard.lost.is_empty()) {
            leaderless.entry(targets[0]).or_default().push(shard);
        }
    }
    waits.extend(leaderless.into_iter().filter_map(|(node, shards)| {
        let since = facts.pods.get(&node.0).filter(|pod| pod.ready)?.ready_since?;
        (now.duration_since(since) >= PATIENCE).then(|| wait(cluster, node, &shards, since))
    }));
}

fn wait(cluster: &Cluster, node: NodeIndex, shards: &[ShardId], since: Timestamp) -> Wait {
    let name = node_name(&cluster.name, node.0);
    let list: Vec<String> = shards.iter().map(ShardId::to_string).collect();
    Wait {
        gate: Gate::ShardLeaderless,
        object: format!("Pod/{name}"),
        since: Some(since),
        message: format!("{name} is ready, but nobody leads its shards {}", list.join(", ")),
        action: "GET /cluster of any node says why, shard by shard; so does the pod's log".into(),
    }
}

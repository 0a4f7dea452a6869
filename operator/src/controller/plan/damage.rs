//! Shards of which something is damaged, as their nodes say. What is left of them is searched; nothing is written to them.
//! The operator repairs nothing: which documents to give up only a person can say.

use std::collections::BTreeMap;

use grepzilla_model::{NodeName, ShardId};

use super::Wait;
use crate::controller::facts::Facts;
use crate::crd::status::Gate;

/// Shards that one blocker tells of in full.
const TOLD_MAX: usize = 3;

/// Looks for them.
pub fn look(facts: &Facts, waits: &mut Vec<Wait>) {
    let Some(metadata) = facts.cluster() else { return };
    let mut damaged: BTreeMap<&NodeName, Vec<(ShardId, &str)>> = BTreeMap::new();
    for (shard, (node, sentence)) in &metadata.damaged {
        damaged.entry(node).or_default().push((*shard, sentence));
    }
    waits.extend(damaged.into_iter().map(|(node, shards)| wait(node, &shards)));
}

fn wait(node: &NodeName, shards: &[(ShardId, &str)]) -> Wait {
    let told: Vec<&str> = shards.iter().take(TOLD_MAX).map(|(_, sentence)| *sentence).collect();
    let others: Vec<String> = shards.iter().skip(TOLD_MAX).map(|(shard, _)| shard.to_string()).collect();
    let others = if others.is_empty() { String::new() } else { format!("; so are shards {}", others.join(", ")) };
    Wait {
        gate: Gate::ShardDamaged,
        object: format!("Pod/{node}"),
        since: None,
        message: format!("{}{others}", told.join("; ")),
        action: format!(
            "bring the files that are named back into the volume of {node}, from a backup or a snapshot, and delete the pod; \
             what is left is searched meanwhile"
        ),
    }
}

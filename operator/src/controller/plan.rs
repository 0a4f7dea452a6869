//! Step 3, pure: from a validated cluster and the facts to what shall be done now, and what has to wait.
//!
//! Each concern has a file of its own and answers for itself: `identity`, `nodes`, `ring`, `volumes`, `rollout`, `leaders`,
//! `replicas`, `damage`. None of them waits: what cannot be done now becomes a [`Wait`], and the next reconcile looks again.

pub mod damage;
pub mod identity;
pub mod leaders;
pub mod nodes;
pub mod replicas;
pub mod ring;
pub mod rollout;
pub mod volumes;

use grepzilla_model::{ClusterUuid, Ring};
use jiff::{SignedDuration, Timestamp};

use super::build::ChildKind;
use super::facts::{Facts, MetadataFacts, SecretFacts};
use super::validate::Cluster;
use crate::crd::status::{Gate, Reason};
use identity::Identity;
use nodes::NodeCount;

/// What shall be done now.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whether the cluster gets its identity now.
    pub create_identity: bool,
    /// Whether the cluster secret is made now.
    pub create_secret: bool,
    /// The StatefulSet as it shall be; `None` while it must not be made or touched.
    pub stateful_set: Option<NodeSet>,
    /// The ring that is written now.
    pub ring: Option<Ring>,
    /// How volumes grow now.
    pub volumes: volumes::Growth,
    /// The pod that is deleted now, so that it comes back from the new template.
    pub replace: Option<rollout::Replacement>,
    /// What is under way, if anything is.
    pub progress: Option<Reason>,
    /// What has to wait.
    pub waits: Vec<Wait>,
}

/// The StatefulSet as it shall be, beyond what the spec says.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSet {
    /// How many pods.
    pub replicas: u32,
    /// Whose data the volumes will hold.
    pub cluster_uuid: ClusterUuid,
    /// The size in its template of volumes.
    pub claim_size: String,
}

/// Something that has to wait, as the status will show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// For what.
    pub gate: Gate,
    /// The object that is concerned, as kind/name.
    pub object: String,
    /// Since when, if the facts say so; else since it was seen first.
    pub since: Option<Timestamp>,
    /// What is the case.
    pub message: String,
    /// What a person can do.
    pub action: String,
}

/// How long something may take before it is called a wait.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Plans. `now` only decides what has taken too long.
pub fn plan(cluster: &Cluster, facts: &Facts, now: Timestamp) -> Plan {
    let mut waits = Vec::new();
    waits.extend(unreachable(cluster, facts));
    waits.extend(facts.taken.iter().map(|(_, object, owner)| taken(object, owner)));
    waits.extend((facts.secret == SecretFacts::Unusable).then(|| unusable_secret(cluster)));

    let identity = identity::decide(cluster, facts, &mut waits);
    let count = nodes::count(cluster, facts, &mut waits);
    let ring = match identity {
        Identity::Settled(_) => ring::decide(cluster, facts, &count, &mut waits),
        Identity::Create | Identity::Unsettled => None,
    };
    let volumes = volumes::decide(cluster, facts, count.replicas, &mut waits);
    let replace = rollout::decide(cluster, facts, now, &mut waits);
    replicas::look(cluster, facts, &mut waits);
    damage::look(facts, &mut waits);
    leaders::look(cluster, facts, now, &mut waits);
    let secret_is_missing =
        facts.secret == SecretFacts::Absent && !facts.taken.iter().any(|it| it.0 == ChildKind::ClusterSecret);
    Plan {
        create_identity: identity == Identity::Create,
        create_secret: secret_is_missing,
        stateful_set: node_set(cluster, facts, &identity, &count, &volumes),
        progress: progress(facts, &identity, &count, ring.is_some(), &volumes),
        ring,
        volumes,
        replace,
        waits,
    }
}

fn node_set(
    cluster: &Cluster,
    facts: &Facts,
    identity: &Identity,
    count: &NodeCount,
    growth: &volumes::Growth,
) -> Option<NodeSet> {
    let Identity::Settled(cluster_uuid) = *identity else { return None };
    if growth.recreate || facts.stateful_set.as_ref().is_some_and(|set| set.deleting) {
        return None;
    }
    let claim_size = facts.stateful_set.as_ref().map_or(&cluster.storage_size.0, |set| &set.claim_size).clone();
    Some(NodeSet { replicas: count.replicas, cluster_uuid, claim_size })
}

/// The one word for what is under way, the most telling first.
fn progress(
    facts: &Facts,
    identity: &Identity,
    count: &NodeCount,
    ring_changes: bool,
    growth: &volumes::Growth,
) -> Option<Reason> {
    let present = facts.stateful_set.as_ref().map_or(0, |set| set.replicas);
    let pods = u32::try_from(facts.pods.len()).expect("there are at most 1,000 pods");
    if growth.under_way {
        return Some(Reason::VolumesGrowing);
    }
    if count.leaving || present > count.replicas || pods > count.replicas {
        return Some(Reason::NodesLeaving);
    }
    if facts.pods.values().any(|pod| pod.outdated) {
        return Some(Reason::RollingOut);
    }
    if *identity == Identity::Create || pods < count.replicas || facts.ready_pods() < count.replicas {
        return Some(Reason::NodesStarting);
    }
    if ring_changes {
        return Some(Reason::RingChanging);
    }
    // Until its controller has seen the StatefulSet nobody knows which pods are outdated.
    facts.stateful_set.as_ref().is_some_and(|set| set.deleting || !set.observed).then_some(Reason::Applying)
}

fn unreachable(cluster: &Cluster, facts: &Facts) -> Option<Wait> {
    let MetadataFacts::OutOfTouch { reason } = &facts.metadata else { return None };
    Some(Wait {
        gate: Gate::MetadataUnreachable,
        object: format!("etcd/{}", cluster.metadata().etcd.join(",")),
        since: None,
        message: format!("etcd does not answer: {reason}; running leaders go on, but nothing can be elected or placed"),
        action: "bring etcd back; nothing else is needed".into(),
    })
}

fn taken(object: &str, owner: &str) -> Wait {
    Wait {
        gate: Gate::NameTaken,
        object: object.into(),
        since: None,
        message: format!("{object} exists already and belongs to {owner}, so it is not touched"),
        action: "delete or rename the other object, or give this cluster another name".into(),
    }
}

fn unusable_secret(cluster: &Cluster) -> Wait {
    let object = format!("Secret/{}", ChildKind::ClusterSecret.name(&cluster.name));
    Wait {
        gate: Gate::SecretInvalid,
        message: format!("{object} does not hold 32 bytes under `cluster-secret`, so no node can start with it"),
        action: format!("delete {object}: a new one is made, then delete the cluster's pods so that all start with it"),
        object,
        since: None,
    }
}

#[cfg(test)]
mod tests;

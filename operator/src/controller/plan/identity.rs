//! Whose cluster this is. An identity is made once; over volumes that belong to another one, or to one that etcd has
//! lost, none is made: nodes would refuse to start, and the way back would be harder to see.

use grepzilla_model::ClusterUuid;

use super::Wait;
use crate::controller::facts::Facts;
use crate::controller::validate::Cluster;
use crate::crd::status::Gate;

/// What is known of the cluster's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// It has one.
    Settled(ClusterUuid),
    /// It never had one: it gets one now.
    Create,
    /// Nobody can tell, or etcd and the volumes disagree.
    Unsettled,
}

/// Decides.
pub fn decide(cluster: &Cluster, facts: &Facts, waits: &mut Vec<Wait>) -> Identity {
    let known = facts.known_uuid();
    let Some(metadata) = facts.cluster() else {
        return known.map_or(Identity::Unsettled, Identity::Settled);
    };
    let strangers: Vec<(u32, ClusterUuid)> = facts
        .claims
        .iter()
        .filter_map(|(ordinal, claim)| claim.cluster_uuid.map(|uuid| (*ordinal, uuid)))
        .filter(|(_, uuid)| Some(*uuid) != metadata.uuid.or(known))
        .collect();
    match (metadata.uuid, known) {
        (Some(found), None) => Identity::Settled(found),
        (Some(found), Some(known)) if found == known && strangers.is_empty() => Identity::Settled(found),
        (Some(found), Some(known)) => {
            waits.push(mismatch(cluster, found, strangers.first().map_or(known, |(_, uuid)| *uuid)));
            Identity::Unsettled
        }
        (None, Some(known)) => {
            waits.push(lost(cluster, known));
            Identity::Unsettled
        }
        (None, None) => Identity::Create,
    }
}

fn lost(cluster: &Cluster, known: ClusterUuid) -> Wait {
    let root = &cluster.metadata().root;
    Wait {
        gate: Gate::IdentityLost,
        object: format!("etcd{root}"),
        since: None,
        message: format!("etcd holds nothing under {root}, but the volumes belong to cluster {known}"),
        action: format!(
            "restore etcd's data or point the cluster at the right etcd; to give up the documents instead, delete the \
             cluster and its volume claims data-{}-*, then apply it again",
            cluster.name
        ),
    }
}

fn mismatch(cluster: &Cluster, found: ClusterUuid, known: ClusterUuid) -> Wait {
    let root = &cluster.metadata().root;
    Wait {
        gate: Gate::IdentityMismatch,
        object: format!("etcd{root}"),
        since: None,
        message: format!("etcd holds cluster {found} under {root}, but volumes belong to cluster {known}"),
        action: "point the cluster at the etcd it was made with, or delete the volume claims of the other cluster"
            .into(),
    }
}

//! Volumes that grow: first every claim is made larger, then the StatefulSet, whose template of volumes never changes in
//! place, is deleted without its pods and made again. No pod notices; no health is asked for, or a full disk would block
//! its own rescue.

use grepzilla_api::contract::node_name;

use super::Wait;
use crate::controller::build::stateful_set::DATA_VOLUME;
use crate::controller::facts::Facts;
use crate::controller::validate::Cluster;
use crate::crd::ByteQuantity;
use crate::crd::status::Gate;

/// How volumes grow now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Growth {
    /// The ordinals whose claims are made as large as the spec says.
    pub claims: Vec<u32>,
    /// Whether the StatefulSet is deleted now, without its pods.
    pub recreate: bool,
    /// Whether anything is still growing.
    pub under_way: bool,
}

/// The name of the claim of a node.
pub fn claim_name(cluster: &str, ordinal: u32) -> String {
    format!("{DATA_VOLUME}-{}", node_name(cluster, ordinal))
}

/// Decides for the claims of the first `replicas` nodes.
pub fn decide(cluster: &Cluster, facts: &Facts, replicas: u32, waits: &mut Vec<Wait>) -> Growth {
    let wanted = cluster.storage_bytes();
    let small = || facts.claims.range(..replicas).filter(|(_, claim)| claim.requested_bytes < wanted);
    if let Some((&ordinal, _)) = small().find(|(_, claim)| !claim.expandable) {
        waits.push(not_expandable(cluster, ordinal));
        return Growth::default();
    }
    let claims: Vec<u32> = small().map(|(ordinal, _)| *ordinal).collect();
    let template = facts.stateful_set.as_ref().and_then(|set| ByteQuantity(set.claim_size.clone()).bytes());
    let outgrown = template.is_some_and(|bytes| bytes < wanted);
    let recreate = outgrown && facts.stateful_set.as_ref().is_some_and(|set| !set.deleting);
    let resizing = facts.claims.range(..replicas).any(|(_, claim)| !claim.grown);
    Growth { under_way: !claims.is_empty() || outgrown || resizing, claims, recreate }
}

fn not_expandable(cluster: &Cluster, ordinal: u32) -> Wait {
    let claim = claim_name(&cluster.name, ordinal);
    Wait {
        gate: Gate::VolumeNotExpandable,
        object: format!("PersistentVolumeClaim/{claim}"),
        since: None,
        message: format!(
            "storage.size is {}, but the volume of {claim} is smaller and its storage class does not allow expansion",
            cluster.storage_size.0
        ),
        action: "set allowVolumeExpansion on the storage class if its driver can do it; volumes cannot move to another class".into(),
    }
}

//! From Kubernetes objects to facts. Pure; what an object does not say is taken as the less favourable case.

use std::collections::BTreeMap;

use grepzilla_api::contract::{SECRET_BYTES, SECRET_KEY, node_name};
use grepzilla_model::ClusterUuid;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, PodCondition, Secret};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::controller::build::stateful_set::UUID_ANNOTATION;
use crate::controller::facts::{ClaimFacts, Placement, PodFacts, SecretFacts, StatefulSetFacts};
use crate::controller::plan::volumes::claim_name;
use crate::crd::ByteQuantity;

/// The label by which a pod says which revision of the template it was made from.
const REVISION_LABEL: &str = "controller-revision-hash";

/// Who has an object that is not ours.
pub(super) fn stranger(object: &DynamicObject, uid: &str) -> Option<String> {
    let owner = object.owner_references().iter().find(|owner| owner.controller == Some(true));
    match owner {
        Some(owner) if owner.uid == uid => None,
        Some(owner) => Some(format!("{}/{} (UID {})", owner.kind, owner.name, owner.uid)),
        None => Some("nobody that the operator knows".into()),
    }
}

/// A StatefulSet, and the revision that new pods get.
pub(super) fn stateful_set(object: &DynamicObject) -> Option<(StatefulSetFacts, String)> {
    let set: StatefulSet = object.clone().try_parse().ok()?;
    let status = set.status.clone().unwrap_or_default();
    let template = set.spec.volume_claim_templates.iter().flatten().next();
    let size = template.and_then(|claim| claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage"));
    let facts = StatefulSetFacts {
        uid: set.uid()?,
        resource_version: set.resource_version()?,
        replicas: u32::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or(0),
        claim_size: size.map(|size| size.0.clone()).unwrap_or_default(),
        deleting: set.metadata.deletion_timestamp.is_some(),
        observed: status.observed_generation.is_some() && status.observed_generation == set.metadata.generation,
    };
    Some((facts, status.update_revision.unwrap_or_default()))
}

/// The pods by ordinal. `revision` is the one that new pods get.
pub(super) fn pods(
    cluster: &str,
    pods: &[Pod],
    revision: Option<&str>,
    zones: &BTreeMap<String, String>,
) -> BTreeMap<u32, PodFacts> {
    pods.iter()
        .filter_map(|pod| Some((ordinal(&node_name(cluster, 0), &pod.name_any())?, pod)))
        .map(|(ordinal, pod)| (ordinal, pod_facts(pod, revision, zones)))
        .collect()
}

fn pod_facts(pod: &Pod, revision: Option<&str>, zones: &BTreeMap<String, String>) -> PodFacts {
    let ready = condition(pod, "Ready");
    let made_from = pod.labels().get(REVISION_LABEL).map(String::as_str);
    let deleting = pod.metadata.deletion_timestamp.is_some();
    PodFacts {
        uid: pod.uid().unwrap_or_default(),
        resource_version: pod.resource_version().unwrap_or_default(),
        ready: !deleting && ready.is_some_and(|it| it.status == "True"),
        ready_since: ready
            .and_then(|it| it.last_transition_time.as_ref())
            .or(pod.metadata.creation_timestamp.as_ref())
            .map(|it| it.0),
        deleting,
        outdated: revision.is_some_and(|revision| !revision.is_empty() && made_from != Some(revision)),
        placement: placement(pod, zones),
    }
}

fn placement(pod: &Pod, zones: &BTreeMap<String, String>) -> Placement {
    if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()) {
        return Placement::Zone(zones.get(node).cloned().unwrap_or_default());
    }
    match condition(pod, "PodScheduled") {
        Some(it) if it.status == "False" => Placement::Unschedulable {
            reason: it.message.clone().unwrap_or_default(),
            since: it.last_transition_time.as_ref().map(|it| it.0),
        },
        _ => Placement::Pending,
    }
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|it| it.type_ == kind)
}

/// The volume claims by ordinal.
pub(super) fn claims(
    cluster: &str,
    claims: &[PersistentVolumeClaim],
    expandable: &BTreeMap<String, bool>,
) -> BTreeMap<u32, ClaimFacts> {
    claims
        .iter()
        .filter_map(|claim| Some((ordinal(&claim_name(cluster, 0), &claim.name_any())?, claim)))
        .map(|(ordinal, claim)| (ordinal, claim_facts(claim, expandable)))
        .collect()
}

fn claim_facts(claim: &PersistentVolumeClaim, expandable: &BTreeMap<String, bool>) -> ClaimFacts {
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_ref());
    let capacity = claim.status.as_ref().and_then(|status| status.capacity.as_ref()?.get("storage"));
    let requested_bytes = requested_bytes(claim);
    let uuid = claim.annotations().get(UUID_ANNOTATION).and_then(|text| text.parse().ok());
    ClaimFacts {
        cluster_uuid: uuid.map(ClusterUuid),
        requested_bytes,
        // A claim without capacity is not bound yet; it will be made in the right size.
        grown: capacity.is_none_or(|capacity| bytes(capacity) >= requested_bytes),
        expandable: class.and_then(|class| expandable.get(class)).copied().unwrap_or(false),
    }
}

/// How large a claim shall be.
pub(super) fn requested_bytes(claim: &PersistentVolumeClaim) -> u64 {
    let requests = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    requests.and_then(|requests| requests.get("storage")).map_or(0, bytes)
}

fn bytes(quantity: &Quantity) -> u64 {
    ByteQuantity(quantity.0.clone()).bytes().unwrap_or(0)
}

/// The cluster secret.
pub(super) fn secret(object: Option<&DynamicObject>) -> SecretFacts {
    let Some(object) = object else { return SecretFacts::Absent };
    let secret = object.clone().try_parse::<Secret>().ok();
    let bytes = secret.and_then(|secret| secret.data?.get(SECRET_KEY).map(|bytes| bytes.0.len()));
    if bytes == Some(SECRET_BYTES) { SecretFacts::Usable } else { SecretFacts::Unusable }
}

/// The ordinal of `name`, where `first` is the name of ordinal 0.
fn ordinal(first: &str, name: &str) -> Option<u32> {
    let digits = name.strip_prefix(first.strip_suffix('0')?)?;
    let plain = digits == "0" || !digits.starts_with('0');
    (plain && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(value: serde_json::Value) -> Pod {
        serde_json::from_value(value).expect("a pod")
    }

    #[test]
    fn only_names_that_the_stateful_set_gives_are_taken_for_nodes() {
        for (name, expected) in [
            ("logs-0", Some(0)),
            ("logs-12", Some(12)),
            ("logs-", None),
            ("logs-01", None),
            ("logs-+1", None),
            ("logs-a-0", None),
            ("log-0", None),
        ] {
            assert_eq!(ordinal("logs-0", name), expected, "{name}");
        }
    }

    #[test]
    fn a_pod_that_is_leaving_is_not_ready_and_one_of_another_revision_is_outdated() {
        let leaving = pod(json!({
            "metadata": {"name": "logs-0", "deletionTimestamp": "2026-11-23T10:00:00Z", "labels": {REVISION_LABEL: "r1"}},
            "spec": {"nodeName": "worker", "containers": []},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let zones = BTreeMap::from([("worker".to_owned(), "zone-a".to_owned())]);
        let facts = &pods("logs", std::slice::from_ref(&leaving), Some("r2"), &zones)[&0];
        assert!(facts.deleting && !facts.ready && facts.outdated);
        assert_eq!(facts.placement, Placement::Zone("zone-a".into()));
        assert!(!pods("logs", &[leaving], None, &zones)[&0].outdated, "without a revision nothing is outdated");
    }

    #[test]
    fn a_pod_without_a_place_carries_the_schedulers_words() {
        let homeless = pod(json!({
            "metadata": {"name": "logs-1"},
            "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]},
        }));
        let facts = &pods("logs", &[homeless], None, &BTreeMap::new())[&1];
        assert_eq!(facts.placement, Placement::Unschedulable { reason: "0/3 nodes".into(), since: None });
    }

    #[test]
    fn an_object_without_our_mark_belongs_to_a_stranger() {
        let object = |owners: serde_json::Value| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "logs", "ownerReferences": owners}})).expect("an object")
        };
        let owner = |uid: &str| json!([{"apiVersion": "grepzilla.io/v1alpha1", "kind": "GrepzillaCluster", "name": "logs", "uid": uid, "controller": true}]);
        assert_eq!(stranger(&object(owner("u1")), "u1"), None);
        assert_eq!(stranger(&object(owner("u0")), "u1").as_deref(), Some("GrepzillaCluster/logs (UID u0)"));
        assert!(stranger(&object(json!([])), "u1").is_some());
    }
}

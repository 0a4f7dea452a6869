//! The StatefulSet: all pods at once, replaced only by the operator, volumes kept when pods or cluster go.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{ChildKind, metadata, pod, selector};
use crate::controller::plan::NodeSet;
use crate::controller::validate::Cluster;

/// The volume of each pod; its claim is called `data-<pod>`.
pub const DATA_VOLUME: &str = "data";
/// The annotation of a claim that says whose data are on the volume.
pub const UUID_ANNOTATION: &str = "grepzilla.io/cluster-uuid";

/// Builds it. `config_hash` changes when the nodes' configuration does.
pub fn build(cluster: &Cluster, nodes: &NodeSet, config_hash: &str) -> StatefulSet {
    StatefulSet {
        metadata: metadata(cluster, ChildKind::StatefulSet),
        spec: StatefulSetSpec {
            replicas: Some(i32::try_from(nodes.replicas).expect("the schema allows 1,000 nodes")),
            service_name: Some(ChildKind::HeadlessService.name(&cluster.name)),
            selector: selector(cluster),
            pod_management_policy: Some("Parallel".into()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".into()),
                ..StatefulSetUpdateStrategy::default()
            }),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Retain".into()),
                when_scaled: Some("Retain".into()),
            }),
            revision_history_limit: Some(10),
            template: pod::template(cluster, config_hash),
            volume_claim_templates: Some(vec![claim_template(cluster, nodes)]),
            ..StatefulSetSpec::default()
        },
        ..StatefulSet::default()
    }
}

fn claim_template(cluster: &Cluster, nodes: &NodeSet) -> PersistentVolumeClaim {
    let size = Quantity(nodes.claim_size.clone());
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(DATA_VOLUME.into()),
            annotations: Some(BTreeMap::from([(UUID_ANNOTATION.into(), nodes.cluster_uuid.to_string())])),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".into(), size)])),
                ..VolumeResourceRequirements::default()
            }),
            storage_class_name: cluster.storage_class_name.clone(),
            volume_mode: Some("Filesystem".into()),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

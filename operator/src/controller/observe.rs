//! Step 1: the only reader. It reads the API server itself, never a cache, so what is decided rests on what is the case.

mod distill;

use std::collections::BTreeMap;

use futures::future::try_join_all;
use grepzilla_model::ClusterUuid;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, DynamicObject, ListParams};
use kube::{Client, ResourceExt};

use super::build::{ChildKind, selector_text};
use super::facts::{Facts, MetadataFacts};
use super::validate::Cluster;
use crate::crd::GrepzillaCluster;

/// What was read.
#[derive(Debug)]
pub struct Observed {
    /// The children that are there and belong to this cluster.
    pub live: BTreeMap<ChildKind, DynamicObject>,
    /// What planning rests on.
    pub facts: Facts,
}

/// The resource as it is now; `None` if it is gone.
pub async fn resource(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<GrepzillaCluster>> {
    Api::<GrepzillaCluster>::namespaced(client.clone(), namespace).get_opt(name).await
}

/// Everything else about a cluster.
pub async fn observe(
    client: &Client,
    cluster: &Cluster,
    recorded_uuid: Option<ClusterUuid>,
    metadata: MetadataFacts,
) -> kube::Result<Observed> {
    let mut live = BTreeMap::new();
    let mut taken = Vec::new();
    let children = try_join_all(ChildKind::ALL.map(|kind| child(client, cluster, kind))).await?;
    for (kind, object) in ChildKind::ALL.into_iter().zip(children) {
        let Some(object) = object else { continue };
        match distill::stranger(&object, &cluster.uid) {
            None => _ = live.insert(kind, object),
            Some(owner) => {
                taken.push((kind, format!("{}/{}", kind.api_resource().kind, kind.name(&cluster.name)), owner));
            }
        }
    }
    let set = live.get(&ChildKind::StatefulSet).and_then(distill::stateful_set);
    let pods: Vec<Pod> = labelled(client, cluster).await?;
    let zones = zones(client, &pods).await?;
    let claims: Vec<PersistentVolumeClaim> = labelled(client, cluster).await?;
    let expandable = expandable(client, cluster, &claims).await?;
    let facts = Facts {
        pods: distill::pods(&cluster.name, &pods, set.as_ref().map(|(_, revision)| revision.as_str()), &zones),
        claims: distill::claims(&cluster.name, &claims, &expandable),
        secret: distill::secret(live.get(&ChildKind::ClusterSecret)),
        stateful_set: set.map(|(facts, _)| facts),
        taken,
        recorded_uuid,
        metadata,
    };
    Ok(Observed { live, facts })
}

async fn child(client: &Client, cluster: &Cluster, kind: ChildKind) -> kube::Result<Option<DynamicObject>> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &cluster.namespace, &kind.api_resource());
    api.get_opt(&kind.name(&cluster.name)).await
}

async fn labelled<K>(client: &Client, cluster: &Cluster) -> kube::Result<Vec<K>>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), &cluster.namespace);
    Ok(api.list(&ListParams::default().labels(&selector_text(&cluster.name))).await?.items)
}

/// The zone of each Kubernetes node that a pod runs on; empty where it names none.
async fn zones(client: &Client, pods: &[Pod]) -> kube::Result<BTreeMap<String, String>> {
    let api: Api<Node> = Api::all(client.clone());
    let mut zones = BTreeMap::new();
    for name in pods.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.as_ref()) {
        if !zones.contains_key(name) {
            let node = api.get_metadata_opt(name).await?;
            let zone = node.and_then(|node| node.labels().get("topology.kubernetes.io/zone").cloned());
            zones.insert(name.clone(), zone.unwrap_or_default());
        }
    }
    Ok(zones)
}

/// Which storage classes let volumes grow. They are asked only when some volume is too small.
async fn expandable(
    client: &Client,
    cluster: &Cluster,
    claims: &[PersistentVolumeClaim],
) -> kube::Result<BTreeMap<String, bool>> {
    let api: Api<StorageClass> = Api::all(client.clone());
    let mut expandable = BTreeMap::new();
    let small = claims.iter().filter(|claim| distill::requested_bytes(claim) < cluster.storage_bytes());
    for class in small.filter_map(|claim| claim.spec.as_ref()?.storage_class_name.as_ref()) {
        if !expandable.contains_key(class) {
            let found = api.get_opt(class).await?;
            expandable.insert(class.clone(), found.is_some_and(|it| it.allow_volume_expansion == Some(true)));
        }
    }
    Ok(expandable)
}

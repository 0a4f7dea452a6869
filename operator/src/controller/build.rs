//! Step 4, pure: from a validated cluster and a plan to the exact objects that shall be there.
//!
//! Each kind of object has a file of its own. An object carries the hash of itself as an annotation; while the object in
//! the API server carries the same hash and none of its fields was changed by others, it is not written.

pub mod config;
pub mod disruption_budget;
pub mod pod;
pub mod secret;
pub mod service_account;
pub mod services;
pub mod stateful_set;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::plan::Plan;
use super::validate::Cluster;

/// The annotation with the hash of what was applied.
pub const HASH_ANNOTATION: &str = "grepzilla.io/applied-hash";
/// The label that names the cluster an object belongs to.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// The label that names who made an object, with [`MANAGER`] as value.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The operator's name: as manager of fields and as value of [`MANAGED_BY_LABEL`].
pub const MANAGER: &str = "grepzilla-operator";

/// The kinds of objects a cluster consists of, in the order in which they are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChildKind {
    /// The identity of the pods; it may do nothing.
    ServiceAccount,
    /// What guards the peer port.
    ClusterSecret,
    /// The nodes' configuration.
    Config,
    /// The names of the pods.
    HeadlessService,
    /// Where clients write and search.
    ClientService,
    /// How many pods may be evicted at once.
    DisruptionBudget,
    /// The pods and their volumes.
    StatefulSet,
}

impl ChildKind {
    /// All of them.
    pub const ALL: [ChildKind; 7] = [
        ChildKind::ServiceAccount,
        ChildKind::ClusterSecret,
        ChildKind::Config,
        ChildKind::HeadlessService,
        ChildKind::ClientService,
        ChildKind::DisruptionBudget,
        ChildKind::StatefulSet,
    ];

    /// The name of the object of this kind in the cluster `cluster`.
    pub fn name(self, cluster: &str) -> String {
        match self {
            ChildKind::ServiceAccount
            | ChildKind::ClientService
            | ChildKind::DisruptionBudget
            | ChildKind::StatefulSet => cluster.to_owned(),
            ChildKind::ClusterSecret => format!("{cluster}-cluster-secret"),
            ChildKind::Config => format!("{cluster}-config"),
            ChildKind::HeadlessService => format!("{cluster}-nodes"),
        }
    }

    /// Where the API server keeps it.
    pub fn api_resource(self) -> ApiResource {
        use k8s_openapi::api::{apps, core, policy};
        match self {
            ChildKind::ServiceAccount => ApiResource::erase::<core::v1::ServiceAccount>(&()),
            ChildKind::ClusterSecret => ApiResource::erase::<core::v1::Secret>(&()),
            ChildKind::Config => ApiResource::erase::<core::v1::ConfigMap>(&()),
            ChildKind::HeadlessService | ChildKind::ClientService => ApiResource::erase::<core::v1::Service>(&()),
            ChildKind::DisruptionBudget => ApiResource::erase::<policy::v1::PodDisruptionBudget>(&()),
            ChildKind::StatefulSet => ApiResource::erase::<apps::v1::StatefulSet>(&()),
        }
    }
}

/// An object as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// What it is.
    pub kind: ChildKind,
    /// Its name.
    pub name: String,
    /// The hash that its annotation carries.
    pub hash: String,
    /// The object, hash included.
    pub manifest: Value,
}

/// All objects that are applied. The cluster secret is not among them: it is made once, from chance, by `apply`. The
/// StatefulSet is left out while `plan` says that it must wait.
pub fn build(cluster: &Cluster, plan: &Plan) -> Vec<Child> {
    let config = config::build(cluster);
    let mut children = vec![
        child(ChildKind::ServiceAccount, &service_account::build(cluster)),
        child(ChildKind::Config, &config),
        child(ChildKind::HeadlessService, &services::headless(cluster)),
        child(ChildKind::ClientService, &services::client(cluster)),
        child(ChildKind::DisruptionBudget, &disruption_budget::build(cluster)),
    ];
    if let Some(nodes) = &plan.stateful_set {
        children.push(child(ChildKind::StatefulSet, &stateful_set::build(cluster, nodes, &hash(&config))));
    }
    children
}

fn child<T: Serialize>(kind: ChildKind, object: &T) -> Child {
    let hash = hash(object);
    let mut manifest = plain(object);
    manifest["metadata"]["annotations"][HASH_ANNOTATION] = hash.clone().into();
    let name = manifest["metadata"]["name"].as_str().expect("every object is built with a name").to_owned();
    Child { kind, name, hash, manifest }
}

fn plain<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).expect("Kubernetes objects are plain data")
}

/// 16 hexadecimal digits of SHA-256 over the JSON form.
fn hash<T: Serialize>(object: &T) -> String {
    let digest = Sha256::digest(plain(object).to_string());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What every object of a cluster has: name, labels and owner. It goes when the cluster goes.
fn metadata(cluster: &Cluster, kind: ChildKind) -> ObjectMeta {
    ObjectMeta {
        name: Some(kind.name(&cluster.name)),
        namespace: Some(cluster.namespace.clone()),
        labels: Some(labels(cluster)),
        owner_references: Some(vec![owner(cluster)]),
        ..ObjectMeta::default()
    }
}

fn owner(cluster: &Cluster) -> OwnerReference {
    OwnerReference {
        api_version: "grepzilla.io/v1alpha1".into(),
        kind: "GrepzillaCluster".into(),
        name: cluster.name.clone(),
        uid: cluster.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The labels by which pods, and the volumes made for them, are found. They never change.
pub fn selector_labels(cluster: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".into(), "grepzilla".into()),
        ("app.kubernetes.io/component".into(), "node".into()),
        (INSTANCE_LABEL.into(), cluster.to_owned()),
    ])
}

/// [`selector_labels`] as the API server and the scale subresource take them.
pub fn selector_text(cluster: &str) -> String {
    let pairs: Vec<String> = selector_labels(cluster).iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

fn selector(cluster: &Cluster) -> LabelSelector {
    LabelSelector { match_labels: Some(selector_labels(&cluster.name)), match_expressions: None }
}

fn labels(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut labels = selector_labels(&cluster.name);
    labels.insert(MANAGED_BY_LABEL.into(), MANAGER.into());
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn as_yaml(children: &[Child]) -> String {
        let documents: Vec<String> =
            children.iter().map(|child| serde_saphyr::to_string(&child.manifest).expect("plain data")).collect();
        documents.join("---\n")
    }

    #[test]
    fn a_minimal_resource_makes_these_objects() {
        let children = build(&fixtures::minimal(), &fixtures::first_plan(3));
        insta::assert_snapshot!("minimal", as_yaml(&children));
    }

    #[test]
    fn a_full_resource_makes_these_objects() {
        let children = build(&fixtures::full(), &fixtures::first_plan(5));
        insta::assert_snapshot!("full", as_yaml(&children));
    }

    #[test]
    fn the_hash_follows_the_content_and_nothing_else() {
        let (plan, mut changed) = (fixtures::first_plan(3), fixtures::minimal());
        assert_eq!(build(&changed, &plan), build(&fixtures::minimal(), &plan));
        changed.config.ingest.depth_max += 1;
        let differ: Vec<ChildKind> = build(&fixtures::minimal(), &plan)
            .iter()
            .zip(&build(&changed, &plan))
            .filter(|(before, after)| before.hash != after.hash)
            .map(|(before, _)| before.kind)
            .collect();
        assert_eq!(differ, [ChildKind::Config, ChildKind::StatefulSet], "a new configuration must reach the pods");
    }

    #[test]
    fn names_are_as_the_contract_says_and_never_meet() {
        let mut names: Vec<_> =
            ChildKind::ALL.iter().map(|kind| (kind.api_resource().kind, kind.name("logs"))).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ChildKind::ALL.len());
        assert_eq!(grepzilla_api::contract::node_name("logs", 2), format!("{}-2", ChildKind::StatefulSet.name("logs")));
    }
}

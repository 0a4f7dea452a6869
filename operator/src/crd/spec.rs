//! What a person writes. Every field has a default and an effect; a ten-line resource is enough.
//!
//! Figures are checked by the schema and by [`rules`]; `controller::validate` turns a spec into typed values.

#![expect(unreachable_pub, reason = "kube's schema derive copies each public struct into a function body")]

mod admission;
mod indexes;
mod ingest;
mod storage;
mod wal;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration, TopologySpreadConstraint};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::status::GrepzillaClusterStatus;

pub use admission::{AdmissionSpec, RateSpec};
pub use indexes::{DefaultValue, FieldType, IndexSpec, OnExceeded, RetentionSpec};
pub use ingest::{Ack, IngestSpec};
pub use storage::StorageSpec;
pub use wal::{Fsync, WalSpec};

/// The desired cluster.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "grepzilla.io",
    version = "v1alpha1",
    kind = "GrepzillaCluster",
    plural = "grepzillaclusters",
    shortname = "gz",
    category = "all",
    namespaced,
    status = "GrepzillaClusterStatus",
    derive = "PartialEq",
    doc = "A Grepzilla cluster: nodes with volumes that take logs and documents and find any substring of them.",
    scale(
        spec_replicas_path = ".spec.nodes",
        status_replicas_path = ".status.nodes.current",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Nodes", type_ = "integer", json_path = ".spec.nodes", description = "nodes that are wanted"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.nodes.ready", description = "nodes that are ready"),
    printcolumn(name = "Shards", type_ = "integer", json_path = ".spec.shards", description = "shards of the cluster"),
    printcolumn(
        name = "Led",
        type_ = "integer",
        json_path = ".status.shards.led",
        description = "shards with a leader; empty if that is not known"
    ),
    printcolumn(
        name = "Damaged",
        type_ = "integer",
        json_path = ".status.shards.damaged",
        priority = 1,
        description = "shards that are only read because something of them is damaged; empty if that is not known"
    ),
    printcolumn(
        name = "Available",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Available')].status",
        description = "whether all documents can be searched and new ones are taken"
    ),
    printcolumn(
        name = "Blocked",
        type_ = "string",
        json_path = ".status.blockers[0].gate",
        description = "the first gate that something waits for"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.blockers[0].message",
        priority = 1,
        description = "what is the case with it"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "age"),
    validation = rules::NAME
)]
#[x_kube(
    validation = rules::REPLICATION_FACTOR_IS_ONE,
    validation = rules::REPLICATION_FACTOR_FITS,
    validation = rules::SHARDS_IMMUTABLE,
    validation = rules::ETCD_IMMUTABLE,
    validation = rules::ADMISSION_IN_FLIGHT
)]
#[serde(rename_all = "camelCase")]
pub struct GrepzillaClusterSpec {
    /// How many nodes (pods with a volume) there are. Can be raised and, down to the nodes that hold shards, lowered.
    #[serde(default = "default_nodes")]
    #[schemars(range(min = 1, max = 1000))]
    pub nodes: u32,
    /// Into how many shards the documents are divided. Fixed when the cluster is made.
    #[serde(default = "default_shards")]
    #[schemars(range(min = 1, max = 1024))]
    pub shards: u32,
    /// On how many nodes each shard is kept. Only 1 until shards are replicated.
    #[serde(default = "default_replication_factor")]
    #[schemars(range(min = 1, max = 7))]
    pub replication_factor: u32,
    /// The volume of each node, and how documents become segments on it. Volumes stay when the cluster is deleted, and
    /// are adopted by a cluster of the same name.
    #[serde(default)]
    pub storage: StorageSpec,
    /// The write-ahead log of each shard.
    #[serde(default)]
    pub wal: WalSpec,
    /// The etcd that holds the cluster's metadata. Without it the operator's own default is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd: Option<EtcdSpec>,
    /// The image of the nodes. Without it the operator's own default is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub image: Option<String>,
    /// What the pods get beyond what a node needs.
    #[serde(default)]
    pub pod: PodSpec,
    /// Limits of ingest.
    #[serde(default)]
    pub ingest: IngestSpec,
    /// What the documents of indexes must be like, by index. The entry `default` holds for every index without one of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub indexes: Vec<IndexSpec>,
    /// How much each node takes in at once, and from when on it says no.
    #[serde(default)]
    pub admission: AdmissionSpec,
    /// The Service that clients write to and search on.
    #[serde(default)]
    pub service: ServiceSpec,
    /// Whether the operator leaves the cluster alone: nothing is changed, the status is still kept.
    #[serde(default)]
    pub paused: bool,
}

/// The etcd that holds the cluster's metadata.
#[derive(JsonSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdSpec {
    /// Its members, each as `http://host:port`.
    #[schemars(length(min = 1, max = 9))]
    pub endpoints: Vec<Endpoint>,
}

/// The address of one member of etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Endpoint(pub String);

/// What the pods get beyond what a node needs.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// CPU and memory of each node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Labels that a Kubernetes node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Where pods may or should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Taints that the pods bear.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// How pods spread; without it evenly over zones and hosts as far as that is possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    /// The names of Secrets with which the image is pulled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,
}

/// The Service that clients use.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ServiceKind,
    /// Its annotations, for load balancers and the like.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The type of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ServiceKind {
    /// Reached within the Kubernetes cluster.
    #[default]
    ClusterIP,
    /// Reached on a port of every Kubernetes node.
    NodePort,
    /// Reached through a load balancer.
    LoadBalancer,
}

impl ServiceKind {
    /// Kubernetes' word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ServiceKind::ClusterIP => "ClusterIP",
            ServiceKind::NodePort => "NodePort",
            ServiceKind::LoadBalancer => "LoadBalancer",
        }
    }
}

impl JsonSchema for Endpoint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Endpoint".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (rule, message) = rules::ENDPOINT;
        schemars::json_schema!({
            "type": "string",
            "maxLength": 300,
            "x-kubernetes-validations": [{ "rule": rule, "message": message }],
        })
    }
}

fn default_nodes() -> u32 {
    3
}

fn default_shards() -> u32 {
    12
}

fn default_replication_factor() -> u32 {
    1
}

//! What a person writes. Every field has a default and an effect; a ten-line resource is enough.
//!
//! Figures are checked by the schema and by [`rules`]; `controller::validate` turns a spec into typed values.

#![expect(unreachable_pub, reason = "kube's schema derive copies each public struct into a function body")]

use std::collections::BTreeMap;

use grepzilla_api::config;
use grepzilla_api::ingest;
use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration, TopologySpreadConstraint};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity::{ByteQuantity, Span};
use super::rules;
use super::status::GrepzillaClusterStatus;

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
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "age"),
    validation = rules::NAME
)]
#[x_kube(
    validation = rules::REPLICATION_FACTOR_IS_ONE,
    validation = rules::REPLICATION_FACTOR_FITS,
    validation = rules::SHARDS_IMMUTABLE,
    validation = rules::ETCD_IMMUTABLE
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
    /// The volume of each node. Volumes stay when the cluster is deleted, and are adopted by a cluster of the same name.
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
    /// The Service that clients write to and search on.
    #[serde(default)]
    pub service: ServiceSpec,
    /// Whether the operator leaves the cluster alone: nothing is changed, the status is still kept.
    #[serde(default)]
    pub paused: bool,
}

/// The volume of each node.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::STORAGE_CLASS_IMMUTABLE, validation = rules::STORAGE_NEVER_SHRINKS)]
#[serde(rename_all = "camelCase", default = "StorageSpec::default")]
pub struct StorageSpec {
    /// Its size. It can grow where the storage class allows expansion.
    pub size: ByteQuantity,
    /// Its storage class; the cluster's default class if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,
}

/// The write-ahead log of each shard.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::WAL_BYTES, validation = rules::WAL_AGE, validation = rules::WAL_FSYNC_INTERVAL)]
#[serde(rename_all = "camelCase", default = "WalSpec::default")]
pub struct WalSpec {
    /// When an append reaches the disk: `always` before it is acknowledged, `batch` at intervals, `disabled` when the operating system likes.
    pub fsync: Fsync,
    /// The time between syncs with `fsync: batch`.
    pub fsync_interval: Span,
    /// The size at which a file of the log ends.
    pub max_bytes: ByteQuantity,
    /// The age at which a file of the log ends.
    pub max_age: Span,
}

/// When an append reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fsync {
    /// Before it is acknowledged.
    #[default]
    Always,
    /// At intervals.
    Batch,
    /// When the operating system likes.
    Disabled,
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

/// Limits of ingest.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = rules::INGEST_BODY,
    validation = rules::INGEST_DOCUMENT,
    validation = rules::INGEST_VALUE,
    validation = rules::INGEST_QUEUE,
    validation = rules::INGEST_TIMEOUT
)]
#[serde(rename_all = "camelCase", default = "IngestSpec::default")]
pub struct IngestSpec {
    /// What an answer waits for where the request does not say: `leader`, `quorum` or `all`.
    pub ack: Ack,
    /// The largest body of a request, decompressed.
    pub body_bytes_max: ByteQuantity,
    /// The largest document.
    pub document_bytes_max: ByteQuantity,
    /// The largest value of a field.
    pub value_bytes_max: ByteQuantity,
    /// The deepest nesting of a document.
    #[schemars(range(min = 1, max = 128))]
    pub depth_max: u32,
    /// The most values in a document.
    #[schemars(range(min = 1, max = 65535))]
    pub leaves_max: u32,
    /// How long a write waits for its acknowledgement where the request does not say.
    pub timeout: Span,
    /// The most bytes that wait for one shard's log; more is answered with 503.
    pub queue_bytes_max: ByteQuantity,
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ack {
    /// Durable on the shard's leader.
    Leader,
    /// Committed.
    #[default]
    Quorum,
    /// Committed and durable on every in-sync replica.
    All,
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

impl Default for StorageSpec {
    fn default() -> StorageSpec {
        StorageSpec { size: "20Gi".into(), storage_class_name: None }
    }
}

impl Default for WalSpec {
    fn default() -> WalSpec {
        WalSpec { fsync: Fsync::Always, fsync_interval: "100ms".into(), max_bytes: "64Mi".into(), max_age: "5m".into() }
    }
}

impl Default for IngestSpec {
    fn default() -> IngestSpec {
        IngestSpec {
            ack: Ack::Quorum,
            body_bytes_max: "8Mi".into(),
            document_bytes_max: "1Mi".into(),
            value_bytes_max: "256Ki".into(),
            depth_max: 32,
            leaves_max: 1_000,
            timeout: "10s".into(),
            queue_bytes_max: "64Mi".into(),
        }
    }
}

impl From<Fsync> for config::Fsync {
    fn from(fsync: Fsync) -> config::Fsync {
        match fsync {
            Fsync::Always => config::Fsync::Always,
            Fsync::Batch => config::Fsync::Batch,
            Fsync::Disabled => config::Fsync::Disabled,
        }
    }
}

impl From<Ack> for ingest::Ack {
    fn from(ack: Ack) -> ingest::Ack {
        match ack {
            Ack::Leader => ingest::Ack::Leader,
            Ack::Quorum => ingest::Ack::Quorum,
            Ack::All => ingest::Ack::All,
        }
    }
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

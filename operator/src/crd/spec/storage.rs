//! The volume of each node, and how documents become segments on it.

use grepzilla_api::config::StorageConfig;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::crd::quantity::{ByteQuantity, Span};
use crate::crd::rules;

/// The volume of each node, and how documents become segments on it.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = rules::STORAGE_CLASS_IMMUTABLE,
    validation = rules::STORAGE_SIZE,
    validation = rules::STORAGE_NEVER_SHRINKS,
    validation = rules::STORAGE_FLUSH_BYTES,
    validation = rules::STORAGE_FLUSH_AGE,
    validation = rules::STORAGE_CACHE,
    validation = rules::STORAGE_MERGED,
    validation = rules::STORAGE_RETENTION_AGE,
    validation = rules::STORAGE_RETENTION_BYTES
)]
#[serde(rename_all = "camelCase", default = "StorageSpec::default")]
pub struct StorageSpec {
    /// The volume's size. It can grow where the storage class allows expansion.
    pub size: ByteQuantity,
    /// Its storage class; the cluster's default class if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,
    /// Bytes of documents in the hot tier of one shard at which they are written to a segment: 1Ki to 4Gi.
    pub flush_bytes: ByteQuantity,
    /// The age at which documents are written to a segment even if they are few: 1s to 24h.
    pub flush_age: Span,
    /// Memory of each node for parts of segments that were read: 1Mi to 1Ti.
    pub cache_bytes: ByteQuantity,
    /// Whether segments are merged. Without it they grow in number, up to 1,000 a shard.
    pub merge: bool,
    /// Bytes of documents in a segment that was merged, at most: 1Mi to 64Gi.
    pub merged_bytes_max: ByteQuantity,
    /// The age at which documents go, of all indexes, counted from when they were received: 60s to 876000h; never if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_age: Option<Span>,
    /// Bytes of segment files of one shard beyond which its oldest segments go: 64Ki to 1Pi; never if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_bytes: Option<ByteQuantity>,
}

impl Default for StorageSpec {
    fn default() -> StorageSpec {
        let node = StorageConfig::default();
        StorageSpec {
            size: "20Gi".into(),
            storage_class_name: None,
            flush_bytes: ByteQuantity::from_bytes(node.flush_bytes),
            flush_age: Span::from_seconds(node.flush_age_seconds),
            cache_bytes: ByteQuantity::from_bytes(node.cache_bytes),
            merge: node.merge,
            merged_bytes_max: ByteQuantity::from_bytes(node.merged_bytes_max),
            retention_age: node.retention_age_seconds.map(Span::from_seconds),
            retention_bytes: node.retention_bytes.map(ByteQuantity::from_bytes),
        }
    }
}

//! The write-ahead log of each shard.

use grepzilla_api::config::{self, WalConfig};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::quantity::{ByteQuantity, Span};
use crate::crd::rules;

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

impl Default for WalSpec {
    fn default() -> WalSpec {
        let node = WalConfig::default();
        WalSpec {
            fsync: Fsync::default(),
            fsync_interval: Span::from_milliseconds(node.fsync_interval_ms),
            max_bytes: ByteQuantity::from_bytes(node.max_bytes),
            max_age: Span::from_seconds(node.max_age_seconds),
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

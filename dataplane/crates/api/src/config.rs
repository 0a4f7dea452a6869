//! The node's configuration: a YAML file, written by the operator or by hand. Every field has a default.

mod admission;
mod error;
mod indexes;
mod storage;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::contract;
use crate::ingest::Ack;

pub use admission::{AdmissionConfig, RateConfig};
pub use error::ConfigError;
pub use indexes::{DEFAULT_INDEX, IndexConfig, RetentionConfig};
pub use storage::StorageConfig;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Where the HTTP API listens.
    pub listen: SocketAddr,
    /// Where the peer port listens; only with `cluster`.
    pub peer_listen: SocketAddr,
    /// The folder for everything that must survive.
    pub data: PathBuf,
    /// The cluster this node belongs to. Without it the node is alone and keeps its metadata on its disk.
    pub cluster: Option<ClusterConfig>,
    /// Shards of a node that is alone, fixed when its folder is made: 1 to 1,024.
    pub shards: u32,
    /// The log.
    pub wal: WalConfig,
    /// Segments, and what of them is kept in memory.
    pub storage: StorageConfig,
    /// Limits of ingest.
    pub ingest: IngestConfig,
    /// What the documents of indexes must be like, by index; [`DEFAULT_INDEX`] stands for all that are not named.
    pub indexes: BTreeMap<String, IndexConfig>,
    /// How much is taken in at once.
    pub admission: AdmissionConfig,
    /// Limits of search.
    pub search: SearchConfig,
}

/// Where the cluster's metadata are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// The root of the cluster's keys.
    pub root: String,
    /// etcd's endpoints, each as `http://host:port`.
    pub etcd: Vec<String>,
    /// The file with the cluster secret.
    #[serde(default = "default_secret_file")]
    pub secret_file: PathBuf,
    /// Seconds after which a node that is silent is taken off the registry: 1 to 60.
    #[serde(default = "default_lease_ttl_seconds")]
    pub lease_ttl_seconds: u64,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalConfig {
    /// When an append is synced.
    pub fsync: Fsync,
    /// Milliseconds between syncs with `fsync: batch`: 1 to 60,000.
    pub fsync_interval_ms: u64,
    /// The size at which a file ends: 1 MiB to 1 GiB.
    pub max_bytes: u64,
    /// The age in seconds at which a file ends: 1 or more.
    pub max_age_seconds: u64,
}

/// When an append is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// Limits of ingest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// What an answer waits for where the request does not say.
    pub ack: Ack,
    /// Bytes of a decompressed body, at most: 1 KiB to 15 MiB, because a batch is one frame of at most 16 MiB.
    pub body_bytes_max: u64,
    /// Bytes of one document, at most: up to 8 MiB.
    pub document_bytes_max: u64,
    /// Bytes of one value, at most.
    pub value_bytes_max: u64,
    /// Nesting of one document, at most.
    pub depth_max: u32,
    /// Leaves of one document, at most.
    pub leaves_max: u32,
    /// Milliseconds that a write waits for its acknowledgement where the request does not say.
    pub timeout_ms: u64,
    /// Bytes of batches waiting for one shard's log, at most; more is answered with 503.
    pub queue_bytes_max: u64,
}

/// Limits of search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchConfig {
    /// Searches answered at once; more wait.
    pub concurrency_max: usize,
    /// Bytes of a request, at most.
    pub body_bytes_max: u64,
    /// Bytes of a pattern, at most.
    pub pattern_bytes_max: usize,
    /// Seconds for which a cursor is good.
    pub cursor_ttl_seconds: u64,
}

impl Default for NodeConfig {
    fn default() -> NodeConfig {
        NodeConfig {
            listen: SocketAddr::from(([0, 0, 0, 0], contract::HTTP_PORT)),
            peer_listen: SocketAddr::from(([0, 0, 0, 0], contract::PEER_PORT)),
            data: contract::DATA_PATH.into(),
            cluster: None,
            shards: 2,
            wal: WalConfig::default(),
            storage: StorageConfig::default(),
            ingest: IngestConfig::default(),
            indexes: BTreeMap::new(),
            admission: AdmissionConfig::default(),
            search: SearchConfig::default(),
        }
    }
}

impl Default for WalConfig {
    fn default() -> WalConfig {
        WalConfig { fsync: Fsync::Always, fsync_interval_ms: 100, max_bytes: 64 << 20, max_age_seconds: 300 }
    }
}

impl Default for IngestConfig {
    fn default() -> IngestConfig {
        IngestConfig {
            ack: Ack::Quorum,
            body_bytes_max: 8 << 20,
            document_bytes_max: 1 << 20,
            value_bytes_max: 256 << 10,
            depth_max: 32,
            leaves_max: 1_000,
            timeout_ms: 10_000,
            queue_bytes_max: 64 << 20,
        }
    }
}

impl Default for SearchConfig {
    fn default() -> SearchConfig {
        SearchConfig {
            concurrency_max: 32,
            body_bytes_max: 256 << 10,
            pattern_bytes_max: 4 << 10,
            cursor_ttl_seconds: 600,
        }
    }
}

fn default_secret_file() -> PathBuf {
    contract::SECRET_PATH.into()
}

fn default_lease_ttl_seconds() -> u64 {
    3
}

impl NodeConfig {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<NodeConfig, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        NodeConfig::parse(&text)
    }

    /// Reads and checks YAML text.
    pub fn parse(text: &str) -> Result<NodeConfig, ConfigError> {
        let config: NodeConfig =
            serde_saphyr::from_str(text).map_err(|error| ConfigError::Malformed { reason: error.to_string() })?;
        config.validate()?;
        Ok(config)
    }

    /// Checks every bound and the relations between fields.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("shards", u64::from(self.shards), 1, 1_024)?;
        within("wal.fsync_interval_ms", self.wal.fsync_interval_ms, 1, 60_000)?;
        within("wal.max_bytes", self.wal.max_bytes, 1 << 20, 1 << 30)?;
        within("wal.max_age_seconds", self.wal.max_age_seconds, 1, u64::MAX)?;
        self.storage.validate()?;
        within("ingest.body_bytes_max", self.ingest.body_bytes_max, 1 << 10, 15 << 20)?;
        within("ingest.document_bytes_max", self.ingest.document_bytes_max, 2, 8 << 20)?;
        within("ingest.value_bytes_max", self.ingest.value_bytes_max, 1, self.ingest.document_bytes_max)?;
        within("ingest.depth_max", u64::from(self.ingest.depth_max), 1, 128)?;
        within("ingest.leaves_max", u64::from(self.ingest.leaves_max), 1, 65_535)?;
        within("ingest.timeout_ms", self.ingest.timeout_ms, 1, 600_000)?;
        within("ingest.queue_bytes_max", self.ingest.queue_bytes_max, self.ingest.body_bytes_max, 1 << 32)?;
        for (name, index) in &self.indexes {
            index.validate(name, &self.ingest)?;
        }
        self.admission.validate(&self.ingest)?;
        within("search.concurrency_max", self.search.concurrency_max as u64, 1, 4_096)?;
        within("search.body_bytes_max", self.search.body_bytes_max, 1 << 10, 16 << 20)?;
        within("search.pattern_bytes_max", self.search.pattern_bytes_max as u64, 1, 64 << 10)?;
        within("search.cursor_ttl_seconds", self.search.cursor_ttl_seconds, 1, 86_400)?;
        self.cluster.as_ref().map_or(Ok(()), ClusterConfig::validate)
    }
}

impl ClusterConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        within("cluster.lease_ttl_seconds", self.lease_ttl_seconds, 1, 60)?;
        if self.etcd.is_empty() {
            return Err(ConfigError::Empty { field: "cluster.etcd" });
        }
        if !self.root.starts_with('/') || self.root.ends_with('/') {
            return Err(ConfigError::Root { found: self.root.clone() });
        }
        Ok(())
    }
}

fn within(field: &str, found: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { field: field.to_owned(), found, min, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default_and_the_default_is_valid() {
        assert_eq!(NodeConfig::parse("{}").expect("valid"), NodeConfig::default());
    }

    #[test]
    fn what_the_operator_writes_is_read_back() {
        let config = NodeConfig {
            cluster: Some(ClusterConfig {
                root: contract::etcd_root("ns", "logs"),
                etcd: vec!["http://etcd:2379".into()],
                secret_file: default_secret_file(),
                lease_ttl_seconds: 3,
            }),
            ..NodeConfig::default()
        };
        let text = serde_saphyr::to_string(&config).expect("serializes");
        assert_eq!(NodeConfig::parse(&text).expect("valid"), config);
    }

    #[test]
    fn an_unknown_field_and_a_figure_out_of_range_are_named() {
        let unknown = NodeConfig::parse("wal: {fsink: always}").expect_err("unknown").to_string();
        assert!(unknown.contains("fsink"), "{unknown}");
        let large = NodeConfig::parse("ingest: {body_bytes_max: 99999999}").expect_err("too large").to_string();
        assert!(large.contains("ingest.body_bytes_max is 99999999"), "{large}");
    }
}

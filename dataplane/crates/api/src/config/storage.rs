//! How documents become segments, and what of them is kept in memory.

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

/// How documents become segments, and what of them is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// Bytes of documents in the hot tier of one shard at which they are written to a segment: 1 KiB to 4 GiB. Twice as
    /// much is held in memory while that goes on. Default 64 MiB.
    pub flush_bytes: u64,
    /// Seconds after which documents are written to a segment even if they are few: 1 to 86,400. Default 300.
    pub flush_age_seconds: u64,
    /// Bytes of memory for parts of segments that were read, for all shards together: 1 MiB to 1 TiB. Default 256 MiB.
    pub cache_bytes: u64,
    /// Whether segments are merged. Without it they grow in number, up to 400 a shard; beyond that they are merged all the
    /// same, because a manifest names 1,000 at most. Default true.
    pub merge: bool,
    /// Bytes of documents in a segment that was merged, at most: 1 MiB to 64 GiB. Default 1 GiB.
    pub merged_bytes_max: u64,
    /// Seconds after which documents go, counted from when they were received, of all indexes that do not say otherwise
    /// (`indexes.<name>.retention`): 60 to 3,153,600,000. Default: never.
    pub retention_age_seconds: Option<u64>,
    /// Bytes of segment files of one shard beyond which its oldest segments go at once, of whatever index: 64 KiB to 1 PiB. A
    /// cursor that would show what is gone gets 410. Default: never.
    pub retention_bytes: Option<u64>,
}

impl Default for StorageConfig {
    fn default() -> StorageConfig {
        StorageConfig {
            flush_bytes: 64 << 20,
            flush_age_seconds: 300,
            cache_bytes: 256 << 20,
            merge: true,
            merged_bytes_max: 1 << 30,
            retention_age_seconds: None,
            retention_bytes: None,
        }
    }
}

impl StorageConfig {
    /// Checks every bound.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("storage.flush_bytes", self.flush_bytes, 1 << 10, 4 << 30)?;
        within("storage.flush_age_seconds", self.flush_age_seconds, 1, 86_400)?;
        within("storage.cache_bytes", self.cache_bytes, 1 << 20, 1 << 40)?;
        let optional =
            |field, found: Option<u64>, min, max| found.map_or(Ok(()), |found| within(field, found, min, max));
        optional("storage.retention_age_seconds", self.retention_age_seconds, 60, 3_153_600_000)?;
        optional("storage.retention_bytes", self.retention_bytes, 64 << 10, 1 << 50)?;
        within("storage.merged_bytes_max", self.merged_bytes_max, 1 << 20, 64 << 30)
    }
}

#[cfg(test)]
mod tests {
    use super::super::NodeConfig;

    #[test]
    fn every_figure_has_two_sides() {
        for (good, bad, named) in [
            ("{flush_bytes: 1024}", "{flush_bytes: 1023}", "storage.flush_bytes is 1023"),
            ("{flush_bytes: 4294967296}", "{flush_bytes: 4294967297}", "to 4294967296"),
            ("{flush_age_seconds: 1}", "{flush_age_seconds: 0}", "storage.flush_age_seconds"),
            ("{cache_bytes: 1048576}", "{cache_bytes: 1048575}", "storage.cache_bytes"),
            ("{merged_bytes_max: 1048576}", "{merged_bytes_max: 5}", "storage.merged_bytes_max"),
            ("{retention_age_seconds: 60}", "{retention_age_seconds: 59}", "storage.retention_age_seconds is 59"),
            ("{retention_bytes: 65536}", "{retention_bytes: 65535}", "storage.retention_bytes"),
            ("{merge: false}", "{merges: false}", "merges"),
        ] {
            assert!(NodeConfig::parse(&format!("storage: {good}")).is_ok(), "{good}");
            let error = NodeConfig::parse(&format!("storage: {bad}")).expect_err("refused").to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}

//! How a shard's log is kept.

use std::sync::Arc;
use std::time::Duration;

use grepzilla_model::Durability;

use crate::BlockCache;
use crate::hot::HotOptions;
use crate::segment::SegmentOptions;
use crate::shard::retention::RetentionRules;

/// What one shard is opened with.
#[derive(Debug, Clone)]
pub struct ShardOptions {
    /// When the log is synced. Default: always.
    pub fsync: FsyncMode,
    /// The largest log file, in bytes. Files start at 4 MiB, or at this if it is less, and double. Default 64 MiB.
    /// A single frame of more than that still finds its place.
    pub wal_bytes_max: u64,
    /// A log file that holds documents is ended this long after its first one. Default 5 minutes.
    pub wal_age_max: Duration,
    /// How many bytes of batches may wait for their acknowledgement. Beyond it [`Shard::append`](crate::Shard::append)
    /// refuses, but for one batch that finds nothing waiting. Default 32 MiB.
    pub queue_bytes_max: usize,
    /// How long an Idempotency-Key is remembered. Default 24 hours.
    pub key_age_max: Duration,
    /// How many Idempotency-Keys are remembered; the oldest go first. Default 1,000,000.
    pub keys_max: usize,
    /// The hot tier is to be flushed when it holds so many bytes of documents. Default 64 MiB.
    pub flush_bytes: u64,
    /// The hot tier is to be flushed when its oldest record was received so long ago. Default 5 minutes.
    pub flush_age: Duration,
    /// The most bytes of documents in a segment that was merged. Default 1 GiB.
    pub merged_bytes_max: u64,
    /// Bytes of documents in a block that was merged. Default 1 MiB.
    pub merged_block_bytes: u64,
    /// How long a cursor can be continued: a version that was superseded more recently is kept. Default 10 minutes.
    pub cursor_ttl: Duration,
    /// A shard with more segments than this merges also what the tiers would leave alone, so that its manifest never becomes too
    /// long. Default 400: also the longest entries of so many leave
    /// room for more, should merging be slow, in the 256 KiB that a list may take.
    pub segments_max: usize,
    /// What is kept of each index. Default: everything.
    pub retention: Arc<RetentionRules>,
    /// The oldest segments go at once while the files of all segments take more bytes than this. Default: never.
    pub retention_bytes: Option<u64>,
    /// How segments are written.
    pub segment: SegmentOptions,
    /// Where parts of segments are kept in memory; shared by all shards of a node.
    pub cache: Arc<BlockCache>,
    /// The hot tier's own options.
    pub hot: HotOptions,
}

impl Default for ShardOptions {
    fn default() -> ShardOptions {
        ShardOptions {
            fsync: FsyncMode::Always,
            wal_bytes_max: 64 << 20,
            wal_age_max: Duration::from_secs(300),
            queue_bytes_max: 32 << 20,
            key_age_max: Duration::from_secs(24 * 3600),
            keys_max: 1_000_000,
            flush_bytes: 64 << 20,
            flush_age: Duration::from_secs(300),
            merged_bytes_max: 1 << 30,
            merged_block_bytes: 1 << 20,
            cursor_ttl: Duration::from_secs(600),
            segments_max: 400,
            retention: Arc::default(),
            retention_bytes: None,
            segment: SegmentOptions::default(),
            cache: Arc::default(),
            hot: HotOptions::default(),
        }
    }
}

/// When the log is synced, and so what an acknowledgement survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsyncMode {
    /// Before every acknowledgement.
    Always,
    /// At least every `interval` while there is something to sync: power loss costs at most that much, the end of the
    /// process nothing.
    Batch {
        /// The longest time that an acknowledged batch may be unsynced.
        interval: Duration,
    },
    /// Only where a file ends and where the shard is closed: power loss may cost everything since, the end of the
    /// process nothing.
    Disabled,
}

impl FsyncMode {
    /// What an acknowledgement rests on.
    pub fn durability(self) -> Durability {
        match self {
            FsyncMode::Always => Durability::Fsync,
            FsyncMode::Batch { .. } | FsyncMode::Disabled => Durability::Os,
        }
    }
}

//! One shard on one disk: its log, its hot tier, and every byte it keeps.
//!
//! Synchronous: it knows neither tokio nor the network, and never asks who leads. [`Shard`] is the whole of it seen
//! from outside.
//!
//! ```text
//! Shard::append -> queue -> log thread: frames -> write + sync -> hot tier -> acknowledgement
//! Shard::open   -> replica.json -> files of the log -> good records -> hot tier -> unproven tail logged again
//! ```
//!
//! What both the hot tier and segments hold is a [`block`].
//!
//! What is never so: a record is visible that is not in the log; a record is acknowledged that is not visible; a
//! damaged byte is deleted.

pub mod block;
mod cache;
pub mod disk;
mod error;
pub mod hot;
mod priority;
mod replica;
pub mod segment;
pub mod shard;
mod view;
pub mod wal;

pub use cache::{BlockCache, CacheStats};
pub use error::{AppendError, Corruption, MaintenanceError, OpenError, ReadError};
pub use replica::read_manifest;
pub use shard::{
    Appended, Damage, Flushed, FsyncMode, MaintenanceStats, Merged, OpenProgress, Positions, ReplayStats, Retained,
    Retention, RetentionRules, Shard, ShardOptions, ShardStats,
};
pub use view::{StoredDocument, View};

//! `explain` of a search: how each shard found what it found.

use grepzilla_model::ShardId;
use serde::{Deserialize, Serialize};

/// How one shard went about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardExplanation {
    /// The shard.
    pub shard: ShardId,
    /// The patterns, in the order of the query.
    pub patterns: Vec<ExplainedPattern>,
    /// Blocks there are.
    pub blocks_total: u64,
    /// Blocks that the index of grams excluded.
    pub blocks_excluded: u64,
    /// Blocks that were read.
    pub blocks_read: u64,
    /// Bytes of values that were scanned.
    pub bytes_read: u64,
    /// Threads that worked on it.
    pub threads: usize,
    /// Microseconds that the index of grams took.
    pub plan_us: u64,
    /// Microseconds that the visit of blocks took, the index included.
    pub scan_us: u64,
    /// Microseconds that putting the page together took.
    pub assembly_us: u64,
}

/// One pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPattern {
    /// What the folded text of every match contains, cut to 1,000 characters; `everything` if nothing is known.
    pub required: String,
    /// How many grams were looked up for it, over all segments.
    pub grams: u64,
}

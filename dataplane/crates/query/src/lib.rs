//! Pattern to plan to verified hits, over the blocks of one shard.
//!
//! A [`Query`] is compiled once per node and asked of each shard by [`search`]. The answers hold for every query: no match
//! is missed, none is invented, and a deadline and a candidate budget are kept and reported.
//!
//! Synchronous; knows neither the network nor the disk.

mod bits;
mod clock;
mod compiled;
mod error;
mod leaf;
mod matcher;
mod order;
mod pattern;
mod range;
mod rarity;
mod required;
mod tree;

pub use compiled::{CompiledQuery, compile};
pub use error::QueryError;
pub use leaf::{
    Aggregations, BUCKETS_MAX, Histogram, LeafAnswer, LeafHit, LeafMetrics, LeafRequest, TERMS_BYTES_MAX,
    TERMS_SENT_MAX, TermCount, Terms, search,
};
pub use order::{Order, Rank, SortKey};
pub use pattern::{PATTERN_BYTES_MAX, Pattern, REGEX_BYTES_MAX, REGEX_DEPTH_MAX};
pub use tree::{Bound, Bounds, DEPTH_MAX, NODES_MAX, Node, Query, TimeRange};

//! The shards of this node: which there are, and where each stands.

pub mod table;

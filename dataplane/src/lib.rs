//! The node: wiring of log, search, membership and the HTTP API.

pub mod node;
pub mod shards;
pub mod shutdown;

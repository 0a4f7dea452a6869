//! The node: wiring of log, search, membership and the HTTP API.
//!
//! `README.md` of this package is the map.

mod admission;
mod bootstrap;
mod document;
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod ingest;
pub mod logging;
mod manifest;
mod membership;
mod metrics;
pub mod node;
mod peers;
mod search;
pub mod serve;
pub mod server;
mod shards;
pub mod shutdown;

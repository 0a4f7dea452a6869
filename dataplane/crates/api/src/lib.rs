//! The contract outward: request and response types of the HTTP API, the node's configuration, what operator and node
//! agree on, and a client.
//!
//! Wire types live here and nowhere else; the node converts them at its border.

pub mod client;
pub mod config;
pub mod contract;
pub mod document;
pub mod error;
pub mod ingest;
pub mod manifest;
pub mod peer;
pub mod search;
pub mod status;
pub mod tail;

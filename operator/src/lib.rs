//! The operator: one `GrepzillaCluster` in, a running cluster out.
//!
//! It declares, the nodes execute: it decides how many pods there are and which node should hold which shard, and never
//! moves a byte of data nor decides who leads. README.md is the map.

pub mod access;
pub mod controller;
pub mod crd;
pub mod http;
pub mod leader;
pub mod metadata;
pub mod metrics;
pub mod operator;

#[cfg(test)]
mod fixtures;

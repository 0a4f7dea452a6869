//! Everything that touches the metadata store: the contract of a store and its three homes (etcd, disk, memory), the
//! keys of one cluster, leases, the ring and placement.
//!
//! Nothing outside this crate knows etcd.
//!
//! | module | what it gives |
//! |---|---|
//! | [`store`] | the contract of a metadata store and its three homes |
//! | [`keyspace`] | which keys a cluster has, and the form of their values |
//! | [`registry`] | a node's presence, as long as its process lives |
//! | [`leadership`] | epochs and leaders of shards, by compare-and-swap |
//! | [`manifests`] | which segments each shard has, by compare-and-swap |
//! | [`ring_writer`] | what the operator writes, fenced by its term |
//! | [`topology`] | an always-current picture of the whole cluster |
//! | [`adopted`] | what a node remembers of that picture on its own disk |
//! | [`placement`] | which nodes should hold which shard |

pub mod adopted;
pub mod keyspace;
pub mod leadership;
pub mod manifests;
pub mod placement;
mod read;
pub mod registry;
pub mod ring_writer;
pub mod store;
pub mod topology;

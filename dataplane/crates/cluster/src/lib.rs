//! Everything that touches the metadata store: the contract of a store and its three homes (etcd, disk, memory), the
//! keys of one cluster, leases, the ring and placement.
//!
//! Nothing outside this crate knows etcd.

pub mod store;

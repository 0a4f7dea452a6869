//! The metadata store in its three homes, and the typed operations on it, against real processes where there are any.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod conformance;
mod etcd;
mod etcd_stories;
mod faulty;
mod fixtures;
mod leadership;
mod manifests;
mod placement;
mod registry;
mod ring_writer;
mod topology;

//! Helpers of the stories: the kind cluster, the custom resource, the way in through the Service, real documents with a
//! plain scan, a loader that remembers what was acknowledged, and a single node as a child process.
//!
//! The stories themselves are in `tests/stories`. They read Kubernetes objects through kube and data through the Service
//! only, as a user would.

pub mod audit;
pub mod documents;
pub mod gateway;
pub mod kind;
pub mod loader;
pub mod local_node;
pub mod needles;
pub mod resource;
pub mod wait;

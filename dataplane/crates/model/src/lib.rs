//! The nouns of Grepzilla: ids, positions, records, documents, folding, the ring and what a shard is.
//!
//! Values only: no IO, no async, no clock. Every other crate speaks in these types, so two numbers of one primitive
//! type never meet in a signature.

pub mod config;
pub mod document;
pub mod fold;
pub mod ids;
pub mod manifest;
pub mod path;
pub mod record;
pub mod ring;
pub mod routing;
pub mod text;
pub mod time;

pub use config::{ReplicaRole, ShardConfig, ShardReplica, ShardState};
pub use ids::{Bucket, ClusterUuid, Epoch, Generation, Incarnation, IndexName, NodeIndex, NodeName, SeqNo, ShardId};
pub use manifest::{Manifest, SegmentEntry, SegmentName};
pub use record::{Batch, BodyHash, Durability, KeyHash, Record, RecordKind};
pub use ring::{BucketRange, Ring, RingNode, RingNodeState};
pub use text::SharedText;
pub use time::TimeNs;

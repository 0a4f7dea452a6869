//! The ring: which nodes there are, which shard owns which buckets, and which nodes should hold which shard.
//!
//! It is intent only. The operator writes it as one versioned value; what *is* stands in each shard's configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Bucket, NodeIndex, NodeName, ShardId};

/// The ring of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// Rises by one with every change.
    pub version: u64,
    /// The highest format that writers may use.
    pub feature_level: u32,
    /// Replicas per shard.
    pub replication_factor: u32,
    /// The nodes that exist or shall exist, by ordinal.
    pub nodes: BTreeMap<NodeIndex, RingNode>,
    /// Which shard owns which buckets: ascending, without gap or overlap, from 0 to 65,535.
    pub ranges: Vec<BucketRange>,
    /// Which nodes should hold each shard.
    pub targets: BTreeMap<ShardId, Vec<NodeIndex>>,
}

/// A node as the ring sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingNode {
    /// Its name, which the registry and the shard configurations use.
    pub name: NodeName,
    /// Its failure zone; empty when not known.
    #[serde(default)]
    pub zone: String,
    /// Whether shards may be placed on it.
    pub state: RingNodeState,
}

/// What the ring wants of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RingNodeState {
    /// Holds shards.
    Active,
    /// Shall give up its shards.
    Draining,
}

/// An inclusive range of buckets that one shard owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketRange {
    /// The first bucket.
    pub first: Bucket,
    /// The last bucket.
    pub last: Bucket,
    /// The owner.
    pub shard: ShardId,
}

impl Ring {
    /// Divides all buckets evenly among shards 0 to `shards` - 1, in order. `shards` is 1 to 65,536.
    pub fn even_ranges(shards: u32) -> Vec<BucketRange> {
        assert!((1..=65_536).contains(&shards), "a cluster has 1 to 65,536 shards, not {shards}");
        let start = |shard: u32| (u64::from(shard) * 65_536 / u64::from(shards)) as u32;
        (0..shards)
            .map(|shard| BucketRange {
                first: Bucket(start(shard) as u16),
                last: Bucket((start(shard + 1) - 1) as u16),
                shard: ShardId(shard),
            })
            .collect()
    }

    /// The shard that owns a bucket.
    pub fn shard_of(&self, bucket: Bucket) -> ShardId {
        let after = self.ranges.partition_point(|range| range.first <= bucket);
        self.ranges[after - 1].shard
    }

    /// All shards, ascending.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.targets.keys().copied()
    }

    /// The node names that should hold a shard; empty for a shard that is not there.
    pub fn target_names(&self, shard: ShardId) -> impl Iterator<Item = &NodeName> + '_ {
        self.targets.get(&shard).into_iter().flatten().filter_map(|index| self.nodes.get(index)).map(|node| &node.name)
    }

    /// Checks what every reader relies on: ranges tile all buckets, each owner has a target, each target is a node.
    pub fn check(&self) -> Result<(), RingError> {
        let mut next = 0u32;
        for range in &self.ranges {
            if u32::from(range.first.0) != next || range.last < range.first {
                return Err(RingError::Ranges { bucket: next });
            }
            if !self.targets.contains_key(&range.shard) {
                return Err(RingError::NoTarget { shard: range.shard });
            }
            next = u32::from(range.last.0) + 1;
        }
        if next != 65_536 {
            return Err(RingError::Ranges { bucket: next });
        }
        for (&shard, nodes) in &self.targets {
            if let Some(&node) = nodes.iter().find(|node| !self.nodes.contains_key(node)) {
                return Err(RingError::UnknownNode { shard, node });
            }
        }
        Ok(())
    }
}

/// A ring that must not be adopted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// The ranges do not tile the buckets.
    #[error("the ring's ranges have a gap, an overlap or a wrong order at bucket {bucket}")]
    Ranges {
        /// The first bucket that is not covered exactly once.
        bucket: u32,
    },
    /// A shard that owns buckets has no target.
    #[error("shard {shard} owns buckets but has no target in the ring")]
    NoTarget {
        /// The shard.
        shard: ShardId,
    },
    /// A target is not a node.
    #[error("shard {shard} is placed on node {node}, which is not in the ring")]
    UnknownNode {
        /// The shard.
        shard: ShardId,
        /// The index that names no node.
        node: NodeIndex,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(shards: u32) -> Ring {
        let node = RingNode { name: "n-0".into(), zone: String::new(), state: RingNodeState::Active };
        Ring {
            version: 1,
            feature_level: 1,
            replication_factor: 1,
            nodes: BTreeMap::from([(NodeIndex(0), node)]),
            ranges: Ring::even_ranges(shards),
            targets: (0..shards).map(|shard| (ShardId(shard), vec![NodeIndex(0)])).collect(),
        }
    }

    #[test]
    fn every_bucket_has_one_owner_whatever_the_number_of_shards() {
        for shards in [1, 2, 3, 7, 12, 1_000, 65_536] {
            let ring = ring(shards);
            ring.check().expect("even ranges tile");
            for bucket in [0, 1, 21_845, 32_767, 32_768, 65_534, 65_535] {
                let owner = ring.shard_of(Bucket(bucket));
                let range = ring.ranges.iter().find(|range| range.shard == owner).expect("the owner has a range");
                assert!(range.first.0 <= bucket && bucket <= range.last.0, "bucket {bucket} of {shards} shards");
            }
        }
    }

    #[test]
    fn a_gap_an_overlap_and_a_missing_target_are_found() {
        let mut gap = ring(4);
        gap.ranges.remove(1);
        assert_eq!(gap.check(), Err(RingError::Ranges { bucket: 16_384 }));
        let mut short = ring(4);
        short.ranges.pop();
        assert_eq!(short.check(), Err(RingError::Ranges { bucket: 49_152 }));
        let mut orphan = ring(4);
        orphan.targets.remove(&ShardId(2));
        assert_eq!(orphan.check(), Err(RingError::NoTarget { shard: ShardId(2) }));
        let mut unknown = ring(4);
        unknown.targets.insert(ShardId(3), vec![NodeIndex(9)]);
        assert_eq!(unknown.check(), Err(RingError::UnknownNode { shard: ShardId(3), node: NodeIndex(9) }));
    }
}

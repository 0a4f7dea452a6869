//! `ring`: what should be. Written by the operator whose term it carries; intent only.

use grepzilla_model::Ring;
use serde::{Deserialize, Serialize};

use super::Value;

/// The ring as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRing {
    /// The term of the operator that wrote it; with the ring's version it is the writer's mark.
    pub term: u64,
    /// The ring, checked.
    pub ring: Ring,
}

impl Value for StoredRing {
    const KIND: &'static str = "ring";

    fn check(&self) -> Result<(), String> {
        self.ring.check().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use grepzilla_model::{NodeIndex, RingNode, RingNodeState, ShardId};

    use super::super::ValueError;
    use super::super::value::testing::assert_round_trip;
    use super::*;

    fn sample() -> StoredRing {
        let node = |name: &str| RingNode { name: name.into(), zone: "z".to_owned(), state: RingNodeState::Active };
        let ring = Ring {
            version: 5,
            feature_level: 1,
            replication_factor: 1,
            nodes: BTreeMap::from([(NodeIndex(0), node("n-0")), (NodeIndex(10), node("n-10"))]),
            ranges: Ring::even_ranges(2),
            targets: BTreeMap::from([(ShardId(0), vec![NodeIndex(0)]), (ShardId(1), vec![NodeIndex(10)])]),
        };
        StoredRing { term: 2, ring }
    }

    #[test]
    fn round_trip_and_damage() {
        let json = concat!(
            r#"{"v":1,"value":{"term":2,"ring":{"version":5,"feature_level":1,"replication_factor":1,"#,
            r#""nodes":{"0":{"name":"n-0","zone":"z","state":"active"},"10":{"name":"n-10","zone":"z","state":"active"}},"#,
            r#""ranges":[{"first":0,"last":32767,"shard":0},{"first":32768,"last":65535,"shard":1}],"#,
            r#""targets":{"0":[0],"1":[10]}}}}"#
        );
        assert_round_trip(&sample(), json);
    }

    #[test]
    fn a_ring_that_leaves_a_gap_is_damaged() {
        let mut stored = sample();
        stored.ring.ranges.pop();
        let error = StoredRing::decode("/ring", &stored.encode()).unwrap_err();
        assert!(matches!(&error, ValueError::Damaged { reason, .. } if reason.contains("32768")), "{error}");
    }
}

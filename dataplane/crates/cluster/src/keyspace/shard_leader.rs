//! `shards/<id>/leader`: who leads a shard now. Leased; liveness and discovery only, never proof.

use grepzilla_model::{Epoch, NodeName};
use serde::{Deserialize, Serialize};

use super::Value;

/// A leader that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderRecord {
    /// The node.
    pub node: NodeName,
    /// The epoch it has claimed.
    pub epoch: Epoch,
}

impl Value for LeaderRecord {
    const KIND: &'static str = "leader record";
}

#[cfg(test)]
mod tests {
    use super::super::value::testing::assert_round_trip;
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let record = LeaderRecord { node: "n-1".into(), epoch: Epoch(7) };
        assert_round_trip(&record, r#"{"v":1,"value":{"node":"n-1","epoch":7}}"#);
    }
}

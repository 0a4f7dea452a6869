//! `shards/<id>/config`: what a shard is. Changed only by compare-and-swap, by its leader or a candidate.

use grepzilla_model::{NodeName, ShardConfig};
use serde::{Deserialize, Serialize};

use super::{Nonce, Value};

/// A shard's configuration as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredConfig {
    /// The mark of whoever wrote it.
    pub writer: Nonce,
    /// The configuration.
    pub config: ShardConfig,
}

impl Value for StoredConfig {
    const KIND: &'static str = "shard configuration";

    fn check(&self) -> Result<(), String> {
        let has_replica = |node: &NodeName| self.config.replicas.iter().any(|replica| replica.node == *node);
        match self.config.in_sync.iter().find(|node| !has_replica(node)) {
            Some(node) => Err(format!("{node} is in sync but has no replica")),
            None if !has_replica(&self.config.leader) => {
                Err(format!("{} leads but has no replica", self.config.leader))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{Epoch, Incarnation, ReplicaRole, ShardReplica, ShardState};

    use super::super::value::testing::assert_round_trip;
    use super::*;

    fn sample() -> StoredConfig {
        let replica = ShardReplica { node: "n-1".into(), incarnation: Incarnation(1), role: ReplicaRole::Member };
        let config = ShardConfig {
            epoch: Epoch(9),
            leader: "n-1".into(),
            replicas: vec![replica],
            in_sync: vec!["n-1".into()],
            min_isr: 1,
            state: ShardState::Active,
            lossy: None,
        };
        StoredConfig { writer: serde_json::from_str(r#""0123456789abcdef""#).unwrap(), config }
    }

    #[test]
    fn round_trip_and_damage() {
        let json = concat!(
            r#"{"v":1,"value":{"writer":"0123456789abcdef","config":{"epoch":9,"leader":"n-1","#,
            r#""replicas":[{"node":"n-1","incarnation":"0000000000000001","role":"member"}],"#,
            r#""in_sync":["n-1"],"min_isr":1,"state":"active"}}}"#
        );
        assert_round_trip(&sample(), json);
    }

    #[test]
    fn a_leader_or_an_in_sync_node_without_a_replica_is_damage() {
        let mut stored = sample();
        stored.config.leader = "n-2".into();
        assert!(StoredConfig::decode("/c", &stored.encode()).is_err());
        let mut stored = sample();
        stored.config.in_sync.push("n-2".into());
        assert!(StoredConfig::decode("/c", &stored.encode()).is_err());
    }
}

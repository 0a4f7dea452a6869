//! `nodes/<node>`: a node that is there. Written by the node under its lease, so it goes with the process.

use std::collections::BTreeMap;

use grepzilla_model::{Incarnation, NodeName, ShardId};
use serde::{Deserialize, Serialize};

use super::Value;

/// What a node says of itself. Nothing in it changes by itself, so a steady cluster writes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// Its name, which is also the end of its key.
    pub name: NodeName,
    /// Address of its HTTP API, `HOST:PORT`.
    pub api: String,
    /// Address of its peer port, `HOST:PORT`.
    pub peer: String,
    /// Its program's version.
    pub version: String,
    /// The highest feature level whose formats it can read.
    pub formats: u32,
    /// The replicas it holds, each with the life of its folder.
    pub incarnations: BTreeMap<ShardId, Incarnation>,
    /// What it is about to do.
    pub state: NodeState,
    /// The shards that it cannot write until a person acts, because something of them is damaged, each with a sentence of
    /// at most [`NodeRecord::TROUBLE_CHARS_MAX`] characters. A steady trouble is written once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub troubles: BTreeMap<ShardId, String>,
}

impl NodeRecord {
    /// Characters of what is said of one shard: thousands of them make a value that the store takes.
    pub const TROUBLE_CHARS_MAX: usize = 300;

    /// Says what is wrong with a shard, or that nothing is.
    pub fn report(&mut self, shard: ShardId, trouble: Option<&str>) {
        match trouble {
            Some(sentence) => {
                self.troubles.insert(shard, sentence.chars().take(NodeRecord::TROUBLE_CHARS_MAX).collect());
            }
            None => {
                self.troubles.remove(&shard);
            }
        }
    }
}

/// Where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Opens its replicas.
    Starting,
    /// Serves.
    Serving,
    /// Goes on answering, but is about to leave.
    Stopping,
}

impl Value for NodeRecord {
    const KIND: &'static str = "node record";
}

#[cfg(test)]
mod tests {
    use super::super::value::testing::assert_round_trip;
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let record = NodeRecord {
            name: "logs-0".into(),
            api: "10.0.0.1:7300".to_owned(),
            peer: "[fd00::1]:7301".to_owned(),
            version: "0.1.0".to_owned(),
            formats: 1,
            incarnations: BTreeMap::from([(ShardId(3), Incarnation(0xab))]),
            state: NodeState::Serving,
            troubles: BTreeMap::new(),
        };
        let json = concat!(
            r#"{"v":1,"value":{"name":"logs-0","api":"10.0.0.1:7300","peer":"[fd00::1]:7301","version":"0.1.0","#,
            r#""formats":1,"incarnations":{"3":"00000000000000ab"},"state":"serving"}}"#
        );
        assert_round_trip(&record, json);
        let mut record = record;
        record.report(ShardId(3), Some(&"é".repeat(1_000)));
        record.report(ShardId(4), Some("a segment is gone"));
        record.report(ShardId(3), None);
        let json = json.replace("}}", r#","troubles":{"4":"a segment is gone"}}}"#);
        assert_round_trip(&record, &json);
        record.report(ShardId(4), Some(&"é".repeat(1_000)));
        assert_eq!(record.troubles[&ShardId(4)].chars().count(), NodeRecord::TROUBLE_CHARS_MAX);
    }
}

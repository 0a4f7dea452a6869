//! Sample clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use grepzilla_cluster::keyspace::{Key, Keys, NodeRecord, NodeState, StoredConfig, Value};
use grepzilla_cluster::placement::{PlacementNode, Rebalance, Wanted, place};
use grepzilla_cluster::ring_writer::RingWriter;
use grepzilla_cluster::store::memory::MemoryStore;
use grepzilla_cluster::store::{Outcome, Revision, SharedStore, Transaction};
use grepzilla_model::{NodeIndex, Ring, ShardConfig, ShardId};

pub(crate) fn keys() -> Keys {
    Keys::new("/team/logs/gz/v1").expect("a root")
}

pub(crate) fn memory() -> SharedStore {
    Arc::new(MemoryStore::new())
}

/// Nodes `n-0`, `n-1`, ... in zones `a`, `b`, `c`, `a`, ...
pub(crate) fn nodes(count: u32) -> Vec<PlacementNode> {
    let node = |index: u32| PlacementNode {
        index: NodeIndex(index),
        name: format!("n-{index}").as_str().into(),
        zone: ["a", "b", "c"][index as usize % 3].to_owned(),
    };
    (0..count).map(node).collect()
}

/// A ring with one replica of each shard; shard 0 is on n-0.
pub(crate) fn ring(count: u32, shards: u32) -> Ring {
    let wanted = Wanted { nodes: &nodes(count), shards, replication_factor: 1, rebalance: Rebalance::Never };
    place(None, &wanted).expect("there are nodes")
}

/// A cluster with a ring.
pub(crate) async fn cluster(store: &SharedStore) -> (RingWriter, Ring) {
    let writer = RingWriter::take_lead(store.clone(), keys(), "operator").await.expect("nobody else leads");
    let ring = ring(3, 6);
    writer.write(None, &ring).await.expect("there is no ring yet");
    (writer, ring)
}

pub(crate) fn record(name: &str) -> NodeRecord {
    NodeRecord {
        name: name.into(),
        api: "127.0.0.1:7300".to_owned(),
        peer: "127.0.0.1:7301".to_owned(),
        version: "0.1.0".to_owned(),
        formats: 1,
        incarnations: BTreeMap::new(),
        troubles: BTreeMap::new(),
        state: NodeState::Serving,
    }
}

/// A shard's configuration as it stands.
pub(crate) async fn config(store: &SharedStore, shard: ShardId) -> Option<(StoredConfig, Revision)> {
    let key = keys().text(&Key::ShardConfig(shard));
    let entry = store.get(&key).await.expect("the store is there")?;
    Some((StoredConfig::decode(&key, &entry.value).expect("a configuration"), entry.mod_revision))
}

/// Changes a shard's configuration as somebody else would.
pub(crate) async fn set_config(store: &SharedStore, shard: ShardId, change: impl FnOnce(&mut ShardConfig)) {
    let (mut stored, revision) = config(store, shard).await.expect("there is one");
    change(&mut stored.config);
    let key = keys().text(&Key::ShardConfig(shard));
    let transaction = Transaction::new().unchanged(&key, revision).put(&key, stored.encode());
    assert!(matches!(store.commit(transaction).await, Ok(Outcome::Committed(_))));
}

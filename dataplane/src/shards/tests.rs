//! A manager over a store in memory and logs on a real disk.

use std::collections::BTreeMap;
use std::time::Duration;

use grepzilla_cluster::keyspace::{NodeRecord, NodeState};
use grepzilla_cluster::leadership::{Candidate, claim};
use grepzilla_cluster::manifests;
use grepzilla_cluster::registry::{Registration, RegistrationOptions};
use grepzilla_cluster::ring_writer::RingWriter;
use grepzilla_cluster::store::memory::MemoryStore;
use grepzilla_cluster::topology::{self, TopologyTask};
use grepzilla_model::{
    Batch, BodyHash, Bucket, Epoch, Incarnation, IndexName, KeyHash, Manifest, NodeIndex, Record, RecordKind, Ring,
    RingNode, RingNodeState, TimeNs,
};
use grepzilla_storage::disk::RealDisk;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::shards::table::LeaderShard;

const CLUSTER: ClusterUuid = ClusterUuid(Uuid::from_u128(1));
const TIME_MAX: Duration = Duration::from_secs(20);

/// The shards of one node, running.
struct Running {
    store: SharedStore,
    table: Arc<ShardTable>,
    cancel: CancellationToken,
    manager: JoinHandle<Result<(), ShardTaskEnded>>,
    watcher: JoinHandle<()>,
}

/// A store with a ring of two shards, both on `n-0`.
async fn store() -> SharedStore {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let writer = RingWriter::take_lead(store.clone(), Keys::local(), "test").await.expect("takes the lead");
    writer.ensure_cluster(CLUSTER).await.expect("writes the identity");
    let node = RingNode { name: "n-0".into(), zone: String::new(), state: RingNodeState::Active };
    let ring = Ring {
        version: 1,
        feature_level: 1,
        replication_factor: 1,
        nodes: BTreeMap::from([(NodeIndex(0), node)]),
        ranges: Ring::even_ranges(2),
        targets: BTreeMap::from([(ShardId(0), vec![NodeIndex(0)]), (ShardId(1), vec![NodeIndex(0)])]),
    };
    writer.write(None, &ring).await.expect("writes the ring");
    store
}

async fn run(store: &SharedStore, dir: &TempDir) -> Running {
    let folder = Arc::new(DataFolder::lock(Arc::new(RealDisk), dir.path()).expect("free"));
    let record = NodeRecord {
        name: "n-0".into(),
        api: String::new(),
        peer: String::new(),
        version: String::new(),
        formats: 1,
        incarnations: BTreeMap::new(),
        troubles: BTreeMap::new(),
        state: NodeState::Starting,
    };
    let options = RegistrationOptions::default();
    let (register, registration) = Registration::new(store.clone(), Keys::local(), record, options);
    let (table, cancel) = (Arc::new(ShardTable::default()), CancellationToken::new());
    tokio::spawn(register.run(cancel.clone()));
    let known = topology::read(store.as_ref(), &Keys::local()).await.expect("read");
    let (watcher, heard) = TopologyTask::new(store.clone(), Keys::local(), None);
    let watcher = tokio::spawn(watcher.run(CancellationToken::new()));
    let (follower, topology) = crate::membership::Follower::new(CLUSTER, known, heard, None);
    tokio::spawn(follower.run(CancellationToken::new()));
    let mut config = NodeConfig::default();
    config.storage.flush_bytes = 4 << 10;
    let manager = ShardManager::new(ShardManagerParts {
        store: store.clone(),
        keys: Keys::local(),
        node: "n-0".into(),
        cluster: CLUSTER,
        config: &config,
        folder,
        registration,
        topology,
        table: table.clone(),
        cache: Arc::default(),
        metrics: MaintenanceMetrics::new().expect("well named"),
    });
    let manager = tokio::spawn(manager.run(cancel.clone()));
    Running { store: store.clone(), table, cancel, manager, watcher }
}

impl Running {
    async fn until<T>(&self, shard: u32, what: impl Fn(LocalShard) -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = self.table.get(ShardId(shard)).and_then(&what) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let found = tokio::time::timeout(TIME_MAX, looking).await;
        found.unwrap_or_else(|_| panic!("shard {shard} is still {:?}", self.table.get(ShardId(shard))))
    }

    async fn leading(&self, shard: u32) -> Arc<LeaderShard> {
        let leading = |local| match local {
            LocalShard::Leading(shard) => Some(shard),
            _ => None,
        };
        self.until(shard, leading).await
    }

    /// What the node's record in the store says of a shard, as soon as it says something.
    async fn trouble(&self, shard: u32) -> String {
        let looking = async {
            loop {
                let topology = topology::read(self.store.as_ref(), &Keys::local()).await.expect("read");
                let record = topology.nodes.values().next();
                if let Some(trouble) = record.and_then(|record| record.troubles.get(&ShardId(shard))) {
                    return trouble.clone();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(TIME_MAX, looking).await.expect("it is told")
    }

    async fn blocked(&self, shard: u32) -> String {
        let blocked = |local| match local {
            LocalShard::Blocked { reason } => Some(reason),
            _ => None,
        };
        self.until(shard, blocked).await
    }

    async fn end(self) {
        self.cancel.cancel();
        self.manager.await.expect("no panic").expect("it was asked to end");
        self.watcher.abort();
    }
}

#[tokio::test]
async fn shards_are_not_settled_before_they_lead_and_each_start_is_a_new_epoch() {
    let (store, dir) = (store().await, tempfile::tempdir().expect("a folder"));
    for epoch in [1, 2] {
        let running = run(&store, &dir).await;
        assert!(running.table.unsettled().is_some_and(|sentence| sentence.starts_with("2 of 2")));
        let led = [running.leading(0).await, running.leading(1).await];
        assert_eq!(led.each_ref().map(|shard| shard.epoch), [Epoch(epoch); 2]);
        assert_eq!(led[0].log.last_epoch(), Epoch(epoch), "the epoch is in the log before the shard leads");
        assert_eq!(running.table.unsettled(), None);
        running.end().await;
        assert!(led.iter().all(|shard| !shard.log.is_open()), "a log was left open");
    }
}

#[tokio::test]
async fn a_leader_that_is_overtaken_closes_its_log_at_once_and_the_other_shard_leads_on() {
    let (store, dir) = (store().await, tempfile::tempdir().expect("a folder"));
    let running = run(&store, &dir).await;
    let (overtaken, other) = (running.leading(0).await, running.leading(1).await);
    let incarnation = overtaken.log.incarnation();
    // Only a twin of this replica could do that; then there is no telling what it has acknowledged.
    let candidate = Candidate { shard: ShardId(0), node: "n-0".into(), incarnation, last_epoch: Epoch(9) };
    claim(running.store.as_ref(), &Keys::local(), &candidate).await.expect("claims");
    let closing = async {
        while overtaken.log.is_open() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIME_MAX, closing).await.expect("the log of the older epoch is closed");
    // Whoever still has it holds the folder.
    drop(overtaken);
    let again = running.until(0, |local| match local {
        LocalShard::Leading(shard) if shard.epoch > Epoch(10) => Some(shard),
        _ => None,
    });
    assert_eq!(again.await.epoch, Epoch(11));
    assert!(other.log.is_open());
    running.end().await;
}

#[tokio::test]
async fn a_shard_whose_folder_was_lost_says_so_and_the_other_one_leads() {
    let (store, dir) = (store().await, tempfile::tempdir().expect("a folder"));
    let running = run(&store, &dir).await;
    let lost: Incarnation = running.leading(0).await.log.incarnation();
    running.leading(1).await;
    running.end().await;
    std::fs::remove_dir_all(dir.path().join("shards/0")).expect("removes");
    let running = run(&store, &dir).await;
    let reason = running.blocked(0).await;
    assert!(reason.contains(&lost.to_string()) && reason.contains("its disk was lost"), "{reason}");
    running.leading(1).await;
    assert_eq!(running.table.unsettled(), None, "a shard that is given up keeps nobody waiting");
    running.end().await;
}

#[tokio::test]
async fn a_shard_whose_log_is_damaged_is_given_up_by_name_and_the_other_one_leads() {
    let (store, dir) = (store().await, tempfile::tempdir().expect("a folder"));
    let running = run(&store, &dir).await;
    running.leading(0).await;
    running.leading(1).await;
    running.end().await;
    let replica = dir.path().join("shards/0/replica.json");
    let mut bytes = std::fs::read(&replica).expect("reads");
    bytes[40] ^= 1;
    std::fs::write(&replica, bytes).expect("writes");
    let running = run(&store, &dir).await;
    let reason = running.blocked(0).await;
    assert!(reason.contains("shard 0 cannot be opened") && reason.contains("replica.json"), "{reason}");
    running.leading(1).await;
    assert_eq!(running.trouble(0).await, reason, "the operator reads it in the node's record");
    running.end().await;
}

/// Appends documents until they are committed.
async fn append(leader: &LeaderShard, documents: u64) {
    let record = |number: u64| Record {
        kind: RecordKind::Put,
        bucket: Bucket(0),
        index: IndexName::default(),
        id: None,
        time: TimeNs(1),
        source: format!("{{\"a\":\"{number:0>100}\"}}").into(),
    };
    let records = (0..documents).map(record).collect();
    let batch = Batch { key: KeyHash::default(), body: BodyHash::default(), received: TimeNs(1), records };
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let done = move |appended| {
        let _ = sender.send(appended);
    };
    leader.log.append(batch, Box::new(done)).expect("taken");
    receiver.await.expect("answered").expect("appended");
}

/// The manifest in the store, as soon as it covers everything that is committed.
async fn published(store: &SharedStore, leader: &LeaderShard) -> Manifest {
    let looking = async {
        loop {
            let newest = manifests::newest(store.as_ref(), &Keys::local(), leader.shard).await.expect("read");
            if let Some(newest) = newest.filter(|newest| newest.flushed == leader.log.positions().committed) {
                return newest;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TIME_MAX, looking).await.expect("it is published in the end")
}

#[tokio::test]
async fn a_leader_flushes_and_publishes_and_the_next_one_goes_on_from_there() {
    let (store, dir) = (store().await, tempfile::tempdir().expect("a folder"));
    let mut before = Manifest::default();
    for epoch in 1..=3 {
        let running = run(&store, &dir).await;
        let leader = running.leading(0).await;
        append(&leader, 200).await;
        let newest = published(&store, &leader).await;
        assert_eq!(newest.epoch, Epoch(epoch));
        assert!(newest.generation > before.generation && newest.flushed > before.flushed, "{newest:?}");
        let kept = before.segments.iter().filter(|entry| newest.segments.contains(entry)).count();
        assert_eq!(kept, before.segments.len(), "a segment was built again");
        assert_eq!(leader.publishing.error(), None);
        before = newest;
        running.end().await;
    }
    assert_eq!(before.segments.iter().map(|entry| entry.documents).sum::<u64>(), 600);
}

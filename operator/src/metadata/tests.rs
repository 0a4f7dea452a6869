//! The pool on the store in memory.

use grepzilla_cluster::store::etcd::{EtcdOptions, EtcdStore};
use grepzilla_cluster::store::memory::MemoryStore;

use super::*;
use crate::fixtures;

struct World {
    store: SharedStore,
    pool: MetadataPool,
    changes: mpsc::Receiver<ClusterKey>,
    deposed: CancellationToken,
}

/// An operator called `holder` that has just taken the lead over `store`.
fn operator(holder: &str, store: &SharedStore) -> World {
    let (sender, changes) = mpsc::channel(16);
    let deposed = CancellationToken::new();
    let shared = Arc::clone(store);
    let open: Open = Arc::new(move |_| Ok(Arc::clone(&shared)));
    let pool = MetadataPool::new(open, holder.into(), sender, deposed.clone());
    World { store: Arc::clone(store), pool, changes, deposed }
}

fn store() -> SharedStore {
    Arc::new(MemoryStore::new())
}

async fn in_touch(metadata: &Metadata) -> ClusterFacts {
    loop {
        match metadata.look() {
            Sight::Facts(MetadataFacts::InTouch(facts)) => return facts,
            _ => sleep_a_little().await,
        }
    }
}

async fn sleep_a_little() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

#[tokio::test]
async fn what_is_written_is_seen_and_told() {
    let mut world = operator("a", &store());
    let metadata = world.pool.of(&fixtures::minimal()).expect("a store");
    assert_eq!(in_touch(&metadata).await, ClusterFacts::default());
    let uuid = metadata.create_identity().await.expect("written");
    assert_eq!(metadata.create_identity().await.expect("read"), uuid, "an identity is made once");
    metadata.write_ring(fixtures::ring(3)).await.expect("written");
    while in_touch(&metadata).await.ring.is_none() {
        sleep_a_little().await;
    }
    let told = world.changes.recv().await.expect("told");
    assert_eq!(told, ClusterKey { namespace: "prod".into(), name: "logs".into() });
    assert_eq!(in_touch(&metadata).await.uuid, Some(uuid));
}

#[tokio::test]
async fn a_ring_made_from_an_old_one_is_not_written() {
    let world = operator("a", &store());
    let metadata = world.pool.of(&fixtures::minimal()).expect("a store");
    in_touch(&metadata).await;
    metadata.write_ring(fixtures::ring(3)).await.expect("written");
    let again = metadata.write_ring(fixtures::ring(5)).await.expect_err("version 1 is there already");
    assert!(!again.is_deposed(), "{again}");
}

#[tokio::test]
async fn an_operator_that_was_replaced_writes_nothing_more() {
    let store = store();
    let old = operator("old", &store);
    let cluster = fixtures::minimal();
    let before = old.pool.of(&cluster).expect("a store");
    in_touch(&before).await;
    before.create_identity().await.expect("it leads");
    let new = operator("new", &old.store);
    let after = new.pool.of(&cluster).expect("a store");
    in_touch(&after).await;
    after.write_ring(fixtures::ring(3)).await.expect("it leads now");
    let refused = before.write_ring(Ring { version: 2, ..fixtures::ring(5) }).await.expect_err("it leads no more");
    assert!(refused.is_deposed(), "{refused}");
    assert!(!new.deposed.is_cancelled());
}

#[tokio::test]
async fn a_cluster_that_is_forgotten_ends_its_task() {
    let world = operator("a", &store());
    let metadata = world.pool.of(&fixtures::minimal()).expect("a store");
    in_touch(&metadata).await;
    world.pool.forget("prod", "logs");
    drop(metadata);
    world.pool.tasks.close();
    timeout(Duration::from_secs(5), world.pool.tasks.wait()).await.expect("the task ends");
}

#[tokio::test]
async fn an_etcd_that_never_answers_is_out_of_touch_after_a_while() {
    let (sender, _changes) = mpsc::channel(16);
    // Nobody listens on port 1.
    let open: Open = Arc::new(|_| Ok(Arc::new(EtcdStore::new(EtcdOptions::new(["http://127.0.0.1:1"]))?)));
    let pool = MetadataPool::new(open, "a".into(), sender, CancellationToken::new());
    let metadata = pool.of(&fixtures::minimal()).expect("a store");
    assert_eq!(metadata.look(), Sight::Connecting);
    tokio::time::sleep(PATIENCE + Duration::from_millis(100)).await;
    let Sight::Facts(MetadataFacts::OutOfTouch { reason }) = metadata.look() else { panic!("it cannot be in touch") };
    assert!(!reason.is_empty());
    assert!(metadata.create_identity().await.is_err());
}

#[test]
fn a_shard_is_led_only_by_a_leader_that_lives_in_its_epoch() {
    use grepzilla_cluster::keyspace::{LeaderRecord, NodeRecord, NodeState};
    use grepzilla_model::{Epoch, NodeName};

    let node = NodeName::from("logs-0");
    let config = ShardConfig {
        epoch: Epoch(3),
        leader: node.clone(),
        replicas: Vec::new(),
        in_sync: Vec::new(),
        min_isr: 1,
        state: ShardState::Active,
        lossy: None,
    };
    let record = NodeRecord {
        name: node.clone(),
        api: "10.0.0.1:7300".into(),
        peer: "10.0.0.1:7301".into(),
        version: "1".into(),
        formats: 1,
        incarnations: BTreeMap::new(),
        troubles: BTreeMap::new(),
        state: NodeState::Serving,
    };
    let mut topology = Topology::unknown();
    let led = |topology: &Topology| shard_facts(topology, ShardId(0), &config).led;
    assert!(!led(&topology));
    topology.leaders.insert(ShardId(0), LeaderRecord { node: node.clone(), epoch: Epoch(2) });
    topology.nodes.insert(node.clone(), record);
    assert!(!led(&topology), "an older epoch");
    topology.leaders.insert(ShardId(0), LeaderRecord { node: node.clone(), epoch: Epoch(3) });
    assert!(led(&topology));
    topology.nodes.clear();
    assert!(!led(&topology), "not registered");
}

#[test]
fn a_copy_is_lost_when_its_node_has_another_folder_and_not_while_it_says_nothing() {
    use grepzilla_cluster::keyspace::{NodeRecord, NodeState};
    use grepzilla_model::{Epoch, Incarnation, NodeName, ReplicaRole};

    let node = NodeName::from("logs-0");
    let replica = ShardReplica { node: node.clone(), incarnation: Incarnation(1), role: ReplicaRole::Member };
    let config = ShardConfig {
        epoch: Epoch(3),
        leader: node.clone(),
        replicas: vec![replica],
        in_sync: vec![node.clone()],
        min_isr: 1,
        state: ShardState::Active,
        lossy: None,
    };
    let record = |incarnations| NodeRecord {
        name: node.clone(),
        api: "10.0.0.1:7300".into(),
        peer: "10.0.0.1:7301".into(),
        version: "1".into(),
        formats: 1,
        incarnations,
        state: NodeState::Serving,
        troubles: BTreeMap::new(),
    };
    let mut topology = Topology::unknown();
    let lost = |topology: &Topology| shard_facts(topology, ShardId(0), &config).lost;
    for kept in [BTreeMap::new(), BTreeMap::from([(ShardId(0), Incarnation(1))])] {
        topology.nodes.insert(node.clone(), record(kept));
        assert_eq!(lost(&topology), BTreeSet::new());
    }
    topology.nodes.insert(node.clone(), record(BTreeMap::from([(ShardId(0), Incarnation(2))])));
    assert_eq!(lost(&topology), BTreeSet::from([node.clone()]));
}

#[test]
fn what_nodes_say_of_their_shards_is_among_the_facts() {
    use grepzilla_cluster::keyspace::{NodeRecord, NodeState};

    let mut record = NodeRecord {
        name: "logs-0".into(),
        api: "10.0.0.1:7300".into(),
        peer: "10.0.0.1:7301".into(),
        version: "1".into(),
        formats: 1,
        incarnations: BTreeMap::new(),
        state: NodeState::Serving,
        troubles: BTreeMap::new(),
    };
    let mut topology = Topology { connected: true, ..Topology::unknown() };
    let mut damaged = |record: &NodeRecord| {
        topology.nodes.insert(record.name.clone(), record.clone());
        match facts(&topology) {
            MetadataFacts::InTouch(cluster) => cluster.damaged,
            MetadataFacts::OutOfTouch { reason } => panic!("{reason}"),
        }
    };
    assert_eq!(damaged(&record), BTreeMap::new());
    record.report(ShardId(7), Some("a segment is gone"));
    let expected = BTreeMap::from([(ShardId(7), ("logs-0".into(), "a segment is gone".to_owned()))]);
    assert_eq!(damaged(&record), expected);
}

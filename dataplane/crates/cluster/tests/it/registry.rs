//! A node's presence: on the store in memory with time moved by hand, and on a real etcd.

use std::time::{Duration, Instant};

use grepzilla_cluster::keyspace::{Key, LeaderRecord, NodeRecord, NodeState, Value};
use grepzilla_cluster::registry::{Registration, RegistrationHandle, RegistrationOptions, RegistrationState};
use grepzilla_cluster::store::{Revision, SharedStore, Transaction};
use grepzilla_cluster::topology;
use grepzilla_model::{Epoch, Incarnation, ShardId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::etcd::EtcdProcess;
use crate::faulty::{Fault, FaultyStore};
use crate::fixtures::{keys, memory, record};

const TTL: Duration = Duration::from_secs(3);
const SHARD: ShardId = ShardId(4);

/// A running registration. Dropping it is a killed process: nothing is taken away.
struct Node {
    handle: RegistrationHandle,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Node {
    fn start(store: SharedStore, record: NodeRecord) -> Node {
        let (registration, handle) = Registration::new(store, keys(), record, RegistrationOptions::default());
        let cancel = CancellationToken::new();
        let task = tokio::spawn(registration.run(cancel.clone()));
        Node { handle, cancel, task }
    }

    async fn reaches(&self, what: &str, reached: impl FnMut(&RegistrationState) -> bool) -> RegistrationState {
        let mut state = self.handle.state();
        let waited = tokio::time::timeout(TTL * 4, state.wait_for(reached)).await;
        waited.unwrap_or_else(|_| panic!("never {what}: {:?}", self.handle.state().borrow())).unwrap().clone()
    }

    async fn registered(&self) -> RegistrationState {
        self.reaches("registered", |state| matches!(state, RegistrationState::Registered(_))).await
    }

    fn leave(self) {
        self.cancel.cancel();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !self.cancel.is_cancelled() {
            self.task.abort();
        }
    }
}

async fn seen(store: &SharedStore, name: &str) -> Option<NodeRecord> {
    topology::read(store.as_ref(), &keys()).await.unwrap().nodes.get(&name.into()).cloned()
}

async fn leader(store: &SharedStore) -> Option<LeaderRecord> {
    topology::read(store.as_ref(), &keys()).await.unwrap().leaders.get(&SHARD).cloned()
}

/// Waits until `reached`, and says how long it took.
async fn until(limit: Duration, what: &str, mut reached: impl AsyncFnMut() -> bool) -> Duration {
    let begun = tokio::time::Instant::now();
    while !reached().await {
        assert!(begun.elapsed() <= limit, "after {:?} still not: {what}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

async fn revision(store: &SharedStore) -> Revision {
    store.list("").await.unwrap().revision
}

#[tokio::test(start_paused = true)]
async fn a_killed_node_is_gone_within_its_ttl_and_a_second() {
    let store = memory();
    let (killed, other) = (Node::start(store.clone(), record("n-0")), Node::start(store.clone(), record("n-1")));
    killed.registered().await;
    other.registered().await;
    killed.handle.announce_leader(SHARD, Epoch(3));
    until(TTL, "announced", async || leader(&store).await.is_some()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(seen(&store, "n-0").await.is_some(), "gone in spite of keep-alives");
    drop(killed);
    until(TTL + Duration::from_secs(1), "gone", async || seen(&store, "n-0").await.is_none()).await;
    assert_eq!(leader(&store).await, None, "the leader key outlived its node");
    assert!(seen(&store, "n-1").await.is_some(), "another node went with it");
}

#[tokio::test(start_paused = true)]
async fn a_steady_node_writes_nothing() {
    let store = memory();
    let node = Node::start(store.clone(), record("n-0"));
    node.registered().await;
    node.handle.announce_leader(SHARD, Epoch(3));
    until(TTL, "announced", async || leader(&store).await.is_some()).await;
    let before = revision(&store).await;
    node.handle.update(|record| record.state = NodeState::Serving);
    node.handle.announce_leader(SHARD, Epoch(3));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(revision(&store).await, before);
}

#[tokio::test(start_paused = true)]
async fn changes_of_the_record_and_of_what_is_led_are_written() {
    let store = memory();
    let node = Node::start(store.clone(), record("n-0"));
    node.registered().await;
    node.handle.update(|record| {
        record.incarnations.insert(SHARD, Incarnation(9));
        record.state = NodeState::Stopping;
    });
    node.handle.announce_leader(SHARD, Epoch(3));
    let soon = Duration::from_millis(500);
    until(soon, "changed", async || {
        seen(&store, "n-0").await.is_some_and(|seen| seen.incarnations.contains_key(&SHARD))
    })
    .await;
    until(soon, "announced", async || leader(&store).await.is_some_and(|leader| leader.epoch == Epoch(3))).await;
    node.handle.announce_leader(SHARD, Epoch(5));
    until(soon, "raised", async || leader(&store).await.is_some_and(|leader| leader.epoch == Epoch(5))).await;
    node.handle.withdraw_leader(SHARD);
    until(soon, "withdrawn", async || leader(&store).await.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_is_gone_at_once() {
    let store = memory();
    let node = Node::start(store.clone(), record("n-0"));
    node.registered().await;
    node.leave();
    let took = until(Duration::from_millis(500), "gone", async || seen(&store, "n-0").await.is_none()).await;
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_lease_was_lost_registers_again_with_all_it_leads() {
    let store = memory();
    let node = Node::start(store.clone(), record("n-0"));
    let RegistrationState::Registered(lease) = node.registered().await else { unreachable!() };
    node.handle.announce_leader(SHARD, Epoch(3));
    until(TTL, "announced", async || leader(&store).await.is_some()).await;
    store.revoke(lease).await.unwrap();
    assert_eq!(seen(&store, "n-0").await, None);
    let is_new = |state: &RegistrationState| matches!(state, RegistrationState::Registered(new) if *new != lease);
    node.reaches("registered anew", is_new).await;
    assert!(seen(&store, "n-0").await.is_some());
    until(TTL, "announced anew", async || leader(&store).await.is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_knows_when_it_is_out_of_touch_and_when_it_is_back() {
    let inner = memory();
    let store = FaultyStore::new(inner.clone());
    let node = Node::start(store.clone(), record("n-0"));
    node.registered().await;
    store.set_away(true);
    let begun = tokio::time::Instant::now();
    node.reaches("out of touch", |state| matches!(state, RegistrationState::OutOfTouch { .. })).await;
    let waited = begun.elapsed();
    assert!(waited >= TTL - Duration::from_secs(1) && waited <= TTL + Duration::from_secs(1), "{waited:?}");
    until(TTL, "expired", async || seen(&inner, "n-0").await.is_none()).await;
    store.set_away(false);
    node.registered().await;
    assert!(seen(&inner, "n-0").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_while_the_store_is_away_registers_when_it_comes() {
    let inner = memory();
    let store = FaultyStore::new(inner.clone());
    store.set_away(true);
    let node = Node::start(store.clone(), record("n-0"));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let state = node.handle.state().borrow().clone();
    assert!(matches!(&state, RegistrationState::Absent { reason } if reason.contains("network is down")), "{state:?}");
    store.set_away(false);
    node.registered().await;
}

#[tokio::test(start_paused = true)]
async fn lost_answers_and_lost_requests_do_not_keep_a_node_away() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::DeliverLate] {
        let inner = memory();
        let store = FaultyStore::new(inner.clone());
        store.plan([fault.clone()]);
        let node = Node::start(store.clone(), record("n-0"));
        node.registered().await;
        store.plan([fault.clone()]);
        node.handle.update(|record| record.version = "2".to_owned());
        until(TTL, "changed", async || seen(&inner, "n-0").await.is_some_and(|seen| seen.version == "2")).await;
        tokio::time::sleep(TTL).await;
        let before = revision(&inner).await;
        tokio::time::sleep(TTL * 10).await;
        assert_eq!(revision(&inner).await, before, "{fault:?}: it goes on writing");
        node.registered().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_processes_with_one_name_the_younger_one_is_registered() {
    let inner = memory();
    let (older_network, younger_network) = (FaultyStore::new(inner.clone()), inner.clone());
    let older = Node::start(older_network.clone(), record("n-0"));
    older.registered().await;
    older_network.set_away(true);
    let younger = Node::start(younger_network, NodeRecord { version: "younger".to_owned(), ..record("n-0") });
    younger.registered().await;
    tokio::time::sleep(TTL * 2).await;
    older_network.set_away(false);
    older.reaches("refused the name", |state| matches!(state, RegistrationState::NameTaken { .. })).await;
    tokio::time::sleep(TTL * 5).await;
    assert_eq!(seen(&inner, "n-0").await.unwrap().version, "younger");
    drop(younger);
    older.registered().await;
    assert_eq!(seen(&inner, "n-0").await.unwrap().version, "0.1.0");
}

#[tokio::test(start_paused = true)]
async fn a_deposed_leader_does_not_hide_the_new_one() {
    let store = memory();
    let key = keys().text(&Key::ShardLeader(SHARD));
    let newer = LeaderRecord { node: "n-1".into(), epoch: Epoch(8) };
    store.commit(Transaction::new().put(&key, newer.encode())).await.unwrap();
    let node = Node::start(store.clone(), record("n-0"));
    node.handle.announce_leader(SHARD, Epoch(7));
    node.registered().await;
    tokio::time::sleep(TTL).await;
    assert_eq!(leader(&store).await, Some(newer));
    node.handle.withdraw_leader(SHARD);
    tokio::time::sleep(TTL).await;
    assert!(leader(&store).await.is_some(), "it took back what another one had announced");
}

#[tokio::test]
async fn on_etcd_a_killed_node_is_gone_within_its_ttl_and_a_second() {
    let etcd = EtcdProcess::start().await;
    let store = etcd.store();
    let node = Node::start(store.clone(), record("n-0"));
    node.registered().await;
    node.handle.announce_leader(SHARD, Epoch(1));
    until(TTL, "announced", async || leader(&store).await.is_some()).await;
    tokio::time::sleep(TTL + Duration::from_secs(1)).await;
    assert!(seen(&store, "n-0").await.is_some(), "gone in spite of keep-alives");
    drop(node);
    let killed = Instant::now();
    until(TTL + Duration::from_secs(1), "gone", async || seen(&store, "n-0").await.is_none()).await;
    assert!(killed.elapsed() > Duration::from_secs(1), "gone without waiting for its lease");
    assert_eq!(leader(&store).await, None);
}

//! The picture of a cluster: always what the store says, through compaction, absence and damage.

use std::sync::Arc;
use std::time::Duration;

use grepzilla_cluster::adopted::{Adopted, AdoptedFile};
use grepzilla_cluster::keyspace::{Key, Keys, LeaderRecord, Nonce, StoredConfig, StoredRing, Value};
use grepzilla_cluster::leadership::{Candidate, claim};
use grepzilla_cluster::store::memory::MemoryStore;
use grepzilla_cluster::store::{HEARTBEAT, Revision, SharedStore, Transaction};
use grepzilla_cluster::topology::{Topology, TopologyTask, read};
use grepzilla_model::{ClusterUuid, Epoch, Generation, Incarnation, Ring, ShardConfig, ShardId};
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::faulty::FaultyStore;
use crate::fixtures::{cluster, keys, memory, record};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running picture; it ends when it is dropped.
struct Picture {
    topology: watch::Receiver<Arc<Topology>>,
    _running: DropGuard,
}

impl Picture {
    fn start(store: SharedStore, remembered: Option<&Adopted>) -> Picture {
        let (task, topology) = TopologyTask::new(store, keys(), remembered);
        let cancel = CancellationToken::new();
        tokio::spawn(task.run(cancel.clone()));
        Picture { topology, _running: cancel.drop_guard() }
    }

    async fn shows(&mut self, what: &str, shown: impl FnMut(&Arc<Topology>) -> bool) -> Arc<Topology> {
        let waited = tokio::time::timeout(PATIENCE, self.topology.wait_for(shown)).await;
        waited.unwrap_or_else(|_| panic!("never shown: {what}")).unwrap().clone()
    }
}

fn candidate(shard: u32, node: &str) -> Candidate {
    Candidate { shard: ShardId(shard), node: node.into(), incarnation: Incarnation(1), last_epoch: Epoch(0) }
}

/// Everything but when it was seen.
fn content(topology: &Topology) -> Topology {
    Topology { revision: Revision(0), since: std::time::UNIX_EPOCH, ..topology.clone() }
}

async fn put(store: &SharedStore, key: &Key, value: impl Into<Vec<u8>>) {
    store.commit(Transaction::new().put(keys().text(key), value)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn picture_follows_everything_that_stands_in_the_store() {
    let store = memory();
    let mut picture = Picture::start(store.clone(), None);
    let empty = picture.shows("an empty store", |topology| topology.connected).await;
    assert!(!empty.has_ring() && empty.is_known() && empty.cluster.is_none());
    assert_eq!(empty.ring.shards().count(), 0);

    let (writer, wanted) = cluster(&store).await;
    let uuid = ClusterUuid(Uuid::from_u128(7));
    writer.ensure_cluster(uuid).await.unwrap();
    let claimed = claim(store.as_ref(), &keys(), &candidate(1, "n-1")).await.unwrap();
    put(&store, &Key::Node("n-1".into()), record("n-1").encode()).await;
    let leader = LeaderRecord { node: "n-1".into(), epoch: Epoch(1) };
    put(&store, &Key::ShardLeader(ShardId(1)), leader.encode()).await;
    let full = picture.shows("a leader", |topology| !topology.leaders.is_empty()).await;
    assert_eq!((full.cluster, &*full.ring), (Some(uuid), &wanted));
    assert_eq!(full.ring_revision, writer.current().await.unwrap().unwrap().revision);
    assert_eq!(full.configs[&ShardId(1)], claimed.config);
    assert_eq!(full.nodes[&"n-1".into()], record("n-1"));
    assert_eq!(full.leaders[&ShardId(1)], leader);
    assert_eq!(content(&full), content(&read(store.as_ref(), &keys()).await.unwrap()));

    let gone = Transaction::new().delete(keys().text(&Key::Node("n-1".into())));
    store.commit(gone.delete(keys().text(&Key::ShardLeader(ShardId(1))))).await.unwrap();
    picture.shows("nobody", |topology| topology.nodes.is_empty() && topology.leaders.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn other_clusters_in_the_same_store_are_not_seen() {
    let store = memory();
    let other = Keys::new("/team/logs-2/gz/v1").unwrap();
    store.commit(Transaction::new().put(other.text(&Key::Node("x".into())), record("x").encode())).await.unwrap();
    let mut picture = Picture::start(store.clone(), None);
    picture.shows("the store", |topology| topology.connected).await;
    store.commit(Transaction::new().put(other.text(&Key::Node("y".into())), record("y").encode())).await.unwrap();
    put(&store, &Key::Node("n-0".into()), record("n-0").encode()).await;
    let seen = picture.shows("our node", |topology| !topology.nodes.is_empty()).await;
    assert_eq!(seen.nodes.len(), 1);
    assert!(seen.refused.is_empty(), "{:?}", seen.refused);
}

#[tokio::test(start_paused = true)]
async fn absence_of_the_store_is_told_and_survived() {
    let inner = memory();
    let store = FaultyStore::new(inner.clone());
    cluster(&inner).await;
    let mut picture = Picture::start(store.clone(), None);
    let before = picture.shows("a ring", |topology| topology.has_ring()).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(picture.topology.borrow().connected, "an idle store was taken for an absent one");

    store.set_away(true);
    let begun = tokio::time::Instant::now();
    let lost = picture.shows("out of touch", |topology| !topology.connected).await;
    assert!(begun.elapsed() <= HEARTBEAT * 4, "noticed after {:?}", begun.elapsed());
    assert_eq!(lost.ring, before.ring, "what was last heard was forgotten");
    assert!(lost.since >= before.since && lost.trouble.is_some());
    put(&inner, &Key::Node("n-0".into()), record("n-0").encode()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(picture.topology.borrow().since, lost.since, "the beginning of the absence moved");

    store.set_away(false);
    let back = picture.shows("the node", |topology| !topology.nodes.is_empty()).await;
    assert!(back.connected && back.trouble.is_none());
}

#[tokio::test(start_paused = true)]
async fn compaction_is_survived() {
    let memory = Arc::new(MemoryStore::new());
    let inner: SharedStore = memory.clone();
    let store = FaultyStore::new(inner.clone());
    let mut picture = Picture::start(store.clone(), None);
    put(&inner, &Key::Node("n-3".into()), record("n").encode()).await;
    picture.shows("the node that will go", |topology| !topology.nodes.is_empty()).await;
    store.set_away(true);
    for at in 0..10 {
        put(&inner, &Key::Node(format!("n-{at}").as_str().into()), record("n").encode()).await;
    }
    inner.commit(Transaction::new().delete(keys().text(&Key::Node("n-3".into())))).await.unwrap();
    let now = inner.list("").await.unwrap().revision;
    memory.compact(now.next());
    store.set_away(false);
    let caught_up = picture.shows("all nodes", |topology| topology.nodes.len() == 9).await;
    assert!(!caught_up.nodes.contains_key(&"n-3".into()));
    put(&inner, &Key::Node("n-3".into()), record("n").encode()).await;
    picture.shows("the last node", |topology| topology.nodes.len() == 10).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_used_is_named_and_the_last_good_one_stays() {
    let store = memory();
    cluster(&store).await;
    let mut picture = Picture::start(store.clone(), None);
    let before = picture.shows("a ring", |topology| topology.has_ring()).await;
    put(&store, &Key::Ring, "{\"v\":2,\"value\":{}}").await;
    let refused = picture.shows("a refusal", |topology| !topology.refused.is_empty()).await;
    assert_eq!((&refused.ring, refused.ring_revision), (&before.ring, before.ring_revision));
    let reason = &refused.refused[&keys().text(&Key::Ring)];
    assert!(reason.contains("version 2") && reason.contains("up to 1"), "{reason}");
    let fresh = read(store.as_ref(), &keys()).await.unwrap();
    assert!(!fresh.has_ring() && !fresh.refused.is_empty());
    store.commit(Transaction::new().delete(keys().text(&Key::Ring))).await.unwrap();
    picture.shows("no refusal", |topology| topology.refused.is_empty() && !topology.has_ring()).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_without_the_store_goes_on_with_what_it_remembers() {
    let inner = memory();
    let (writer, wanted) = cluster(&inner).await;
    writer.ensure_cluster(ClusterUuid(Uuid::from_u128(7))).await.unwrap();
    let claimed = claim(inner.as_ref(), &keys(), &candidate(0, "n-0")).await.unwrap();
    let seen = read(inner.as_ref(), &keys()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    AdoptedFile::open(folder.path()).unwrap().adopt(Adopted::of(&seen).unwrap()).unwrap();

    let store = FaultyStore::new(inner.clone());
    store.set_away(true);
    let file = AdoptedFile::open(folder.path()).unwrap();
    let mut picture = Picture::start(store.clone(), file.current());
    let remembered = picture.topology.borrow().clone();
    assert!(!remembered.connected && !remembered.is_known());
    assert_eq!((&*remembered.ring, remembered.ring_revision), (&wanted, seen.ring_revision));
    assert_eq!(remembered.configs[&ShardId(0)], claimed.config);
    store.set_away(false);
    let known = picture.shows("the store", |topology| topology.connected).await;
    assert_eq!(content(&known), content(&seen));
}

#[tokio::test(start_paused = true)]
async fn picture_equals_the_store_after_any_row_of_changes_compactions_and_absences() {
    let seed: u64 = std::env::var("GREPZILLA_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("GREPZILLA_SEED={seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let memory = Arc::new(MemoryStore::new());
    let inner: SharedStore = memory.clone();
    let store = FaultyStore::new(inner.clone());
    let (_, wanted) = cluster(&inner).await;
    let config = claim(inner.as_ref(), &keys(), &candidate(0, "n-0")).await.unwrap().config;
    let mut picture = Picture::start(store.clone(), None);
    for _ in 0..400 {
        let shard = ShardId(random.random_range(0..5));
        let node = Key::Node(format!("n-{}", random.random_range(0..5)).as_str().into());
        match random.random_range(0..9) {
            0 => put(&inner, &node, record("n").encode()).await,
            1 => drop(inner.commit(Transaction::new().delete(keys().text(&node))).await),
            2 => {
                let config = ShardConfig { epoch: Epoch(random.random_range(1..9)), ..config.clone() };
                let stored = StoredConfig { writer: Nonce::random(), config };
                put(&inner, &Key::ShardConfig(shard), stored.encode()).await;
            }
            3 => {
                let leader = LeaderRecord { node: "n-0".into(), epoch: Epoch(random.random_range(1..9)) };
                put(&inner, &Key::ShardLeader(shard), leader.encode()).await;
            }
            4 => drop(inner.commit(Transaction::new().delete(keys().text(&Key::ShardLeader(shard)))).await),
            5 => put(&inner, &node, "damaged").await,
            6 => {
                let ring = Ring { version: random.random_range(1..9), ..wanted.clone() };
                let stored = StoredRing { term: 1, ring };
                put(&inner, &Key::Ring, stored.encode()).await;
            }
            7 => store.set_away(random.random()),
            _ => {
                let now = inner.list("").await.unwrap().revision;
                memory.compact(now.next());
            }
        }
        if random.random_ratio(1, 4) {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..9_000))).await;
        }
    }
    store.set_away(false);
    // Damaged values show the last good one, which a fresh reader does not have: nothing stays damaged.
    for at in 0..5 {
        put(&inner, &Key::Node(format!("n-{at}").as_str().into()), record("n").encode()).await;
    }
    let expected = content(&read(inner.as_ref(), &keys()).await.unwrap());
    picture.shows("what stands in the store", |topology| content(topology) == expected).await;
}

/// Each list has up to 256 KiB, and there are thousands of shards: nobody but who asks for one gets it.
#[tokio::test(start_paused = true)]
async fn manifests_are_neither_listed_nor_watched() {
    let store = memory();
    cluster(&store).await;
    let key = Key::Manifest(ShardId(1));
    put(&store, &key, "big").await;
    let mut picture = Picture::start(store.clone(), None);
    let before = picture.shows("a ring", |topology| topology.has_ring()).await;
    picture.topology.mark_unchanged();
    for generation in 0..10 {
        put(&store, &Key::ManifestList(ShardId(1), Generation(generation)), "big").await;
        put(&store, &key, format!("big {generation}")).await;
    }
    tokio::time::sleep(HEARTBEAT / 2).await;
    assert!(!picture.topology.has_changed().expect("it runs"), "a publish woke everybody");
    assert_eq!(picture.topology.borrow().revision, before.revision, "a publish was delivered to everybody");
    let listed = store.list(&keys().prefix()).await.expect("a listing").entries;
    assert!(listed.iter().all(|entry| !entry.key.contains("manifest")), "{listed:?}");
}

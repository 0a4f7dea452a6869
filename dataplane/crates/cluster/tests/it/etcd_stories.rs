//! What only a real etcd can do to us: tidy up under a watch, stop in the middle of a transaction, crash, lose its
//! majority, ask for a password.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{Client, Permission, PermissionType};
use futures::StreamExt;
use futures::stream::BoxStream;
use grepzilla_cluster::keyspace::{Key, Nonce, Value};
use grepzilla_cluster::leadership::{Candidate, claim};
use grepzilla_cluster::store::etcd::{EtcdCredentials, EtcdOptions, EtcdStore};
use grepzilla_cluster::store::{Change, Changes, HEARTBEAT, Outcome, Revision, SharedStore, StoreError, Transaction};
use grepzilla_cluster::topology::TopologyTask;
use grepzilla_model::{Epoch, Incarnation, ShardId};
use tokio_util::sync::CancellationToken;

use crate::etcd::{EtcdProcess, store_on};
use crate::fixtures::{cluster, config, keys, record};

const PATIENCE: Duration = Duration::from_secs(20);

type Watch = BoxStream<'static, Result<Changes, StoreError>>;

/// Writes a value that was not there before, exactly once, however often the store has to be asked.
async fn put(store: &SharedStore, key: &str, value: &str) -> Revision {
    let begun = Instant::now();
    loop {
        match try_put(store, key, value).await {
            Ok(Some(revision)) => return revision,
            Ok(None) => {}
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn try_put(store: &SharedStore, key: &str, value: &str) -> Result<Option<Revision>, StoreError> {
    let entry = store.get(key).await?;
    if let Some(entry) = entry.as_ref().filter(|entry| entry.value == value.as_bytes()) {
        return Ok(Some(entry.mod_revision));
    }
    let base = entry.map_or(Revision(0), |entry| entry.mod_revision);
    match store.commit(Transaction::new().unchanged(key, base).put(key, value)).await? {
        Outcome::Committed(revision) => Ok(Some(revision)),
        Outcome::Conflict => Ok(None),
    }
}

/// The values a watch delivers, until `count` are there. Repeats and gaps show in them.
async fn values(watch: &mut Watch, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    let reading = async {
        while values.len() < count {
            for change in watch.next().await.expect("a watch goes on").expect("no error").changes {
                let Change::Put(entry) = change else { panic!("{change:?}") };
                values.push(String::from_utf8(entry.value).unwrap());
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await;
    assert!(in_time.is_ok(), "the watch brought nothing more after {values:?}");
    values
}

/// The client of etcd itself, for what the contract has no word for.
async fn raw(etcd: &EtcdProcess) -> Client {
    Client::connect([etcd.endpoint()], None).await.unwrap()
}

#[tokio::test]
async fn compaction_ends_a_watch_of_what_is_gone_and_no_other() {
    let etcd = EtcdProcess::start().await;
    let store = etcd.store();
    let mut revisions = Vec::new();
    for at in 0..10 {
        revisions.push(put(&store, "/a", &at.to_string()).await);
    }
    let mut running = store.watch("/a", revisions[0]);
    assert_eq!(values(&mut running, 10).await.len(), 10);
    raw(&etcd).await.compact(revisions[7].0, None).await.unwrap();

    let error = store.watch("/a", revisions[2]).next().await.unwrap().unwrap_err();
    let StoreError::Compacted { from, oldest } = error else { panic!("{error}") };
    assert_eq!((from, oldest), (revisions[2], revisions[7]));
    let mut ended = store.watch("/a", revisions[2]);
    assert!(ended.next().await.unwrap().is_err() && ended.next().await.is_none(), "it goes on after its error");
    // The oldest revision that is left can be watched, although the one before it cannot.
    assert_eq!(values(&mut store.watch("/a", oldest), 3).await, ["7", "8", "9"]);
    put(&store, "/a", "10").await;
    assert_eq!(values(&mut running, 1).await, ["10"]);
}

#[tokio::test]
async fn a_watch_gives_signs_of_life_even_if_nobody_ever_writes() {
    let etcd = EtcdProcess::start().await;
    let store = etcd.store();
    let now = put(&store, "/a", "1").await;
    // It begins in the future, and etcd says nothing by itself to such a watch.
    let mut watch = store.watch("/", now.next());
    for _ in 0..3 {
        let sign = tokio::time::timeout(HEARTBEAT * 2, watch.next()).await.expect("a watch that says nothing");
        assert_eq!(sign.unwrap().unwrap(), Changes { changes: Vec::new(), revision: now });
    }
}

#[tokio::test]
async fn a_transaction_that_met_a_pause_is_unknown_and_its_mark_tells_what_happened() {
    let etcd = EtcdProcess::start().await;
    let store = etcd.store();
    put(&store, "/a", "before").await;
    for round in 0..2 {
        let mark = Nonce::random();
        let value = serde_json::to_vec(&mark).unwrap();
        etcd.pause();
        let begun = Instant::now();
        let outcome = store.commit(Transaction::new().put("/a", value.clone())).await;
        assert!(matches!(outcome, Err(StoreError::Unknown { .. })), "round {round}: {outcome:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "no deadline: {:?}", begun.elapsed());
        // While it stands still nothing can be read either, and that is known to have done nothing.
        assert!(matches!(store.get("/a").await, Err(StoreError::Unavailable { .. })));
        etcd.resume();
        let begun = Instant::now();
        let entry = loop {
            match store.get("/a").await {
                Ok(entry) => break entry.unwrap(),
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
        };
        // It had been sent when the process stopped, so it is done as soon as the process goes on, or never.
        let done = entry.value == value;
        let after = store.commit(Transaction::new().unchanged("/a", entry.mod_revision).put("/a", "next")).await;
        assert!(matches!(after, Ok(Outcome::Committed(_))), "round {round}, done: {done}: {after:?}");
    }
}

#[tokio::test]
async fn a_claim_that_met_a_pause_has_one_epoch() {
    let etcd = EtcdProcess::start().await;
    let store = etcd.store();
    cluster(&store).await;
    let candidate =
        Candidate { shard: ShardId(0), node: "n-0".into(), incarnation: Incarnation(1), last_epoch: Epoch(0) };
    claim(store.as_ref(), &keys(), &candidate).await.unwrap();
    let claiming = {
        let (store, candidate) = (store.clone(), candidate.clone());
        tokio::spawn(async move {
            loop {
                if let Ok(claimed) = claim(store.as_ref(), &keys(), &candidate).await {
                    return claimed;
                }
            }
        })
    };
    etcd.pause();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    etcd.resume();
    let claimed = tokio::time::timeout(PATIENCE, claiming).await.unwrap().unwrap();
    let (stored, revision) = config(&store, ShardId(0)).await.unwrap();
    assert_eq!((stored.config, revision), (claimed.config.clone(), claimed.revision));
    assert!(claimed.config.epoch >= Epoch(2));
}

#[tokio::test]
async fn without_a_process_nothing_was_done_and_that_is_known() {
    let mut etcd = EtcdProcess::start().await;
    let store = etcd.store();
    put(&store, "/a", "1").await;
    etcd.kill();
    let fresh = etcd.store();
    let outcome = fresh.commit(Transaction::new().put("/a", "2")).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
    // The connection that was open may have taken the first request with it; the next one finds nobody.
    let _first = store.commit(Transaction::new().put("/a", "3")).await;
    let outcome = store.commit(Transaction::new().put("/a", "4")).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable { .. })), "{outcome:?}");
    etcd.restart().await;
    assert_eq!(store.get("/a").await.unwrap().unwrap().value, b"1");
}

#[tokio::test]
async fn watch_and_lease_survive_a_restart_of_the_process() {
    let mut etcd = EtcdProcess::start().await;
    let store = etcd.store();
    let (lease, _) = store.grant(Duration::from_secs(10)).await.unwrap();
    let first = put(&store, "/a", "0").await;
    store.commit(Transaction::new().put_leased("/leased", "x", lease)).await.unwrap();
    let mut watch = store.watch("/a", first);
    assert_eq!(values(&mut watch, 1).await, ["0"]);
    for round in [1, 2] {
        etcd.kill();
        assert!(store.keep_alive(lease).await.is_err_and(|error| error.retryable()));
        etcd.restart().await;
        let expected: Vec<String> = (0..5).map(|at| format!("{round}.{at}")).collect();
        for value in &expected {
            put(&store, "/a", value).await;
        }
        assert_eq!(values(&mut watch, 5).await, expected, "a gap or a repeat after restart {round}");
        store.keep_alive(lease).await.unwrap();
    }
    assert!(store.get("/leased").await.unwrap().is_some());
}

#[tokio::test]
async fn picture_survives_a_restart_with_compaction() {
    let mut etcd = EtcdProcess::start().await;
    let store = etcd.store();
    cluster(&store).await;
    let (task, mut topology) = TopologyTask::new(store.clone(), keys(), None);
    let cancel = CancellationToken::new();
    let running = tokio::spawn(task.run(cancel.clone()));
    tokio::time::timeout(PATIENCE, topology.wait_for(|topology| topology.has_ring())).await.unwrap().unwrap();
    etcd.kill();
    let lost = tokio::time::timeout(PATIENCE, topology.wait_for(|topology| !topology.connected)).await;
    assert!(lost.expect("the absence goes unnoticed").unwrap().has_ring());
    etcd.restart().await;
    let other = etcd.store();
    let node = keys().text(&Key::Node("n-0".into()));
    let last = put(&other, &node, std::str::from_utf8(&record("n-0").encode()).unwrap()).await;
    raw(&etcd).await.compact(last.0, None).await.unwrap();
    let back = topology.wait_for(|topology| topology.connected && !topology.nodes.is_empty());
    tokio::time::timeout(PATIENCE, back).await.expect("the picture does not come back").unwrap();
    cancel.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn with_three_members_one_that_stands_still_or_crashes_is_passed_over() {
    let mut members = EtcdProcess::start_cluster(3).await;
    let store = store_on(&members.iter().collect::<Vec<_>>());
    let first = put(&store, "/a", "start").await;
    let mut watch = store.watch("/a", first);
    assert_eq!(values(&mut watch, 1).await, ["start"]);
    for (at, member) in members.iter().enumerate() {
        member.pause();
        let others: Vec<&EtcdProcess> = members.iter().filter(|other| other.endpoint() != member.endpoint()).collect();
        let value = at.to_string();
        put(&store_on(&others), "/a", &value).await;
        assert_eq!(values(&mut watch, 1).await, [value], "member {at} stands still, and the watch with it");
        assert!(store.get("/a").await.is_ok(), "member {at} stands still, and reads with it");
        member.resume();
    }

    // Without a majority there is no answer, but no hanging either, and a watch only waits.
    members[0].kill();
    members[1].kill();
    let begun = Instant::now();
    assert!(store.commit(Transaction::new().put("/a", "lost")).await.is_err());
    assert!(matches!(store.get("/a").await, Err(StoreError::Unavailable { .. })));
    assert!(begun.elapsed() < Duration::from_secs(15), "no deadline: {:?}", begun.elapsed());
    members[0].spawn();
    put(&store, "/a", "again").await;
    let mut seen = values(&mut watch, 1).await;
    if seen == ["lost"] {
        // It was not: its outcome was unknown.
        seen = values(&mut watch, 1).await;
    }
    assert_eq!(seen, ["again"]);
}

#[tokio::test]
async fn a_password_is_asked_for_and_given() {
    let etcd = EtcdProcess::start().await;
    let mut root = raw(&etcd).await;
    root.user_add("root", "secret", None).await.unwrap();
    root.user_grant_role("root", "root").await.unwrap();
    root.role_add("gz").await.unwrap();
    root.role_grant_permission("gz", Permission::new(PermissionType::Readwrite, "/gz/").with_prefix()).await.unwrap();
    root.user_add("node", "word", None).await.unwrap();
    root.user_grant_role("node", "gz").await.unwrap();
    root.auth_enable().await.unwrap();

    let with = |password: &str| -> SharedStore {
        let credentials = Some(EtcdCredentials { user: "node".to_owned(), password: password.to_owned() });
        Arc::new(EtcdStore::new(EtcdOptions { credentials, ..EtcdOptions::new([etcd.endpoint()]) }).unwrap())
    };
    let (nobody, wrong, node) = (etcd.store(), with("guess"), with("word"));
    for store in [&nobody, &wrong] {
        let outcome = store.commit(Transaction::new().put("/gz/a", "1")).await;
        assert!(matches!(outcome, Err(StoreError::Refused { .. })), "{outcome:?}");
        assert!(matches!(store.watch("/gz/", Revision(1)).next().await, Some(Err(StoreError::Refused { .. }))));
    }
    put(&node, "/gz/a", "1").await;
    assert_eq!(values(&mut node.watch("/gz/", Revision(1)), 1).await, ["1"]);
    let outcome = node.commit(Transaction::new().put("/other", "1")).await;
    assert!(matches!(outcome, Err(StoreError::Refused { .. })), "{outcome:?}");
    let printed = format!("{node:?}");
    assert!(printed.contains("node") && !printed.contains("word"), "the password is printed: {printed}");
}

#[tokio::test]
async fn what_is_no_endpoint_is_refused() {
    for endpoints in [vec![], vec!["etcd:2379"], vec!["http://good:1", "https://bad:1"]] {
        assert!(matches!(EtcdStore::new(EtcdOptions::new(endpoints)), Err(StoreError::Refused { .. })));
    }
}

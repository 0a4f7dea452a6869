//! Claiming epochs of shards with one replica.

use std::collections::BTreeSet;

use grepzilla_cluster::keyspace::{Key, StoredRing, Value};
use grepzilla_cluster::leadership::{Candidate, ClaimError, claim};
use grepzilla_cluster::store::{SharedStore, StoreError, Transaction};
use grepzilla_model::{Epoch, Incarnation, NodeIndex, ReplicaRole, ShardId, ShardState};

use crate::faulty::{Fault, FaultyStore};
use crate::fixtures::{cluster, config, keys, memory, set_config};

const SHARD: ShardId = ShardId(0);

fn candidate() -> Candidate {
    Candidate { shard: SHARD, node: "n-0".into(), incarnation: Incarnation(1), last_epoch: Epoch(0) }
}

#[tokio::test]
async fn first_claim_makes_the_configuration_and_later_ones_raise_its_epoch() {
    let store = memory();
    cluster(&store).await;
    let first = claim(store.as_ref(), &keys(), &candidate()).await.unwrap();
    assert_eq!(first.config.epoch, Epoch(1));
    assert_eq!(first.config.leader, "n-0".into());
    assert_eq!(first.config.in_sync, ["n-0".into()]);
    assert_eq!((first.config.min_isr, first.config.state), (1, ShardState::Active));
    let (stored, revision) = config(&store, SHARD).await.unwrap();
    assert_eq!((&stored.config, revision), (&first.config, first.revision));

    let second = claim(store.as_ref(), &keys(), &candidate()).await.unwrap();
    assert_eq!(second.config.epoch, Epoch(2));
    assert_eq!(second.config.replicas, first.config.replicas);
}

#[tokio::test]
async fn new_epoch_is_above_the_logs_last_one_too() {
    let store = memory();
    cluster(&store).await;
    let ahead = Candidate { last_epoch: Epoch(9), ..candidate() };
    assert_eq!(claim(store.as_ref(), &keys(), &ahead).await.unwrap().config.epoch, Epoch(10));
    assert_eq!(claim(store.as_ref(), &keys(), &candidate()).await.unwrap().config.epoch, Epoch(11));
    let further = Candidate { last_epoch: Epoch(40), ..candidate() };
    assert_eq!(claim(store.as_ref(), &keys(), &further).await.unwrap().config.epoch, Epoch(41));
}

#[tokio::test]
async fn nobody_founds_a_shard_that_the_ring_wants_elsewhere_or_that_no_ring_wants() {
    let store = memory();
    let none = claim(store.as_ref(), &keys(), &candidate()).await.unwrap_err();
    assert!(matches!(none, ClaimError::NoRing { .. }) && none.retryable(), "{none}");
    cluster(&store).await;
    let elsewhere = Candidate { node: "n-1".into(), ..candidate() };
    let error = claim(store.as_ref(), &keys(), &elsewhere).await.unwrap_err();
    assert!(matches!(&error, ClaimError::NotTarget { targets, .. } if *targets == ["n-0".into()]), "{error}");
    let unknown = Candidate { shard: ShardId(99), ..candidate() };
    assert!(matches!(claim(store.as_ref(), &keys(), &unknown).await, Err(ClaimError::NotTarget { .. })));
    assert!(config(&store, SHARD).await.is_none(), "a refused claim left something behind");
}

#[tokio::test]
async fn a_shard_is_refused_to_every_replica_but_the_listed_one() {
    let store = memory();
    cluster(&store).await;
    claim(store.as_ref(), &keys(), &candidate()).await.unwrap();
    let before = config(&store, SHARD).await;

    let other_node = Candidate { node: "n-1".into(), ..candidate() };
    let error = claim(store.as_ref(), &keys(), &other_node).await.unwrap_err();
    assert!(
        matches!(&error, ClaimError::HeldByOther { node, incarnation: Incarnation(1), .. } if *node == "n-0".into())
    );
    let wiped = Candidate { incarnation: Incarnation(2), ..candidate() };
    let error = claim(store.as_ref(), &keys(), &wiped).await.unwrap_err();
    assert!(matches!(error, ClaimError::LostIncarnation { listed: Incarnation(1), ours: Incarnation(2), .. }));
    assert!(!error.retryable());
    assert_eq!(config(&store, SHARD).await, before, "a refused claim changed the configuration");
}

#[tokio::test]
async fn a_replica_that_is_behind_and_one_of_several_do_not_claim() {
    let store = memory();
    cluster(&store).await;
    claim(store.as_ref(), &keys(), &candidate()).await.unwrap();
    set_config(&store, SHARD, |config| config.in_sync.clear()).await;
    assert!(matches!(claim(store.as_ref(), &keys(), &candidate()).await, Err(ClaimError::NotInSync { .. })));
    set_config(&store, SHARD, |config| {
        config.in_sync = vec!["n-0".into()];
        config.replicas[0].role = ReplicaRole::Learner;
    })
    .await;
    assert!(matches!(claim(store.as_ref(), &keys(), &candidate()).await, Err(ClaimError::NotInSync { .. })));
    set_config(&store, SHARD, |config| {
        config.replicas[0].role = ReplicaRole::Member;
        let mut second = config.replicas[0].clone();
        second.node = "n-1".into();
        config.replicas.push(second);
    })
    .await;
    let error = claim(store.as_ref(), &keys(), &candidate()).await.unwrap_err();
    assert!(matches!(error, ClaimError::Replicated { replicas: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_lost_answer_a_lost_request_and_a_late_one_are_all_resolved() {
    for (faults, epoch) in [
        (vec![Fault::LoseAnswer], 2),
        (vec![Fault::LoseRequest], 2),
        (vec![Fault::DeliverLate], 2),
        (vec![Fault::LoseRequest, Fault::DeliverLate, Fault::LoseAnswer], 2),
    ] {
        for founded in [false, true] {
            let inner = memory();
            cluster(&inner).await;
            if founded {
                claim(inner.as_ref(), &keys(), &candidate()).await.unwrap();
            }
            let store = FaultyStore::new(inner.clone());
            store.plan(faults.clone());
            let claimed = claim(store.as_ref(), &keys(), &candidate()).await.unwrap();
            let expected = if founded { epoch } else { 1 };
            assert_eq!(claimed.config.epoch, Epoch(expected), "{faults:?} raised the epoch more than once");
            let (stored, revision) = config(&inner, SHARD).await.unwrap();
            assert_eq!((stored.config, revision), (claimed.config, claimed.revision), "{faults:?}");
        }
    }
}

#[tokio::test]
async fn claim_gives_up_when_no_answer_ever_comes() {
    let inner = memory();
    cluster(&inner).await;
    let store = FaultyStore::new(inner.clone());
    store.plan(vec![Fault::LoseRequest; 100]);
    assert!(matches!(claim(store.as_ref(), &keys(), &candidate()).await, Err(ClaimError::Contended { .. })));
    store.set_away(true);
    let error = claim(store.as_ref(), &keys(), &candidate()).await.unwrap_err();
    assert!(matches!(error, ClaimError::Store(StoreError::Unavailable { .. })) && error.retryable(), "{error}");
}

#[tokio::test]
async fn ring_that_moves_the_shard_away_during_the_first_claim_is_obeyed() {
    let inner = memory();
    let (_, mut ring) = cluster(&inner).await;
    ring.targets.insert(SHARD, vec![NodeIndex(2)]);
    ring.version += 1;
    let moved = StoredRing { term: 1, ring }.encode();
    let store = FaultyStore::new(inner.clone());
    store.plan([Fault::Interlope(Transaction::new().put(keys().text(&Key::Ring), moved))]);
    let error = claim(store.as_ref(), &keys(), &candidate()).await.unwrap_err();
    assert!(matches!(error, ClaimError::NotTarget { .. }), "{error}");
    assert!(config(&inner, SHARD).await.is_none());
}

#[tokio::test]
async fn claims_at_the_same_time_get_different_epochs() {
    let store = memory();
    cluster(&store).await;
    let epoch = async |store: &SharedStore| loop {
        match claim(store.as_ref(), &keys(), &candidate()).await {
            Ok(claimed) => return claimed.config.epoch,
            Err(ClaimError::Contended { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let epochs = futures::future::join_all((0..10).map(|_| epoch(&store))).await;
    assert_eq!(epochs.iter().collect::<BTreeSet<_>>().len(), 10, "an epoch was given twice: {epochs:?}");
}

#[tokio::test]
async fn a_damaged_configuration_is_not_overwritten() {
    let store = memory();
    cluster(&store).await;
    let key = keys().text(&Key::ShardConfig(SHARD));
    store.commit(Transaction::new().put(&key, "{\"v\":1")).await.unwrap();
    assert!(matches!(claim(store.as_ref(), &keys(), &candidate()).await, Err(ClaimError::Value(_))));
    assert_eq!(store.get(&key).await.unwrap().unwrap().value, b"{\"v\":1");
}

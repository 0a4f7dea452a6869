//! Publishing and reading manifests, in every home of the store and over a bad network.

use std::time::Duration;

use grepzilla_cluster::keyspace::{Key, ManifestHead, ManifestList, Value};
use grepzilla_cluster::leadership::{Candidate, claim};
use grepzilla_cluster::manifests::{
    LIST_BYTES_MAX, ManifestReadError, Publication, PublishError, at, newest, remove_superseded,
};
use grepzilla_cluster::store::disk::DiskStore;
use grepzilla_cluster::store::{Outcome, SharedStore, Transaction};
use grepzilla_model::manifest::{DeletesEntry, DocumentBounds};
use grepzilla_model::{Epoch, Generation, Incarnation, Manifest, SegmentEntry, SegmentName, SeqNo, ShardId, TimeNs};

use crate::etcd::EtcdProcess;
use crate::faulty::{Fault, FaultyStore};
use crate::fixtures::{cluster, keys, memory, set_config};

const SHARD: ShardId = ShardId(0);

fn candidate() -> Candidate {
    Candidate { shard: SHARD, node: "n-0".into(), incarnation: Incarnation(1), last_epoch: Epoch(0) }
}

/// A store in which `n-0` leads the shard in epoch 1.
async fn led(store: &SharedStore) {
    cluster(store).await;
    lead(store, 1).await;
}

async fn lead(store: &SharedStore, epoch: u64) {
    assert_eq!(claim(store.as_ref(), &keys(), &candidate()).await.unwrap().config.epoch, Epoch(epoch));
}

fn segment(number: u64) -> SegmentEntry {
    SegmentEntry {
        name: SegmentName {
            epoch: Epoch(1),
            first: SeqNo(10 * number + 1),
            last: SeqNo(10 * number + 10),
            hash: number,
        },
        bytes: 1 << 40,
        raw_bytes: 1 << 40,
        documents: 10,
        blocks: 1,
        bounds: Some(DocumentBounds {
            time_min: TimeNs(i64::MIN),
            time_max: TimeNs(i64::MAX),
            received_max: TimeNs(1),
        }),
        deletes: Some(DeletesEntry { generation: Generation(1), count: 1, hash: u64::MAX }),
    }
}

/// A manifest of that many segments.
fn manifest(epoch: u64, generation: u64, segments: u64) -> Manifest {
    Manifest {
        generation: Generation(generation),
        epoch: Epoch(epoch),
        base: SeqNo(0),
        flushed: SeqNo(10 * segments),
        segments: (0..segments).map(segment).collect(),
    }
}

async fn publish(store: &SharedStore, manifest: Manifest) -> Result<(), PublishError> {
    Publication::new(SHARD, manifest, TimeNs(0)).publish(store.as_ref(), &keys()).await
}

async fn found(store: &SharedStore) -> Option<Manifest> {
    newest(store.as_ref(), &keys(), SHARD).await.unwrap()
}

/// What every home must do.
async fn generations_follow_each_other_and_old_ones_stay_readable(store: SharedStore) {
    led(&store).await;
    assert_eq!(found(&store).await, None);
    for generation in 1..=3 {
        let next = manifest(1, generation, generation);
        publish(&store, next.clone()).await.unwrap();
        assert_eq!(found(&store).await, Some(next));
    }
    let old = at(store.as_ref(), &keys(), SHARD, Generation(2)).await.unwrap();
    assert_eq!(old, Some(manifest(1, 2, 2)));
    for absent in [0, 4] {
        assert_eq!(at(store.as_ref(), &keys(), SHARD, Generation(absent)).await.unwrap(), None);
    }
    for again in [manifest(1, 3, 3), manifest(1, 3, 4), manifest(1, 2, 5)] {
        let error = publish(&store, again).await.unwrap_err();
        assert!(matches!(error, PublishError::NotNext { newest: Generation(3), .. }) && !error.retryable(), "{error}");
    }
    assert_eq!(found(&store).await, Some(manifest(1, 3, 3)), "a refused publish left something behind");
}

#[tokio::test]
async fn generations_follow_each_other_in_memory() {
    generations_follow_each_other_and_old_ones_stay_readable(memory()).await;
}

#[tokio::test]
async fn generations_follow_each_other_on_disk_and_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata");
    let open = || -> SharedStore { std::sync::Arc::new(DiskStore::open(&path).unwrap()) };
    generations_follow_each_other_and_old_ones_stay_readable(open()).await;
    assert_eq!(found(&open()).await, Some(manifest(1, 3, 3)));
}

#[tokio::test]
async fn generations_follow_each_other_in_etcd_and_a_list_of_the_largest_size_fits() {
    let etcd = EtcdProcess::start().await;
    generations_follow_each_other_and_old_ones_stay_readable(etcd.store()).await;
    let largest = (1..1_000).rev().map(|segments| manifest(1, 4, segments)).find(|manifest| {
        ManifestList { published: TimeNs(0), manifest: manifest.clone() }.encode().len() <= LIST_BYTES_MAX
    });
    let largest = largest.unwrap();
    assert!(largest.segments.len() > 500, "only {} segments fit", largest.segments.len());
    publish(&etcd.store(), largest.clone()).await.unwrap();
    assert_eq!(found(&etcd.store()).await, Some(largest));
}

#[tokio::test]
async fn a_leader_that_was_replaced_publishes_nothing() {
    a_replaced_leader_publishes_nothing(memory()).await;
}

#[tokio::test]
async fn a_leader_that_was_replaced_publishes_nothing_in_etcd() {
    let etcd = EtcdProcess::start().await;
    a_replaced_leader_publishes_nothing(etcd.store()).await;
}

async fn a_replaced_leader_publishes_nothing(store: SharedStore) {
    led(&store).await;
    let publication = Publication::new(SHARD, manifest(1, 1, 1), TimeNs(0));
    lead(&store, 2).await;
    let error = publication.publish(store.as_ref(), &keys()).await.unwrap_err();
    assert!(matches!(error, PublishError::Overtaken { ours: Epoch(1), found: Epoch(2), .. }), "{error}");
    assert_eq!(found(&store).await, None);
    publish(&store, manifest(2, 1, 1)).await.unwrap();
    lead(&store, 3).await;
    assert!(matches!(publish(&store, manifest(2, 2, 2)).await, Err(PublishError::Overtaken { .. })));
    publish(&store, manifest(3, 2, 2)).await.unwrap();
}

#[tokio::test]
async fn an_epoch_that_begins_between_the_look_and_the_publish_stops_it() {
    an_epoch_that_begins_meanwhile_stops_a_publish(memory()).await;
}

#[tokio::test]
async fn an_epoch_that_begins_between_the_look_and_the_publish_stops_it_in_etcd() {
    let etcd = EtcdProcess::start().await;
    an_epoch_that_begins_meanwhile_stops_a_publish(etcd.store()).await;
}

async fn an_epoch_that_begins_meanwhile_stops_a_publish(inner: SharedStore) {
    led(&inner).await;
    let config = keys().text(&Key::ShardConfig(SHARD));
    let mut stored = crate::fixtures::config(&inner, SHARD).await.unwrap().0;
    stored.config.epoch = Epoch(2);
    let store = FaultyStore::new(inner.clone());
    store.plan([Fault::Interlope(Transaction::new().put(config, stored.encode()))]);
    let publication = Publication::new(SHARD, manifest(1, 1, 1), TimeNs(0));
    let error = publication.publish(store.as_ref(), &keys()).await.unwrap_err();
    assert!(matches!(error, PublishError::Overtaken { .. }), "{error}");
    assert_eq!(found(&inner).await, None);
}

#[tokio::test]
async fn a_change_of_the_configuration_that_keeps_the_epoch_delays_a_publish_only() {
    let inner = memory();
    led(&inner).await;
    let (stored, _) = crate::fixtures::config(&inner, SHARD).await.unwrap();
    let touch = Transaction::new().put(keys().text(&Key::ShardConfig(SHARD)), stored.encode());
    let store = FaultyStore::new(inner.clone());
    store.plan([Fault::Interlope(touch)]);
    Publication::new(SHARD, manifest(1, 1, 1), TimeNs(0)).publish(store.as_ref(), &keys()).await.unwrap();
    assert_eq!(found(&inner).await, Some(manifest(1, 1, 1)));
}

#[tokio::test]
async fn what_etcd_has_accepted_without_the_leader_hearing_of_it_is_found_by_the_next_one() {
    let etcd = EtcdProcess::start().await;
    led(&etcd.store()).await;
    let lossy = FaultyStore::new(etcd.store());
    lossy.plan([Fault::LoseAnswer]);
    let publication = Publication::new(SHARD, manifest(1, 1, 1), TimeNs(0));
    // Whatever it is told, it dies before it records anything.
    let _dead = publication.publish(lossy.as_ref(), &keys()).await;
    lead(&etcd.store(), 2).await;
    assert_eq!(found(&etcd.store()).await, Some(manifest(1, 1, 1)));
    assert!(matches!(publish(&etcd.store(), manifest(1, 2, 2)).await, Err(PublishError::Overtaken { .. })));
    publish(&etcd.store(), manifest(2, 2, 2)).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_a_lost_request_and_a_late_one_are_all_resolved() {
    for faults in [
        vec![Fault::LoseAnswer],
        vec![Fault::LoseRequest],
        vec![Fault::DeliverLate],
        vec![Fault::LoseRequest, Fault::DeliverLate, Fault::LoseAnswer],
    ] {
        let inner = memory();
        led(&inner).await;
        let store = FaultyStore::new(inner.clone());
        for generation in 1..=2 {
            store.plan(faults.clone());
            let publication = Publication::new(SHARD, manifest(1, generation, generation), TimeNs(0));
            publication.publish(store.as_ref(), &keys()).await.unwrap();
            assert_eq!(found(&inner).await.as_ref(), Some(publication.manifest()), "{faults:?}");
        }
    }
}

#[tokio::test]
async fn a_publication_that_was_made_is_known_again_when_it_is_tried_again() {
    let inner = memory();
    led(&inner).await;
    let store = FaultyStore::new(inner.clone());
    let publication = Publication::new(SHARD, manifest(1, 1, 1), TimeNs(0));
    publication.publish(store.as_ref(), &keys()).await.unwrap();
    // As after an answer that was never waited for.
    publication.publish(store.as_ref(), &keys()).await.unwrap();
    assert_eq!(found(&inner).await, Some(manifest(1, 1, 1)), "it was published once");
    store.set_away(true);
    let error = publication.publish(store.as_ref(), &keys()).await.unwrap_err();
    assert!(error.retryable(), "{error}");
}

#[tokio::test]
async fn a_manifest_that_is_not_sound_falls_back_or_is_too_long_never_gets_there() {
    let store = memory();
    led(&store).await;
    publish(&store, manifest(1, 1, 5)).await.unwrap();
    assert!(matches!(publish(&store, manifest(1, 2, 4)).await, Err(PublishError::FlushedFell { .. })));
    let gap = Manifest { base: SeqNo(1), ..manifest(1, 2, 6) };
    assert!(matches!(publish(&store, gap).await, Err(PublishError::Unsound(_))));
    let error = publish(&store, manifest(1, 2, 1_000)).await.unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { .. }), "{error}");
    assert!(matches!(publish(&store, manifest(1, 2, 1_001)).await, Err(PublishError::Unsound(_))));
    assert_eq!(found(&store).await, Some(manifest(1, 1, 5)));
}

#[tokio::test]
async fn a_store_that_has_lost_generations_takes_the_next_one_all_the_same() {
    let store = memory();
    led(&store).await;
    publish(&store, manifest(1, 1, 1)).await.unwrap();
    // As after a backup was restored: generations 2 to 4 had been accepted.
    publish(&store, manifest(1, 5, 5)).await.unwrap();
    assert_eq!(found(&store).await, Some(manifest(1, 5, 5)));
    assert!(matches!(publish(&store, manifest(1, 4, 6)).await, Err(PublishError::NotNext { .. })));
}

#[tokio::test]
async fn a_shard_that_has_no_configuration_has_no_publisher() {
    let store = memory();
    cluster(&store).await;
    let error = publish(&store, manifest(1, 1, 1)).await.unwrap_err();
    assert!(matches!(error, PublishError::Overtaken { found: Epoch(0), .. }), "{error}");
    lead(&store, 1).await;
    set_config(&store, SHARD, |config| config.epoch = Epoch(7)).await;
    publish(&store, manifest(7, 1, 1)).await.unwrap();
}

#[tokio::test]
async fn lists_go_when_they_have_been_superseded_for_long_enough_and_the_newest_never() {
    let store = memory();
    led(&store).await;
    // Each a second after the one before: more than one transaction can remove.
    for generation in 1..=150 {
        let now = TimeNs(generation as i64 * 1_000_000_000);
        let publication = Publication::new(SHARD, manifest(1, generation, generation.min(3)), now);
        publication.publish(store.as_ref(), &keys()).await.unwrap();
    }
    let remove = async |seconds: i64| {
        let now = TimeNs(seconds * 1_000_000_000);
        remove_superseded(store.as_ref(), &keys(), SHARD, now, Duration::from_secs(600)).await.unwrap()
    };
    assert_eq!(remove(601).await, 0, "generation 1 was superseded at second 2");
    assert_eq!(remove(602).await, 1);
    assert_eq!(at(store.as_ref(), &keys(), SHARD, Generation(1)).await.unwrap(), None);
    assert!(at(store.as_ref(), &keys(), SHARD, Generation(2)).await.unwrap().is_some());
    assert_eq!(remove(100_000).await, 148);
    assert_eq!(remove(100_000).await, 0);
    assert_eq!(found(&store).await, Some(manifest(1, 150, 3)));
    publish(&store, manifest(1, 151, 3)).await.unwrap();
}

#[tokio::test]
async fn what_does_not_fit_together_in_the_store_is_refused_by_name() {
    let store = memory();
    led(&store).await;
    publish(&store, manifest(1, 1, 1)).await.unwrap();
    let put = async |key: Key, value: Vec<u8>| {
        let put = Transaction::new().put(keys().text(&key), value);
        assert!(matches!(store.commit(put).await, Ok(Outcome::Committed(_))));
    };
    let list = |manifest| ManifestList { published: TimeNs(0), manifest }.encode();
    let key = || Key::ManifestList(SHARD, Generation(1));
    let newest = async || newest(store.as_ref(), &keys(), SHARD).await;
    put(key(), list(manifest(1, 2, 1))).await;
    assert!(matches!(newest().await, Err(ManifestReadError::Mismatch { .. })), "a list under another generation's key");
    put(key(), list(manifest(1, 1, 2))).await;
    assert!(matches!(newest().await, Err(ManifestReadError::Mismatch { .. })), "a list that the head does not name");
    put(key(), b"{\"v\":1".to_vec()).await;
    assert!(matches!(newest().await, Err(ManifestReadError::Value(_))));
    store.commit(Transaction::new().delete(keys().text(&key()))).await.unwrap();
    assert!(matches!(newest().await, Err(ManifestReadError::Missing { generation: Generation(1), .. })));
    put(Key::Manifest(SHARD), b"{\"v\":2,\"value\":{}}".to_vec()).await;
    assert!(matches!(publish(&store, manifest(1, 2, 2)).await, Err(PublishError::Read(ManifestReadError::Value(_)))));
    let head = store.get(&keys().text(&Key::Manifest(SHARD))).await.unwrap().unwrap();
    assert!(ManifestHead::decode(&head.key, &head.value).is_err(), "a head of a newer version was overwritten");
}

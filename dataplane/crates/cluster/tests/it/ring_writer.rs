//! What the operator writes, and what an operator that was deposed does not.

use grepzilla_cluster::keyspace::{ClusterIdentity, Key, Nonce, OperatorTerm, StoredRing, Value};
use grepzilla_cluster::ring_writer::{RingWriteError, RingWriter};
use grepzilla_cluster::store::{SharedStore, Transaction};
use grepzilla_model::{ClusterUuid, Ring};
use uuid::Uuid;

use crate::faulty::{Fault, FaultyStore};
use crate::fixtures::{keys, memory, ring};

async fn lead(store: &SharedStore, holder: &str) -> RingWriter {
    RingWriter::take_lead(store.clone(), keys(), holder).await.unwrap()
}

fn next(ring: &Ring) -> Ring {
    Ring { version: ring.version + 1, ..ring.clone() }
}

/// What an operator that takes the lead just now writes.
fn coup(term: u64) -> Fault {
    let value = OperatorTerm { term, holder: "usurper".to_owned(), nonce: Nonce::random() }.encode();
    Fault::Interlope(Transaction::new().put(keys().text(&Key::Operator), value))
}

#[tokio::test]
async fn each_operator_has_a_higher_term_and_deposes_the_one_before() {
    let store = memory();
    let first = lead(&store, "a").await;
    first.write(None, &ring(3, 6)).await.unwrap();
    let second = lead(&store, "b").await;
    assert_eq!((first.term(), second.term()), (1, 2));
    let base = second.current().await.unwrap().unwrap();

    let error = first.write(Some(&base), &next(&base.ring)).await.unwrap_err();
    assert!(matches!(&error, RingWriteError::Deposed { ours: 1, newest: 2, holder } if holder == "b"), "{error}");
    let error = first.ensure_cluster(ClusterUuid(Uuid::from_u128(1))).await.unwrap_err();
    assert!(matches!(error, RingWriteError::Deposed { .. }), "{error}");
    assert!(matches!(first.check_lead().await, Err(RingWriteError::Deposed { .. })));
    assert_eq!(second.current().await.unwrap().unwrap(), base, "a deposed operator wrote");
    assert!(store.get(&keys().text(&Key::Cluster)).await.unwrap().is_none());

    second.check_lead().await.unwrap();
    let revision = second.write(Some(&base), &next(&base.ring)).await.unwrap();
    assert_eq!(second.current().await.unwrap().unwrap().revision, revision);
}

#[tokio::test]
async fn an_operator_deposed_between_reading_and_writing_writes_nothing() {
    let inner = memory();
    let store = FaultyStore::new(inner.clone());
    let writer = RingWriter::take_lead(store.clone(), keys(), "a").await.unwrap();
    store.plan([coup(2)]);
    let error = writer.write(None, &ring(3, 6)).await.unwrap_err();
    assert!(matches!(&error, RingWriteError::Deposed { holder, .. } if holder == "usurper"), "{error}");
    assert!(inner.get(&keys().text(&Key::Ring)).await.unwrap().is_none());
    store.plan([coup(3)]);
    let writer = RingWriter::take_lead(store.clone(), keys(), "a").await.unwrap();
    assert_eq!(writer.term(), 4, "it lost the race and took the lead from the winner");
}

#[tokio::test]
async fn cluster_gets_its_identity_once() {
    let store = memory();
    let (first, second) = (ClusterUuid(Uuid::from_u128(1)), ClusterUuid(Uuid::from_u128(2)));
    assert_eq!(lead(&store, "a").await.ensure_cluster(first).await.unwrap(), first);
    assert_eq!(lead(&store, "b").await.ensure_cluster(second).await.unwrap(), first);
    let key = keys().text(&Key::Cluster);
    let stored = store.get(&key).await.unwrap().unwrap();
    assert_eq!(ClusterIdentity::decode(&key, &stored.value).unwrap().uuid, first);
}

#[tokio::test]
async fn ring_is_written_over_the_one_it_was_made_for_only() {
    let store = memory();
    let writer = lead(&store, "a").await;
    let revision = writer.write(None, &ring(3, 6)).await.unwrap();
    assert_eq!(writer.write(None, &ring(3, 6)).await.unwrap(), revision, "the same again is done already");
    let error = writer.write(None, &ring(4, 6)).await.unwrap_err();
    assert!(matches!(error, RingWriteError::Changed { version: 1 }), "{error}");
    // The same ring by another operator is not its own attempt.
    let error = lead(&store, "b").await.write(None, &ring(3, 6)).await.unwrap_err();
    assert!(matches!(error, RingWriteError::Changed { version: 1 }), "{error}");
}

#[tokio::test]
async fn ring_with_a_wrong_version_or_a_gap_is_not_written() {
    let store = memory();
    let writer = lead(&store, "a").await;
    let good = ring(3, 6);
    let error = writer.write(None, &next(&good)).await.unwrap_err();
    assert!(matches!(error, RingWriteError::Version { expected: 1, found: 2 }), "{error}");
    let mut gap = good.clone();
    gap.ranges.remove(2);
    assert!(matches!(writer.write(None, &gap).await, Err(RingWriteError::Ring(_))));
    assert!(writer.current().await.unwrap().is_none());
    writer.write(None, &good).await.unwrap();
    let base = writer.current().await.unwrap().unwrap();
    writer.write(Some(&base), &next(&base.ring)).await.unwrap();
    let error = writer.write(Some(&base), &Ring { feature_level: 2, ..next(&base.ring) }).await.unwrap_err();
    assert!(matches!(error, RingWriteError::Changed { version: 2 }), "{error}");
}

#[tokio::test]
async fn lost_answers_lost_requests_and_late_ones_are_all_resolved() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest, Fault::DeliverLate] {
        let inner = memory();
        let store = FaultyStore::new(inner.clone());
        store.plan([fault.clone()]);
        let writer = RingWriter::take_lead(store.clone(), keys(), "a").await.unwrap();
        assert_eq!(writer.term(), 1, "{fault:?}: the term was raised twice");
        writer.check_lead().await.unwrap();

        store.plan([fault.clone()]);
        let uuid = ClusterUuid(Uuid::from_u128(1));
        assert_eq!(writer.ensure_cluster(uuid).await.unwrap(), uuid, "{fault:?}");

        store.plan([fault.clone()]);
        let revision = writer.write(None, &ring(3, 6)).await.unwrap();
        let key = keys().text(&Key::Ring);
        let entry = inner.get(&key).await.unwrap().unwrap();
        assert_eq!(entry.mod_revision, revision, "{fault:?}");
        assert_eq!(StoredRing::decode(&key, &entry.value).unwrap().ring, ring(3, 6));
    }
}

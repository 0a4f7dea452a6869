//! Leases. In real time, with lengths that all homes can grant.

use std::time::{Duration, Instant};

use grepzilla_cluster::store::{Change, LeaseId, Outcome, Revision, StoreError, Transaction};

use super::{Home, next_changes};

const TTL: Duration = Duration::from_secs(2);
/// A lease is gone at its end, and no later than this after it.
const SLACK: Duration = Duration::from_secs(1);

impl Home {
    async fn grant(&self) -> (LeaseId, Duration) {
        let (lease, ttl) = self.store.grant(TTL).await.unwrap();
        assert!(ttl >= TTL, "the lease is shorter than was asked");
        (lease, ttl)
    }
}

pub(super) async fn an_expired_lease_takes_its_keys_and_watches_see_it(home: Home) {
    let begun = Instant::now();
    let (lease, ttl) = home.grant().await;
    let keys = Transaction::new().put_leased(home.key("a"), "1", lease).put_leased(home.key("b"), "2", lease);
    let put = home.done(keys.put(home.key("c"), "3")).await;
    assert_eq!(home.get("a").await.unwrap().lease, Some(lease));
    let mut watch = home.store.watch(&home.root, put.next());
    let changes = next_changes(&mut watch).await.unwrap();
    let waited = begun.elapsed();
    assert!(waited >= ttl && waited <= ttl + SLACK, "gone after {waited:?}, not {ttl:?}");
    let mut gone: Vec<Change> = changes.changes;
    if gone.len() == 1 {
        gone.extend(next_changes(&mut watch).await.unwrap().changes);
    }
    let mut keys: Vec<&str> = gone.iter().map(Change::key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [home.key("a"), home.key("b")]);
    assert!(gone.iter().all(|change| matches!(change, Change::Delete { .. })), "{gone:?}");
    assert_eq!(home.get("a").await, None);
    assert!(home.get("c").await.is_some());
    // What was compared before the expiry does not hold after it.
    let stale = Transaction::new().unchanged(home.key("a"), put).put(home.key("a"), "4");
    assert_eq!(home.commit(stale).await, Outcome::Conflict);
}

pub(super) async fn a_lease_that_is_kept_alive_outlives_its_ttl(home: Home) {
    let (lease, ttl) = home.grant().await;
    home.done(Transaction::new().put_leased(home.key("a"), "1", lease)).await;
    let begun = Instant::now();
    let mut kept = begun;
    while begun.elapsed() < ttl * 2 {
        tokio::time::sleep(ttl / 4).await;
        kept = Instant::now();
        home.store.keep_alive(lease).await.unwrap();
        assert!(home.get("a").await.is_some(), "gone after {:?} in spite of keep-alives", begun.elapsed());
    }
    while home.get("a").await.is_some() {
        assert!(kept.elapsed() <= ttl + SLACK, "still there {:?} after the last keep-alive", kept.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(kept.elapsed() >= ttl, "gone {:?} after the last keep-alive", kept.elapsed());
}

pub(super) async fn nothing_can_be_bound_to_a_lease_that_is_gone(home: Home) {
    let (lease, _) = home.grant().await;
    home.store.revoke(lease).await.unwrap();
    assert!(matches!(home.store.keep_alive(lease).await, Err(StoreError::LeaseGone(gone)) if gone == lease));
    let bound = Transaction::new().put_leased(home.key("a"), "1", lease).put(home.key("b"), "2");
    assert!(matches!(home.store.commit(bound).await, Err(StoreError::LeaseGone(gone)) if gone == lease));
    assert!(home.store.list(&home.root).await.unwrap().entries.is_empty());
    assert!(matches!(home.store.keep_alive(LeaseId(4_711)).await, Err(StoreError::LeaseGone(_))));
}

pub(super) async fn a_revoked_lease_takes_its_keys_at_once(home: Home) {
    let (lease, _) = home.grant().await;
    let put = home.done(Transaction::new().put_leased(home.key("a"), "1", lease)).await;
    home.store.revoke(lease).await.unwrap();
    assert_eq!(home.get("a").await, None);
    let changes = next_changes(&mut home.store.watch(&home.root, put.next())).await.unwrap();
    assert!(matches!(&changes.changes[..], [Change::Delete { .. }]), "{changes:?}");
    home.store.revoke(lease).await.expect("a second time does no harm");
    home.store.revoke(LeaseId(4_712)).await.expect("nor does a lease that never was");
}

pub(super) async fn a_key_that_was_put_again_forgets_its_first_lease(home: Home) {
    let (first, _) = home.grant().await;
    let (second, _) = home.store.grant(TTL * 10).await.unwrap();
    home.done(Transaction::new().put_leased(home.key("a"), "1", first).put_leased(home.key("b"), "1", first)).await;
    home.done(Transaction::new().put_leased(home.key("a"), "2", second).put(home.key("b"), "2")).await;
    home.store.revoke(first).await.unwrap();
    assert_eq!(home.get("a").await.unwrap().lease, Some(second));
    assert_eq!(home.get("b").await.unwrap().lease, None);
    home.store.revoke(second).await.unwrap();
    assert_eq!(home.get("a").await, None);
    assert!(home.get("b").await.is_some_and(|entry| entry.mod_revision > Revision(0)));
}

pub(super) async fn a_lease_without_a_length_is_refused(home: Home) {
    assert!(matches!(home.store.grant(Duration::ZERO).await, Err(StoreError::Refused { .. })));
}

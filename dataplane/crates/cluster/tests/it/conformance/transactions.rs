//! Comparing and changing.

use grepzilla_cluster::store::{
    LeaseId, Outcome, Revision, StoreError, TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX, Transaction,
};

use super::Home;

pub(super) async fn absent_holds_once(home: Home) {
    let create = |value: &str| Transaction::new().absent(home.key("a")).put(home.key("a"), value);
    home.done(create("1")).await;
    assert_eq!(home.commit(create("2")).await, Outcome::Conflict);
    assert_eq!(home.get("a").await.unwrap().value, b"1");
}

pub(super) async fn unchanged_holds_for_the_last_revision_only(home: Home) {
    let set = |revision, value: &str| Transaction::new().unchanged(home.key("a"), revision).put(home.key("a"), value);
    assert_eq!(home.commit(set(Revision(77), "0")).await, Outcome::Conflict, "the key is not there");
    let first = home.done(set(Revision(0), "1")).await;
    assert_eq!(home.commit(set(Revision(0), "2")).await, Outcome::Conflict, "revision 0 is absence");
    let second = home.done(set(first, "3")).await;
    for stale in [first, Revision(second.0 - 1), Revision(second.0 + 1)] {
        if stale != second {
            assert_eq!(home.commit(set(stale, "4")).await, Outcome::Conflict, "{stale:?}");
        }
    }
    // The same bytes again are a change all the same.
    let third = home.done(set(second, "3")).await;
    assert!(third > second);
}

pub(super) async fn a_failed_comparison_leaves_every_key_alone(home: Home) {
    let kept = home.put("kept", "1").await;
    let transaction = Transaction::new()
        .unchanged(home.key("kept"), kept)
        .absent(home.key("kept"))
        .put(home.key("new"), "x")
        .delete(home.key("kept"));
    assert_eq!(home.commit(transaction).await, Outcome::Conflict);
    assert_eq!(home.get("kept").await.unwrap().mod_revision, kept);
    assert_eq!(home.get("new").await, None);
    // A comparison that fails is a conflict, whatever else would have been wrong.
    let doomed = Transaction::new().absent(home.key("kept")).put_leased(home.key("new"), "x", LeaseId(1));
    assert_eq!(home.commit(doomed).await, Outcome::Conflict);
}

pub(super) async fn all_operations_have_one_revision(home: Home) {
    let old = home.put("c", "old").await;
    let transaction = Transaction::new()
        .absent(home.key("a"))
        .unchanged(home.key("c"), old)
        .put(home.key("a"), "1")
        .put(home.key("b"), "2")
        .delete(home.key("c"));
    let revision = home.done(transaction).await;
    assert_eq!(home.get("a").await.unwrap().mod_revision, revision);
    assert_eq!(home.get("b").await.unwrap().mod_revision, revision);
    assert_eq!(home.get("c").await, None);
}

pub(super) async fn deleting_what_is_not_there_changes_nothing(home: Home) {
    let before = home.put("a", "1").await;
    let after = home.done(Transaction::new().delete(home.key("nothing"))).await;
    assert!(after >= before);
    home.done(Transaction::new().unchanged(home.key("a"), before)).await;
    let both = Transaction::new().delete(home.key("nothing")).put(home.key("a"), "2");
    let changed = home.done(both).await;
    assert_eq!(home.get("a").await.unwrap().mod_revision, changed);
}

pub(super) async fn revisions_rise_with_every_change(home: Home) {
    let mut last = home.store.list(&home.root).await.unwrap().revision;
    for round in 0..20 {
        let revision = match round % 3 {
            0 => home.put("a", "1").await,
            1 => home.put("b", "2").await,
            _ => home.done(Transaction::new().delete(home.key("b"))).await,
        };
        assert!(revision > last, "round {round}: {revision:?} after {last:?}");
        last = revision;
    }
    assert!(home.store.list(&home.root).await.unwrap().revision >= last);
}

pub(super) async fn what_no_home_can_do_is_refused(home: Home) {
    let key = home.key("a");
    let many = (0..=TRANSACTION_OPERATIONS_MAX)
        .fold(Transaction::new(), |transaction, at| transaction.put(home.key(&at.to_string()), ""));
    let refused = [
        ("a key twice", Transaction::new().put(&key, "1").put(&key, "2")),
        ("a key put and deleted", Transaction::new().put(&key, "1").delete(&key)),
        ("an empty key", Transaction::new().put("", "1")),
        ("an empty key compared", Transaction::new().absent("").put(&key, "1")),
        ("too many bytes", Transaction::new().put(&key, vec![0; TRANSACTION_BYTES_MAX])),
        ("too many operations", many),
    ];
    for (what, transaction) in refused {
        let outcome = home.store.commit(transaction).await;
        assert!(matches!(outcome, Err(StoreError::Refused { .. })), "{what}: {outcome:?}");
    }
    assert!(home.store.list(&home.root).await.unwrap().entries.is_empty());
    let most = (0..TRANSACTION_OPERATIONS_MAX).fold(Transaction::new(), |transaction, at| {
        transaction.absent(home.key(&at.to_string())).put(home.key(&at.to_string()), "")
    });
    home.done(most).await;
}

pub(super) async fn a_counter_raised_by_many_at_once_loses_nothing(home: Home) {
    const TASKS: usize = 8;
    const ROUNDS: usize = 20;
    let raise = async |home: Home| {
        let mut raised = 0;
        while raised < ROUNDS {
            let entry = home.get("counter").await;
            let (count, revision) = entry.map_or((0, Revision(0)), |entry| {
                (std::str::from_utf8(&entry.value).unwrap().parse().unwrap(), entry.mod_revision)
            });
            let next: usize = count + 1;
            let transaction = Transaction::new().unchanged(home.key("counter"), revision);
            if let Outcome::Committed(_) = home.commit(transaction.put(home.key("counter"), next.to_string())).await {
                raised += 1;
            }
        }
    };
    futures::future::join_all((0..TASKS).map(|_| raise(home.clone()))).await;
    assert_eq!(home.get("counter").await.unwrap().value, (TASKS * ROUNDS).to_string().into_bytes());
}

//! Watching.

use futures::StreamExt;
use grepzilla_cluster::store::{Change, HEARTBEAT, Revision, Transaction};

use super::{Home, next_changes};

pub(super) async fn a_watch_begins_in_the_past_and_goes_on_without_gap_or_repeat(home: Home) {
    const BEFORE: usize = 60;
    const AFTER: usize = 60;
    let mut revisions = Vec::new();
    for at in 0..BEFORE {
        revisions.push(home.put("k", &at.to_string()).await);
    }
    // From the middle of the past, inclusive.
    let from = BEFORE / 2;
    let mut watch = home.store.watch(&home.root, revisions[from]);
    let writer = async {
        for at in BEFORE..BEFORE + AFTER {
            home.put("k", &at.to_string()).await;
        }
    };
    let reader = async {
        let mut next = from;
        while next < BEFORE + AFTER {
            let changes = next_changes(&mut watch).await.unwrap();
            for change in &changes.changes {
                let Change::Put(entry) = change else { panic!("{change:?}") };
                assert_eq!(entry.value, next.to_string().into_bytes(), "a gap or a repeat");
                assert!(entry.mod_revision <= changes.revision);
                next += 1;
            }
        }
    };
    futures::future::join(writer, reader).await;
}

pub(super) async fn a_watch_of_the_future_begins_there(home: Home) {
    let now = home.put("a", "0").await;
    // Others use the store too, so the future is far.
    let from = Revision(now.0 + 40);
    let mut watch = home.store.watch(&home.root, from);
    let mut last = now;
    while last < from {
        last = home.put("a", "1").await;
    }
    let first = next_changes(&mut watch).await.unwrap();
    assert!(first.changes[0].revision() >= from, "{first:?} before {from:?}");
}

pub(super) async fn a_watch_sees_its_prefix_only_and_no_revision_split(home: Home) {
    let start = home.put("other", "0").await;
    let mut watch = home.store.watch(&home.key("in/"), start);
    home.put("in", "not in it").await;
    let transaction = (0..30).fold(Transaction::new(), |transaction, at| {
        transaction.put(home.key(&format!("in/{at:02}")), "x").put(home.key(&format!("out/{at:02}")), "y")
    });
    let revision = home.done(transaction).await;
    let changes = next_changes(&mut watch).await.unwrap();
    assert_eq!(changes.revision, revision);
    assert_eq!(changes.changes.len(), 30, "the changes of one revision came apart");
    assert!(changes.changes.iter().all(|change| change.key().starts_with(&home.key("in/"))));
}

pub(super) async fn a_watch_sees_deletes_with_their_revision(home: Home) {
    let put = home.put("a", "1").await;
    let mut watch = home.store.watch(&home.root, put.next());
    home.done(Transaction::new().delete(home.key("nothing"))).await;
    let deleted = home.done(Transaction::new().delete(home.key("a"))).await;
    let changes = next_changes(&mut watch).await.unwrap();
    assert_eq!(changes.changes, [Change::Delete { key: home.key("a"), revision: deleted }]);
}

pub(super) async fn watches_do_not_disturb_each_other(home: Home) {
    let start = home.put("a", "0").await;
    let mut first = home.store.watch(&home.root, start);
    let mut second = home.store.watch(&home.key("b"), start);
    let dropped = home.store.watch(&home.root, start);
    assert_eq!(next_changes(&mut first).await.unwrap().revision, start);
    drop(dropped);
    let b = home.put("b", "1").await;
    assert_eq!(next_changes(&mut first).await.unwrap().revision, b);
    assert_eq!(next_changes(&mut second).await.unwrap().revision, b);
}

pub(super) async fn an_idle_watch_gives_signs_of_life(home: Home) {
    let now = home.put("a", "0").await;
    let mut watch = home.store.watch(&home.root, now.next());
    for _ in 0..2 {
        let silence = tokio::time::timeout(HEARTBEAT * 2, watch.next()).await;
        let sign = silence.expect("a watch that says nothing").unwrap().unwrap();
        assert!(sign.changes.is_empty() && sign.revision >= now, "{sign:?}");
    }
}

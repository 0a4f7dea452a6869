//! Reading and writing.

use grepzilla_cluster::store::{Change, Entry, Transaction};

use super::{Home, next_changes};

pub(super) async fn a_key_that_is_not_there_is_none(home: Home) {
    assert_eq!(home.get("nothing").await, None);
    assert!(home.store.list(&home.root).await.unwrap().entries.is_empty());
}

pub(super) async fn what_was_put_is_read_with_its_revision(home: Home) {
    let value = vec![0, 255, b'\n', 0];
    let revision = home.done(Transaction::new().put(home.key("a"), value.clone())).await;
    let entry = Entry { key: home.key("a"), value, mod_revision: revision, lease: None };
    assert_eq!(home.get("a").await, Some(entry.clone()));
    let listing = home.store.list(&home.root).await.unwrap();
    assert_eq!(listing.entries, [entry]);
    assert!(listing.revision >= revision);
    home.put("empty", "").await;
    assert_eq!(home.get("empty").await.unwrap().value, b"");
}

pub(super) async fn a_listing_has_exactly_the_keys_with_the_prefix_in_order(home: Home) {
    for name in ["p/b", "p/a/2", "p/a", "p/a/10", "p/a0", "p/a/", "p/a-", "p/a\u{e4}", "q", "p/a/\u{10ffff}"] {
        home.put(name, name).await;
    }
    let under = async |prefix: &str| -> Vec<String> {
        let listing = home.store.list(&home.key(prefix)).await.unwrap();
        listing.entries.iter().map(|entry| entry.key[home.root.len()..].to_owned()).collect()
    };
    assert_eq!(under("p/a/").await, ["p/a/", "p/a/10", "p/a/2", "p/a/\u{10ffff}"]);
    assert_eq!(under("p/a").await.len(), 8);
    assert_eq!(under("p/a0").await, ["p/a0"]);
    assert_eq!(under("p/c").await, Vec::<String>::new());
}

pub(super) async fn an_empty_prefix_lists_everything(home: Home) {
    home.put("a", "1").await;
    let listing = home.store.list("").await.unwrap();
    assert!(listing.entries.iter().any(|entry| entry.key == home.key("a")));
    assert!(listing.entries.is_sorted_by_key(|entry| entry.key.clone()));
}

pub(super) async fn a_large_value_survives_read_list_and_watch(home: Home) {
    // Together they are more than a gRPC message usually may be.
    let value: Vec<u8> = (0..900 * 1024u32).map(|at| (at * 31 % 251) as u8).collect();
    let first = home.done(Transaction::new().put(home.key("0"), value.clone())).await;
    for name in ["1", "2", "3", "4", "5"] {
        home.done(Transaction::new().put(home.key(name), value.clone())).await;
    }
    assert_eq!(home.get("0").await.unwrap().value, value);
    let listing = home.store.list(&home.root).await.unwrap();
    assert_eq!(listing.entries.iter().filter(|entry| entry.value == value).count(), 6);
    let mut watch = home.store.watch(&home.root, first);
    let mut seen = 0;
    while seen < 6 {
        let changes = next_changes(&mut watch).await.unwrap().changes;
        assert!(changes.iter().all(|change| matches!(change, Change::Put(entry) if entry.value == value)));
        seen += changes.len();
    }
}

pub(super) async fn a_deleted_key_is_gone_and_comes_back_with_a_higher_revision(home: Home) {
    let first = home.put("a", "1").await;
    let gone = home.done(Transaction::new().unchanged(home.key("a"), first).delete(home.key("a"))).await;
    assert_eq!(home.get("a").await, None);
    let again = home.done(Transaction::new().absent(home.key("a")).put(home.key("a"), "2")).await;
    assert!(first < gone && gone < again);
    assert_eq!(home.get("a").await.unwrap().mod_revision, again);
}

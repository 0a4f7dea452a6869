//! Retention per index, segments that are made anew because most of them is dead, and lists that must not grow too long.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use grepzilla_model::{Batch, IndexName, Record, RecordKind, SeqNo, TimeNs};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{Retention, RetentionRules, Shard, ShardOptions, View};

use crate::fixtures::*;

const SECOND: i64 = 1_000_000_000;

fn index(name: &str) -> IndexName {
    IndexName::new(name).expect("valid")
}

/// A document with an id, received at a second.
fn document(name: &str, number: u64, second: i64) -> Batch {
    let text = source(number, 300).replacen('{', &format!(r#"{{"_id":"id-{number}","#), 1);
    let record = Record {
        index: index(name),
        id: Some(Arc::from(format!("id-{number}"))),
        source: text.into(),
        ..batch([number], 1).records.remove(0)
    };
    Batch { records: vec![record], received: TimeNs(second * SECOND), ..batch([], 1) }
}

fn rules(web: Retention) -> ShardOptions {
    let retention = RetentionRules { indexes: BTreeMap::from([(index("web"), web)]), ..RetentionRules::default() };
    ShardOptions { retention: Arc::new(retention), cursor_ttl: Duration::from_secs(10), ..options() }
}

/// How many documents of each index are seen at a second.
fn seen(view: &View, second: i64) -> (usize, usize) {
    let view = view.clone().at(TimeNs(second * SECOND));
    let blocks = view.segments().iter().flat_map(|segment| segment.blocks()).chain(view.sealed());
    let blocks = blocks.filter(|block| !view.hides(block)).map(|block| (block.index(), block.document_count()));
    let open = view.open().iter().filter(|tail| !view.hides_open(tail));
    let counts = blocks.chain(open.map(|tail| (tail.index(), tail.document_count())));
    counts.fold(
        (0, 0),
        |(web, main), (of, count)| if of.as_str() == "web" { (web + count, main) } else { (web, main + count) },
    )
}

fn merge(shard: &Shard) -> Option<grepzilla_storage::Merged> {
    shard.merge(&AtomicBool::new(false)).expect("merged or not")
}

#[test]
fn documents_that_are_too_old_are_hidden_at_once_and_removed_when_no_cursor_can_show_them() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let options = rules(Retention { age: Some(Duration::from_secs(60)), bytes: None });
    // Nothing fits together, so that a merge has no other reason than retention.
    let options = ShardOptions { merged_bytes_max: 1, ..options };
    let shard = store.lead(machine.boot(), options.clone());
    for number in 0..4 {
        append(&shard, document("web", number, 100)).expect("taken");
        append(&shard, document("main", number, 100)).expect("taken");
    }
    assert_eq!((seen(&shard.view(), 160), seen(&shard.view(), 161)), ((4, 4), (0, 4)), "in the hot tier");
    shard.flush().expect("flushed").expect("there was something");
    append(&shard, document("web", 9, 150)).expect("taken");
    append(&shard, document("main", 9, 150)).expect("taken");
    shard.flush().expect("flushed").expect("there was something");
    let view = shard.view();
    assert_eq!((seen(&view, 160), seen(&view, 161), seen(&view, 211)), ((5, 5), (1, 5), (0, 5)));
    let found = shard.get(&index("web"), "id-1").expect("readable").expect("still there");
    assert!(!shard.hides(&found, TimeNs(160 * SECOND)) && shard.hides(&found, TimeNs(161 * SECOND)));

    assert_eq!(shard.retain(TimeNs(171 * SECOND)).expect("looked"), None, "the other index keeps the segment");
    assert_eq!(merge(&shard), None, "half of it is not most of it");
    for number in 0..2 {
        append(&shard, document("main", number, 170)).expect("taken");
    }
    shard.flush().expect("flushed").expect("there was something");
    // Of the first segment 4 documents are too old and 2 superseded, but the latter a moment ago only.
    assert_eq!(merge(&shard), None);
    drop(shard);

    let at_once = ShardOptions { cursor_ttl: Duration::ZERO, ..options };
    store.manifest = None;
    let shard = store.lead(machine.boot(), at_once.clone());
    shard.flush().expect("flushed").expect("all of it goes into one segment");
    assert_eq!(shard.retain(TimeNs(161 * SECOND)).expect("looked"), None);
    let before = seen(&shard.view(), 161);
    let merged = merge(&shard);
    assert_eq!(merged, None, "the block of web holds a document that stays");
    shard.retain(TimeNs(211 * SECOND)).expect("looked");
    let merged = merge(&shard).expect("5 documents of web are gone, 2 of main superseded, of 12");
    assert_eq!((merged.segments, merged.dropped), (1, 7));
    assert_eq!((before.1 - 2, seen(&shard.view(), 0)), (5, (0, 5)));
    assert_eq!((merge(&shard), shard.stats().maintenance.retained_documents), (None, 5));
    assert_eq!(shard.get(&index("web"), "id-1").expect("readable"), None);
    store.publish(&shard);
    drop(shard);
    machine.power_loss();
    let shard = store.lead(machine.boot(), at_once);
    assert_eq!((seen(&shard.view(), 0), shard.manifest().segments.len()), ((0, 5), 1));
}

#[test]
fn segments_of_which_nothing_is_seen_go_as_a_whole_and_raise_the_base() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let options = rules(Retention { age: Some(Duration::from_secs(60)), bytes: None });
    let shard = store.lead(machine.boot(), options.clone());
    for number in 0..3 {
        append(&shard, document("web", number, 100 + number.cast_signed() * 100)).expect("taken");
        shard.flush().expect("flushed").expect("there was something");
    }
    let retained = shard.retain(TimeNs(271 * SECOND)).expect("dropped").expect("two");
    assert_eq!((retained.segments, retained.documents, retained.base), (2, 2, SeqNo(3)));
    store.publish(&shard);
    let segments =
        || machine.files().into_keys().filter(|path| path.starts_with(Path::new(DIR).join("segments"))).count();
    assert_eq!((segments(), shard.stats().maintenance.retained_documents), (1, 2));
}

#[test]
fn of_too_many_bytes_of_one_index_the_oldest_go_and_whoever_looked_before_sees_them_still() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let shard = store.lead(machine.boot(), rules(Retention { age: None, bytes: Some(900) }));
    for number in 0..6 {
        append(&shard, document("web", number, 1)).expect("taken");
        append(&shard, document("main", number, 1)).expect("taken");
        shard.flush().expect("flushed").expect("there was something");
    }
    assert_eq!(shard.retain(TimeNs(100 * SECOND)).expect("nothing is gone"), None);
    let view = shard.view();
    assert_eq!((seen(&view, 99), seen(&view, 100)), ((6, 6), (2, 6)));
    append(&shard, document("web", 7, 1)).expect("taken");
    shard.flush().expect("flushed").expect("there was something");
    shard.retain(TimeNs(105 * SECOND)).expect("nothing is gone");
    let view = shard.view();
    assert_eq!((seen(&view, 99), seen(&view, 104), seen(&view, 105)), ((7, 6), (3, 6), (2, 6)), "each at its moment");
    shard.retain(TimeNs(111 * SECOND)).expect("nothing but web is gone");
    for _ in 0..4 {
        append(&shard, document("main", 99, 1)).expect("taken");
        shard.flush().expect("flushed").expect("there was something");
    }
    let merged = merge(&shard).expect("eight segments and more");
    assert_eq!(merged.dropped, 4, "what was cut ten seconds ago");
    assert_eq!(seen(&shard.view(), 111).0, 2);
    store.publish(&shard);
}

/// A newer version of a document for each number.
fn again(numbers: std::ops::Range<u64>) -> Batch {
    let records = numbers.flat_map(|number| document("main", number, 1).records);
    Batch { records: records.collect(), ..batch([], 1) }
}

#[test]
fn a_segment_most_of_whose_documents_are_superseded_is_made_anew_by_itself() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let at_once = ShardOptions { cursor_ttl: Duration::ZERO, ..options() };
    let shard = store.lead(machine.boot(), at_once.clone());
    append(&shard, again(0..20)).expect("taken");
    shard.flush().expect("flushed").expect("there was something");
    append(&shard, again(0..10)).expect("taken");
    shard.flush().expect("flushed").expect("there was something");
    assert_eq!(merge(&shard), None, "half is not most");
    let gone = Record { kind: RecordKind::Tombstone, source: String::new().into(), ..again(10..11).records.remove(0) };
    append(&shard, Batch { records: vec![gone], ..batch([], 1) }).expect("taken");
    assert_eq!(merge(&shard), None, "no segment says that it was deleted");
    shard.flush().expect("flushed").expect("there was something");
    let before = shard.view();
    let merged = merge(&shard).expect("eleven of twenty");
    assert_eq!((merged.segments, merged.dropped, merged.name.first), (1, 11, SeqNo(1)));
    assert_eq!((merge(&shard), shard.view().segments().len()), (None, 3));
    assert_eq!(before.segments()[0].document_count(), 20, "a view does not change");
    store.publish(&shard);
    drop(shard);
    machine.power_loss();
    let shard = store.lead(machine.boot(), at_once);
    let view = shard.view();
    assert_eq!((view.segments()[0].document_count(), shard.stats().superseded), (9, 0));
    let alive = documents(&view).into_keys().filter(|seq| !view.is_superseded(*seq, view.upto()));
    assert_eq!(alive.count(), 19);
}

#[test]
fn a_list_that_becomes_too_long_is_merged_whatever_its_segments_are() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    // Nothing may be merged by the tiers: two documents are too much for one segment.
    let few = ShardOptions { segments_max: 9, merged_bytes_max: 400, ..options() };
    let shard = store.lead(machine.boot(), few);
    for number in 0..40 {
        append(&shard, document("main", number, 1)).expect("taken");
        shard.flush().expect("flushed").expect("there was something");
        let is_too_long = shard.view().segments().len() > 9;
        assert_eq!((shard.must_merge(), merge(&shard).is_some()), (is_too_long, is_too_long), "document {number}");
        store.publish(&shard);
        assert!(shard.manifest().segments.len() <= 9);
    }
    assert_eq!(documents(&shard.view()).len(), 40);
}

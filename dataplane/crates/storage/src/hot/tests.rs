//! What a view shows, in every state of its blocks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use grepzilla_model::Bucket;

use super::*;

const RECEIVED: TimeNs = TimeNs(1_000);

fn put(index: &str, source: &str) -> Record {
    Record {
        kind: RecordKind::Put,
        bucket: Bucket(7),
        index: IndexName::new(index).expect("a good name"),
        id: None,
        time: TimeNs(source.len() as i64),
        source: source.into(),
    }
}

fn options(block_documents_max: usize, block_bytes_max: usize, open_blocks_max: usize) -> HotOptions {
    HotOptions { block_documents_max, block_bytes_max, open_blocks_max }
}

fn insert(tier: &HotTier, first: u64, records: Vec<Record>) {
    tier.insert(Epoch(3), SeqNo(first), RECEIVED, records);
}

/// All documents of a view by position, wherever they are.
fn sources(view: &HotView) -> BTreeMap<SeqNo, String> {
    let mut all = BTreeMap::new();
    for block in view.sealed() {
        let (mut sources, stamps) = (block.sources().expect("in memory"), block.stamps().expect("in memory"));
        for document in 0..block.document_count() {
            all.insert(stamps.stamp(document).seq, sources.source(document));
        }
    }
    for tail in view.open() {
        all.extend(tail.documents().map(|document| (document.stamp.seq, document.source().to_owned())));
    }
    all
}

#[test]
fn every_document_is_visible_once_in_whatever_state() {
    for options in
        [options(1, 1 << 20, 64), options(4, 1 << 20, 64), options(4_096, 60, 64), options(4_096, 1 << 20, 2)]
    {
        let tier = HotTier::new(ShardId(1), options.clone());
        let mut expected = BTreeMap::new();
        for round in 0..40u64 {
            let index = format!("index-{}", round % 5);
            let records = vec![
                put(&index, &format!("{{\"n\":{round}}}")),
                put("big", &format!("{{\"x\":\"{}\"}}", "y".repeat(round as usize))),
            ];
            for (offset, record) in records.iter().enumerate() {
                let source = record.source.to_string();
                expected.insert(SeqNo(round * 2 + 1 + offset as u64), source);
            }
            insert(&tier, round * 2 + 1, records);
            let view = tier.view();
            assert_eq!(sources(&view), expected, "{options:?}");
            assert_eq!(view.upto(), SeqNo(round * 2 + 2));
            assert!(view.open().len() <= options.open_blocks_max);
        }
        let stats = tier.stats();
        assert_eq!((stats.documents, stats.oldest_time), (80, Some(RECEIVED)));
        assert_eq!((stats.sealed_blocks, stats.open_blocks), (tier.view().sealed().len(), tier.view().open().len()));
    }
}

#[test]
fn what_is_let_go_is_gone_in_whatever_order_the_blocks_of_several_indexes_wait() {
    for upto in 1..=24 {
        let tier = HotTier::new(ShardId(1), options(4_096, 1 << 20, 64));
        // Position n is of index n % 8: each block reaches over most of the others.
        let records = (1..=24).map(|n| put(&format!("index-{}", n % 8), &format!("{{\"n\":{n}}}")));
        insert(&tier, 1, records.collect());
        tier.let_go(SeqNo(upto));
        tier.seal_upto(SeqNo(24));
        let left: Vec<u64> = sources(&tier.view()).into_keys().map(|seq| seq.0).collect();
        assert_eq!(left, (upto + 1..=24).collect::<Vec<_>>());
        assert_eq!(tier.stats().documents, 24 - upto);
    }
}

#[test]
fn bounds_of_blocks_and_tails_are_those_of_their_documents() {
    let tier = HotTier::new(ShardId(1), options(3, 1 << 20, 4));
    let record = |time: i64| Record { time: TimeNs(time), ..put("main", "{}") };
    insert(&tier, 10, vec![record(5), record(-2), record(9), record(4), record(6)]);
    let view = tier.view();
    let span = |time_min, time_max, seq_min, seq_max| Span {
        time_min: TimeNs(time_min),
        time_max: TimeNs(time_max),
        seq_min: SeqNo(seq_min),
        seq_max: SeqNo(seq_max),
    };
    assert_eq!(view.sealed()[0].span(), span(-2, 9, 10, 12));
    assert_eq!(view.open()[0].span(), span(4, 6, 13, 14));
    let stamps = view.sealed()[0].stamps().expect("in memory");
    assert_eq!(stamps.stamp(1), Stamp { time: TimeNs(-2), seq: SeqNo(11), epoch: Epoch(3) });
}

#[test]
fn a_tombstone_takes_its_position_only() {
    let tier = HotTier::new(ShardId(1), HotOptions::default());
    let tombstone = Record { kind: RecordKind::Tombstone, id: Some("a".into()), source: "".into(), ..put("main", "") };
    let named = Record { id: Some("a".into()), ..put("main", "{}") };
    insert(&tier, 1, vec![named, tombstone.clone()]);
    insert(&tier, 3, vec![tombstone]);
    let view = tier.view();
    assert_eq!((view.upto(), view.open()[0].document_count(), tier.stats().documents), (SeqNo(3), 1, 1));
    assert_eq!(view.open()[0].document(0).id.as_deref(), Some("a"));
}

#[test]
fn a_view_does_not_change_and_outlives_the_tier() {
    let tier = HotTier::new(ShardId(1), options(3, 1 << 20, 4));
    insert(&tier, 1, vec![put("main", "{\"a\":1}"), put("main", "{\"a\":2}")]);
    let (view, before) = (tier.view(), sources(&tier.view()));
    for first in 3..20 {
        insert(&tier, first, vec![put("main", "{\"a\":3}")]);
    }
    drop(tier);
    assert_eq!(sources(&view), before);
}

#[test]
fn readers_see_whole_inserts_while_blocks_are_sealed() {
    let tier = HotTier::new(ShardId(1), options(7, 1 << 20, 2));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 0..300u64 {
                let records = (0..5).map(|number| put(&format!("i{}", number % 3), &format!("{{\"batch\":{batch}}}")));
                insert(&tier, batch * 5 + 1, records.collect());
            }
            done.store(true, Ordering::Release);
        });
        let mut last = SeqNo(0);
        while !done.load(Ordering::Acquire) {
            let view = tier.view();
            assert!(view.upto() >= last && view.upto().0.is_multiple_of(5));
            last = view.upto();
            assert_eq!(sources(&view).len() as u64, last.0);
        }
    });
    assert_eq!(sources(&tier.view()).len(), 1_500);
}

#[test]
fn memory_is_accounted_for_in_the_order_of_what_is_held() {
    let tier = HotTier::new(ShardId(1), options(100, 1 << 20, 2));
    let records = (0..1_000).map(|number| put("main", &format!("{{\"message\":\"line {number} of a log\"}}")));
    let records: Vec<Record> = records.collect();
    let raw: usize = records.iter().map(|record| record.source.len()).sum();
    insert(&tier, 1, records);
    let bytes = tier.stats().bytes as usize;
    assert!(bytes > raw / 2 && bytes < raw * 6, "{bytes} bytes for {raw}");
}

//! What a view shows, in every state of its blocks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use grepzilla_model::Bucket;
use grepzilla_model::document::walk_leaves;
use grepzilla_model::fold::fold;

use super::*;

const RECEIVED: TimeNs = TimeNs(1_000);

fn put(index: &str, source: &str) -> Record {
    Record {
        kind: RecordKind::Put,
        bucket: Bucket(7),
        index: IndexName::new(index).expect("a good name"),
        id: None,
        time: TimeNs(source.len() as i64),
        source: source.as_bytes().into(),
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
        let sources = block.sources();
        for document in 0..block.document_count() {
            all.insert(block.stamp(document).seq, sources.source(document).to_owned());
        }
    }
    for tail in view.open() {
        all.extend(tail.documents().map(|document| (document.stamp.seq, document.source().into_owned())));
    }
    all
}

/// All (document, value) pairs that the dictionary of a block knows, for a field or for all.
fn holdings(block: &SealedBlock, spelling: Spelling, field: Option<&str>) -> Vec<(usize, String)> {
    let mut holdings = Vec::new();
    for run in block.values(spelling, field) {
        for place in 0..run.value_count() {
            let range = run.range(place);
            assert_eq!(run.bytes()[range.end], 0xFF);
            for offset in range.start..=range.end {
                assert_eq!(run.value_at(offset, 0), place);
                assert_eq!(run.value_at(offset, place), place);
            }
            let value = std::str::from_utf8(&run.bytes()[range]).expect("values are text");
            let documents = block.documents_of(run.number(place));
            assert!(documents.is_sorted_by(|one, next| one < next));
            holdings.extend(documents.iter().map(|document| (usize::from(*document), value.to_owned())));
        }
    }
    holdings.sort();
    holdings
}

/// The same, from the documents.
fn leaves(sources: &[&str], spelling: Spelling, field: Option<&str>) -> Vec<(usize, String)> {
    let mut leaves = Vec::new();
    for (document, source) in sources.iter().enumerate() {
        walk_leaves(source, |path, value| {
            if field.is_none_or(|field| field == path) {
                let value = if spelling == Spelling::Folded { fold(value).into_owned() } else { value.to_owned() };
                leaves.push((document, format!("{path}\0{value}")));
            }
            std::ops::ControlFlow::Continue(())
        });
    }
    leaves.sort();
    leaves.dedup();
    let mut leaves: Vec<_> = leaves
        .into_iter()
        .map(|(document, leaf)| (document, leaf.split_once('\0').expect("joined above").1.to_owned()))
        .collect();
    leaves.sort();
    leaves
}

const MIXED: [&str; 6] = [
    r#"{"a":"Zażółć","b":{"c":[1,2,1,{"d":"x"}]},"e":true,"f":""}"#,
    r#"{"a":"zażółć","b":{"c":[2,{"d":"X"}]},"e":null}"#,
    r#"{}"#,
    r#"{"f":"","a":"кошки","z":"КОШКИ","b":{"c":"1"}}"#,
    r#"{"a":"plain","b.c":"Dotted","text":"one","text2":"two"}"#,
    r#"{"a":"plain","e":"true","f":"\u0000\n"}"#,
];

#[test]
fn a_sealed_block_holds_the_leaves_of_its_documents_in_both_spellings() {
    let tier = HotTier::new(ShardId(1), options(MIXED.len(), 1 << 20, 4));
    insert(&tier, 1, MIXED.iter().map(|source| put("main", source)).collect());
    insert(&tier, 7, vec![put("main", "{}")]);
    let view = tier.view();
    let block = &view.sealed()[0];
    for spelling in [Spelling::Written, Spelling::Folded] {
        // Values whose spellings differ only in case are two values, each with its documents.
        let paths = ["a", "b.c", "b.c.d", "b\\.c", "e", "f", "text", "text2", "z"];
        for field in paths.map(Some) {
            assert_eq!(holdings(block, spelling, field), leaves(&MIXED, spelling, field), "{spelling:?} {field:?}");
        }
        for missing in ["b", "", "tex", "zz"] {
            assert_eq!(holdings(block, spelling, Some(missing)), []);
        }
        let mut all: Vec<_> = paths.iter().flat_map(|path| leaves(&MIXED, spelling, Some(path))).collect();
        all.sort();
        assert_eq!(holdings(block, spelling, None), all);
    }
    let ascii: Vec<bool> = block.values(Spelling::Written, Some("a")).map(|run| run.is_ascii()).collect();
    assert_eq!(ascii, [true, false, false]);
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
                let source = std::str::from_utf8(&record.source).expect("text").to_owned();
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
    assert_eq!(view.sealed()[0].stamp(1), Stamp { time: TimeNs(-2), seq: SeqNo(11), epoch: Epoch(3) });
}

#[test]
fn a_tombstone_takes_its_position_only() {
    let tier = HotTier::new(ShardId(1), HotOptions::default());
    let tombstone = Record { kind: RecordKind::Tombstone, id: Some("a".into()), source: [].into(), ..put("main", "") };
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

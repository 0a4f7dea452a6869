//! Versions of an explicit `_id`: at every position the newest one up to it counts, whatever happened since.

use std::collections::BTreeMap;
use std::sync::Arc;

use grepzilla_model::{Batch, Epoch, IndexName, Record, RecordKind, SeqNo};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{Shard, View};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fixtures::*;

/// What was written, by position: index, id, and the number of the document or `None` for a tombstone.
type Log = BTreeMap<SeqNo, (IndexName, String, Option<u64>)>;

fn record(index: &IndexName, id: &str, number: Option<u64>) -> Record {
    let source = number.map_or(String::new(), |number| format!(r#"{{"n":{number},"_id":"{id}"}}"#));
    Record {
        kind: if number.is_some() { RecordKind::Put } else { RecordKind::Tombstone },
        index: index.clone(),
        id: Some(Arc::from(id)),
        source: Arc::from(source.as_bytes()),
        ..batch([0], 1).records.remove(0)
    }
}

fn write(shard: &Shard, log: &mut Log, rng: &mut StdRng) {
    let mut written = Vec::new();
    for _ in 0..rng.random_range(1..4) {
        let index = IndexName::new(["a", "b"][rng.random_range(0..2)]).expect("valid");
        let id = format!("id-{}", rng.random_range(0..12));
        let number = rng.random_bool(0.8).then(|| rng.random());
        written.push((index, id, number));
    }
    let records = written.iter().map(|(index, id, number)| record(index, id, *number)).collect();
    let appended = append(shard, Batch { records, ..batch([], 1) }).expect("taken");
    log.extend((appended.first_seq.0..).map(SeqNo).zip(written));
}

/// The positions that are to be seen at a position: the last one of each id that is no tombstone.
fn expected(log: &Log, upto: SeqNo) -> Vec<SeqNo> {
    let mut newest = BTreeMap::new();
    for (seq, (index, id, number)) in log.range(..=upto) {
        newest.insert((index, id), (*seq, number.is_some()));
    }
    let mut seqs: Vec<SeqNo> = newest.into_values().filter(|(_, put)| *put).map(|(seq, _)| seq).collect();
    seqs.sort();
    seqs
}

fn seen(view: &View, upto: SeqNo) -> Vec<SeqNo> {
    let held = documents(view).into_keys();
    held.filter(|seq| *seq <= upto && !view.is_superseded(*seq, upto)).collect()
}

/// Every position that the view can be asked for from `from` on, and every document by its id. All is written in epoch 1.
fn check(shard: &Shard, log: &Log, from: SeqNo, context: &str) {
    let view = shard.view();
    for upto in (from.0..=view.upto().0).map(SeqNo) {
        assert_eq!(seen(&view, upto), expected(log, upto), "{context}: at position {upto}");
    }
    let mut newest = BTreeMap::new();
    for (seq, (index, id, number)) in log {
        newest.insert((index, id), (*seq, *number));
        let is_newest = expected(log, view.upto()).contains(seq);
        assert_eq!(shard.get_at(Epoch(1), *seq).is_some(), is_newest, "{context}: {seq}");
        assert_eq!(shard.get_at(Epoch(2), *seq), None, "{context}: another epoch");
    }
    for ((index, id), (seq, number)) in newest {
        let found = shard.get(index, id).map(|found| (found.stamp.seq, found.source, found.id));
        let source = |number| format!(r#"{{"n":{number},"_id":"{id}"}}"#);
        let wanted = number.map(|number| (seq, source(number), Some(Arc::from(id.as_str()))));
        assert_eq!(found, wanted, "{context}: {index} {id}");
    }
    assert_eq!(shard.get(&IndexName::default(), "id-1"), None, "{context}: of another index");
}

#[test]
fn the_newest_version_counts_at_every_position_before_and_after_a_restart() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    let mut log = Log::new();
    for round in 0..60 {
        write(&shard, &mut log, &mut rng);
        check(&shard, &log, SeqNo(shard.view().upto().0.saturating_sub(5)), &format!("seed {seed}, round {round}"));
    }
    check(&shard, &log, SeqNo(0), &format!("seed {seed}"));
    assert!(shard.stats().superseded > 10);
    drop(shard);
    let shard = open(machine.boot(), options()).expect("opens");
    check(&shard, &log, SeqNo(0), &format!("seed {seed}, after a restart"));
}

#[test]
fn a_view_that_was_taken_before_does_not_see_a_later_version() {
    let shard = open_and_lead(Machine::new(1).boot(), options());
    let mut log = Log::new();
    let mut rng = StdRng::seed_from_u64(1);
    let mut views = Vec::new();
    for _ in 0..40 {
        write(&shard, &mut log, &mut rng);
        views.push(shard.view());
    }
    for view in views {
        assert_eq!(seen(&view, view.upto()), expected(&log, view.upto()));
    }
}

#[test]
fn a_document_without_an_id_is_never_superseded_and_found_by_its_position() {
    let shard = open_and_lead(Machine::new(1).boot(), options());
    let appended = append(&shard, batch([1, 1], 10)).expect("taken");
    let found = shard.get_at(appended.epoch, appended.last_seq).expect("there");
    assert_eq!((found.source, found.id, found.stamp.seq), (source(1, 10), None, appended.last_seq));
    assert_eq!(shard.get_at(appended.epoch, appended.last_seq.plus(1)), None);
    assert_eq!(shard.get_at(appended.epoch, SeqNo(1)), None, "the start of the epoch is no document");
}

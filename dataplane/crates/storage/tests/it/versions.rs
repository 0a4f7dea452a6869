//! Versions of an explicit `_id`: at every position the newest one up to it counts, whatever happened since.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use grepzilla_model::{Batch, Epoch, IndexName, Record, RecordKind, SeqNo};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{Shard, ShardOptions, View};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fixtures::*;

/// What was written, by position: index, id, the number of the document or `None` for a tombstone, and the epoch.
type Log = BTreeMap<SeqNo, (IndexName, String, Option<u64>, Epoch)>;

fn record(index: &IndexName, id: &str, number: Option<u64>) -> Record {
    let source = number.map_or(String::new(), |number| format!(r#"{{"n":{number},"_id":"{id}"}}"#));
    Record {
        kind: if number.is_some() { RecordKind::Put } else { RecordKind::Tombstone },
        index: index.clone(),
        id: Some(Arc::from(id)),
        source: source.into(),
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
    for (seq, (index, id, number)) in (appended.first_seq.0..).map(SeqNo).zip(written) {
        log.insert(seq, (index, id, number, appended.epoch));
    }
}

/// The positions that are to be seen at a position: the last one of each id that is no tombstone.
fn expected(log: &Log, upto: SeqNo) -> Vec<SeqNo> {
    let mut newest = BTreeMap::new();
    for (seq, (index, id, number, _)) in log.range(..=upto) {
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

/// Every position that the view can be asked for from `from` on, and every document by its id.
fn check(shard: &Shard, log: &Log, from: SeqNo, context: &str) {
    let view = shard.view();
    for upto in (from.0..=view.upto().0).map(SeqNo) {
        assert_eq!(seen(&view, upto), expected(log, upto), "{context}: at position {upto}");
    }
    let mut newest = BTreeMap::new();
    for (seq, (index, id, number, epoch)) in log {
        newest.insert((index, id), (*seq, *number));
        let is_newest = expected(log, view.upto()).contains(seq);
        let epoch = *epoch;
        assert_eq!(shard.get_at(epoch, *seq).expect("readable").is_some(), is_newest, "{context}: {seq}");
        assert_eq!(shard.get_at(epoch.next(), *seq).expect("readable"), None, "{context}: another epoch");
    }
    for ((index, id), (seq, number)) in newest {
        let found = shard.get(index, id).expect("readable").map(|found| (found.stamp.seq, found.source, found.id));
        let source = |number| format!(r#"{{"n":{number},"_id":"{id}"}}"#);
        let wanted = number.map(|number| (seq, source(number), Some(Arc::from(id.as_str()))));
        assert_eq!(found, wanted, "{context}: {index} {id}");
    }
    assert_eq!(shard.get(&IndexName::default(), "id-1").expect("readable"), None, "{context}: of another index");
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

/// What happens to a shard between two writes.
fn maintain(shard: &mut Shard, machine: &Machine, store: &mut Store, rng: &mut StdRng, options: &ShardOptions) {
    match rng.random_range(0..10) {
        0..4 => drop(shard.flush().expect("flushed")),
        4 => drop(shard.merge(&AtomicBool::new(false)).expect("merged")),
        5 => store.publish(shard),
        // The answer is lost: the next leader, or this one, finds it in the store.
        6 => drop(store.accept(shard)),
        7 => {
            machine.power_loss();
            *shard = store.lead(machine.boot(), options.clone());
        }
        8 => shard.adopt(store.manifest.clone()).expect("the same or newer"),
        _ => {}
    }
}

#[test]
fn the_newest_version_counts_through_flushes_merges_publishes_and_power_losses() {
    for seed in (0..6).map(|_| rand::random::<u64>()) {
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        // With a horizon of no time everything that was superseded in segments goes when they are merged.
        let forgets = rng.random_bool(0.5);
        let cursor_ttl = Duration::from_secs(if forgets { 0 } else { 600 });
        let options = ShardOptions { cursor_ttl, ..options() };
        let (machine, mut store, mut log) = (Machine::new(seed), Store::default(), Log::new());
        let mut shard = store.lead(machine.boot(), options.clone());
        let mut merges = 0;
        for round in 0..150 {
            if rng.random_bool(0.9) {
                write(&shard, &mut log, &mut rng);
            }
            let before = shard.stats().maintenance.merges;
            maintain(&mut shard, &machine, &mut store, &mut rng, &options);
            merges += u64::from(shard.stats().maintenance.merges > before);
            let upto = shard.view().upto();
            let from = if forgets { upto } else { SeqNo(upto.0.saturating_sub(4)) };
            check(&shard, &log, from, &format!("seed {seed}, round {round}"));
        }
        if !forgets {
            check(&shard, &log, SeqNo(0), &format!("seed {seed}"));
        }
        assert!(merges > 0 && store.manifest.is_some(), "seed {seed}: {:?}", shard.stats().maintenance);
    }
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
    let found = shard.get_at(appended.epoch, appended.last_seq).expect("readable").expect("there");
    assert_eq!((found.source, found.id, found.stamp.seq), (source(1, 10), None, appended.last_seq));
    assert_eq!(shard.get_at(appended.epoch, appended.last_seq.plus(1)).expect("readable"), None);
    assert_eq!(
        shard.get_at(appended.epoch, SeqNo(1)).expect("readable"),
        None,
        "the start of the epoch is no document"
    );
}

//! From the hot tier to segments: what is shown, what is published, and what a restart finds.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use grepzilla_model::{Batch, BodyHash, Generation, KeyHash, SeqNo, TimeNs};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{AppendError, MaintenanceError, Retention, RetentionRules, Shard, ShardOptions};

use crate::fixtures::*;

fn names(machine: &Machine, end: &str) -> Vec<String> {
    let names =
        machine.files().into_keys().map(|path| path.file_name().expect("a file").to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(end)).collect()
}

fn write(shard: &Shard, numbers: std::ops::Range<u64>) {
    for number in numbers {
        append(shard, batch([number], 300)).expect("taken");
    }
}

#[test]
fn a_flush_moves_documents_from_the_hot_tier_to_a_segment_in_one_moment() {
    let shard = Store::default().lead(Machine::new(1).boot(), options());
    write(&shard, 0..20);
    let before = shard.view();
    let flushed = shard.flush().expect("flushed").expect("there was something");
    let after = shard.view();
    assert_eq!((before.segments().len(), after.segments().len()), (0, 1));
    assert_eq!((after.sealed().len(), after.open().len(), after.upto()), (0, 0, SeqNo(21)));
    assert_eq!(documents(&before), documents(&after));
    assert_eq!((flushed.documents, flushed.name.first, flushed.name.last), (20, SeqNo(1), SeqNo(21)));
    let stats = shard.stats();
    assert_eq!((stats.hot.documents, stats.hot.bytes, stats.hot.source_bytes, stats.hot.oldest_time), (0, 0, 0, None));
    assert_eq!((stats.maintenance.flushes, stats.maintenance.segments), (1, 1));
    assert_eq!(shard.flush().expect("flushed"), None, "nothing new");
    write(&shard, 20..30);
    assert_eq!(documents(&shard.view()).len(), 30);
    assert_eq!(documents(&before).len(), 20, "a view does not change");
}

#[test]
fn a_published_flush_is_there_after_a_restart_and_the_log_before_it_is_gone() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let shard = store.lead(machine.boot(), options());
    write(&shard, 0..100);
    shard.flush().expect("flushed").expect("there was something");
    write(&shard, 100..120);
    let (before, files) = (documents(&shard.view()), names(&machine, ".wal").len());
    assert_eq!(shard.manifest().generation, Generation(0));
    store.publish(&shard);
    assert_eq!((shard.manifest().generation, shard.next_manifest()), (Generation(1), None));
    assert!(names(&machine, ".wal").len() <= files - 2, "{files} files before, {:?}", names(&machine, ".wal"));
    machine.power_loss();
    drop(shard);
    let shard = open(machine.boot(), options()).expect("opens");
    let view = shard.view();
    assert_eq!((documents(&view), view.segments().len()), (before.clone(), 1));
    assert_eq!(Some(shard.manifest()), store.manifest);
    assert!(shard.stats().replay.bytes < 60_000, "{:?}", shard.stats().replay);
    drop(shard);
    let shard = store.lead(machine.boot(), options());
    write(&shard, 120..121);
    assert_eq!(documents(&shard.view()).len(), before.len() + 1);
}

#[test]
fn what_was_not_published_goes_back_to_the_log_and_its_file_is_removed() {
    let (machine, store) = (Machine::new(1), Store::default());
    let shard = store.lead(machine.boot(), options());
    write(&shard, 0..20);
    shard.flush().expect("flushed").expect("there was something");
    let before = documents(&shard.view());
    drop(shard);
    let shard = open_and_lead(machine.boot(), options());
    assert_eq!((documents(&shard.view()), shard.view().segments().len()), (before.clone(), 0));
    assert_eq!(names(&machine, ".seg").len(), 1, "the store may name it");
    assert!(matches!(shard.flush(), Err(MaintenanceError::NotAdopted)));
    shard.adopt(None).expect("adopted");
    assert_eq!(names(&machine, ".seg").len(), 0, "it does not");
    shard.flush().expect("flushed").expect("again");
    assert_eq!(documents(&shard.view()), before);
}

#[test]
fn what_the_store_has_accepted_is_adopted_though_nobody_heard_of_it() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let shard = store.lead(machine.boot(), options());
    write(&shard, 0..20);
    shard.flush().expect("flushed").expect("there was something");
    store.accept(&shard).expect("there is something to publish");
    write(&shard, 20..25);
    let before = documents(&shard.view());
    machine.power_loss();
    drop(shard);
    let shard = store.lead(machine.boot(), options());
    let view = shard.view();
    assert_eq!((documents(&view), view.segments().len()), (before, 1));
    assert_eq!((Some(shard.manifest()), shard.next_manifest()), (store.manifest.clone(), None));
    assert_eq!(shard.stats().hot.documents, 5);
}

#[test]
fn idempotency_keys_survive_the_trimming_of_the_log_and_merging() {
    let keyed = |key: u8, body: u8, number: u64| Batch {
        key: KeyHash([key; 16]),
        body: BodyHash([body; 16]),
        ..batch([number], 3_000)
    };
    let (machine, mut store) = (Machine::new(1), Store::default());
    let mut shard = store.lead(machine.boot(), options());
    let mut first = Vec::new();
    for key in 1..=24 {
        first.push(append(&shard, keyed(key, 1, u64::from(key))).expect("taken"));
        if key % 3 == 0 {
            shard.flush().expect("flushed").expect("there was something");
        }
    }
    for merge in [false, true] {
        if merge {
            let merged = shard.merge(&AtomicBool::new(false)).expect("merged").expect("eight segments");
            assert_eq!(merged.segments, 8);
        }
        store.publish(&shard);
        machine.power_loss();
        shard = store.lead(machine.boot(), options());
        assert!(shard.stats().replay.bytes < 40_000, "{:?}", shard.stats().replay);
        for (key, first) in (1..).zip(&first) {
            let again = append(&shard, keyed(key, 1, u64::from(key))).expect("known");
            assert_eq!((again.first_seq, again.repeated), (first.first_seq, true));
            assert_eq!(append(&shard, keyed(key, 2, 1)), Err(AppendError::KeyReused));
        }
    }
    assert_eq!(documents(&shard.view()).len(), 24);
    assert_eq!(names(&machine, ".seg").len(), 1, "merged files are removed when the merge is published");
}

#[test]
fn a_manifest_of_another_generation_or_with_files_that_are_not_here_is_refused() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let shard = store.lead(machine.boot(), options());
    write(&shard, 0..3);
    shard.flush().expect("flushed").expect("there was something");
    let good = shard.next_manifest().expect("there is something to publish");
    let mut far = good.clone();
    far.generation = Generation(7);
    assert!(matches!(shard.published(far), Err(MaintenanceError::Manifest(_))));
    let mut other = good.clone();
    other.segments[0].name.hash ^= 1;
    assert!(matches!(shard.published(other), Err(MaintenanceError::Missing { .. })));
    store.publish(&shard);
    let mut same_generation = good;
    same_generation.segments[0].bytes += 1;
    assert!(matches!(shard.adopt(Some(same_generation)), Err(MaintenanceError::OtherManifest { .. })));
}

#[test]
fn the_hot_tier_asks_to_be_flushed_when_it_is_large_or_old() {
    let eager = ShardOptions { flush_bytes: 2_000, flush_age: Duration::from_nanos(50), ..options() };
    let shard = Store::default().lead(Machine::new(1).boot(), eager);
    assert!(!shard.wants_flush(TimeNs(i64::MAX)), "it is empty");
    write(&shard, 0..1);
    assert!(!shard.wants_flush(TimeNs(50)) && shard.wants_flush(TimeNs(51)), "received at 1");
    write(&shard, 1..10);
    assert!(shard.wants_flush(TimeNs(2)));
    shard.flush().expect("flushed").expect("there was something");
    assert!(!shard.wants_flush(TimeNs(i64::MAX)));
}

#[test]
fn retention_drops_the_oldest_segments_by_age_and_by_bytes_and_a_restart_does_not_bring_them_back() {
    let (machine, mut store) = (Machine::new(1), Store::default());
    let day = Duration::from_secs(86_400);
    let others = Retention { age: Some(day), bytes: None };
    let retention = Arc::new(RetentionRules { others, ..RetentionRules::default() });
    let by_age = ShardOptions { retention, cursor_ttl: Duration::from_secs(60), ..options() };
    let shard = store.lead(machine.boot(), by_age.clone());
    for hour in 0..4 {
        let received = TimeNs(hour * 3_600_000_000_000);
        append(&shard, Batch { received, ..batch([hour.unsigned_abs()], 300) }).expect("taken");
        shard.flush().expect("flushed").expect("there was something");
    }
    store.publish(&shard);
    let before = shard.view();
    let day_and_hour = TimeNs((25 * 3_600 + 60) * 1_000_000_000);
    assert_eq!(shard.retain(TimeNs(0)).expect("nothing"), None);
    let retained = shard.retain(day_and_hour).expect("dropped").expect("one");
    assert_eq!(
        (retained.segments, retained.documents, retained.base),
        (1, 1, SeqNo(2)),
        "the second is just old enough"
    );
    assert_eq!((shard.view().base(), documents(&shard.view()).len(), documents(&before).len()), (SeqNo(2), 3, 4));
    assert_eq!(names(&machine, ".seg").len(), 4, "until it is published");
    assert!(!shard.view().at(TimeNs(0)).is_past(), "nobody could see it any more");
    store.publish(&shard);
    assert_eq!(names(&machine, ".seg").len(), 3);
    drop(shard);
    let bytes = store.manifest.as_ref().expect("published").segment_bytes();
    let by_bytes = ShardOptions { retention_bytes: Some(bytes - 1), ..options() };
    let shard = store.lead(machine.boot(), by_bytes);
    assert_eq!(documents(&shard.view()).len(), 3);
    assert_eq!(shard.retain(TimeNs(5)).expect("dropped").expect("one").segments, 1);
    assert_eq!(shard.retain(TimeNs(6)).expect("enough"), None);
    let is_past = |moment| shard.view().at(TimeNs(moment)).is_past();
    assert_eq!([4, 5, 6].map(is_past), [true, true, false], "it could still be seen");
    store.publish(&shard);
    machine.power_loss();
    let shard = store.lead(machine.boot(), options());
    assert_eq!((shard.view().base(), documents(&shard.view()).len()), (SeqNo(3), 2));
    append(&shard, batch([9], 10)).expect("taken");
}

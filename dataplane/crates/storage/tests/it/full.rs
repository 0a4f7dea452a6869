//! The disk is full: no abort, nothing lost, reads go on, and writes as soon as there is room.

use std::time::{Duration, Instant};

use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{AppendError, OpenError, Shard};

use crate::fixtures::*;

/// Appends until there is no space, and answers how many batches were taken.
fn fill(shard: &Shard) -> u64 {
    for number in 0..200 {
        match append(shard, batch([number], 1000)) {
            Ok(_) => {}
            Err(AppendError::NoSpace) => return number,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the disk never became full");
}

#[test]
fn a_full_disk_refuses_writes_keeps_reads_and_recovers_by_itself() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    machine.limit_bytes(Some(50_000));
    let taken = fill(&shard);
    assert!(taken > 20, "only {taken} batches fit");
    assert_eq!(documents(&shard.view()).len() as u64, taken);
    assert_eq!(queue(&shard, batch([999], 10)).expect_err("at once"), AppendError::NoSpace);
    assert!(AppendError::NoSpace.retryable());
    assert!(machine.files().keys().all(|path| !path.to_string_lossy().ends_with(".tmp")), "a temporary file stayed");
    assert_eq!(machine.died(), None);

    machine.limit_bytes(None);
    let began = Instant::now();
    while append(&shard, batch([1000], 10)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "there is room again, and nobody noticed");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(documents(&shard.view()).len() as u64, taken + 1);
}

#[test]
fn a_shard_opens_on_a_full_disk_with_the_file_prepared_before() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    append(&shard, batch([1], 1000)).expect("taken");
    wait_until_prepared(&machine, &shard);
    shard.close().expect("closed");
    let used: usize = machine.files().values().map(Vec::len).sum();
    machine.limit_bytes(Some(used as u64));
    let shard = open_and_lead(machine.boot(), options());
    append(&shard, batch([2], 1000)).expect("the file was there");
    assert_eq!(documents(&shard.view()).len(), 2);
}

#[test]
fn a_new_shard_on_a_full_disk_is_refused_without_harm() {
    let machine = Machine::new(1);
    machine.limit_bytes(Some(1000));
    let refused = open(machine.boot(), options()).expect_err("there is no room");
    assert!(matches!(refused, OpenError::NoRoom(_)), "{refused:?}");
    assert_eq!(machine.died(), None);
    machine.limit_bytes(None);
    open_and_lead(machine.boot(), options());
}

#[test]
fn a_large_frame_that_finds_no_room_leaves_room_for_small_ones() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    machine.limit_bytes(Some(60_000));
    assert_eq!(append(&shard, batch([1], 100_000)).expect_err("too large for the disk"), AppendError::NoSpace);
    let began = Instant::now();
    while append(&shard, batch([2], 100)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "a small frame has room");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(documents(&shard.view()).len(), 1);
}

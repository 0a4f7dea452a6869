//! Groups: what waits together is written and synced together, and refused where there is too much.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use grepzilla_model::{Durability, Epoch, SeqNo};
use grepzilla_storage::disk::RealDisk;
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{AppendError, FsyncMode, Shard, ShardOptions};

use crate::fixtures::*;

/// Holds the log thread in an answer until the sender is used or dropped.
fn hold(shard: &Shard) -> mpsc::Sender<()> {
    let (held, is_held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let wait = move |_| {
        held.send(()).expect("the test waits for it");
        let _released_or_dropped = released.recv();
    };
    shard.append(batch([1_000_000], 1), Box::new(wait)).expect("taken");
    is_held.recv().expect("answered");
    release
}

#[test]
fn what_waits_together_shares_one_sync() {
    let shard = open_and_lead(Machine::new(1).boot(), ShardOptions { wal_bytes_max: 1 << 20, ..options() });
    let release = hold(&shard);
    let before = shard.stats().log;
    let answers: Vec<_> = (0..100).map(|number| queue(&shard, batch([number], 10)).expect("taken")).collect();
    drop(release);
    for (place, answer) in answers.into_iter().enumerate() {
        let appended = answer.recv().expect("answered").expect("taken");
        assert_eq!(appended.first_seq, SeqNo(3 + place as u64), "in the order in which they were queued");
    }
    let after = shard.stats().log;
    assert_eq!((after.groups - before.groups, after.batches - before.batches), (1, 100));
    // On a slow machine the log has been quiet for long enough to protect its last record.
    let syncs = after.fsync.count - before.fsync.count;
    assert!((1..=2).contains(&syncs), "{syncs} syncs");
}

#[test]
fn many_writers_on_a_real_disk_need_fewer_syncs_than_batches() {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let shard = open_at(Arc::new(RealDisk), &dir.path().join("7"), options()).expect("opens");
    shard.start_epoch(Epoch(1)).expect("newer");
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let shard = &shard;
            scope.spawn(move || {
                for number in 0..50 {
                    append(shard, batch([writer * 100 + number], 100)).expect("taken");
                }
            });
        }
    });
    let stats = shard.stats();
    assert_eq!((stats.log.batches, stats.hot.documents, stats.queue_bytes), (800, 800, 0));
    assert!(stats.log.fsync.count < 800, "{} syncs", stats.log.fsync.count);
    let before = documents(&shard.view());
    drop(shard);
    let shard = open_at(Arc::new(RealDisk), &dir.path().join("7"), options()).expect("opens");
    assert_eq!(documents(&shard.view()), before);
    let second = open_at(Arc::new(RealDisk), &dir.path().join("7"), options()).expect_err("it is held");
    assert!(second.to_string().contains("is held by another process"), "{second}");
}

#[test]
fn a_full_queue_says_how_much_waits_and_takes_one_batch_when_empty() {
    let shard = open_and_lead(Machine::new(1).boot(), ShardOptions { queue_bytes_max: 2000, ..options() });
    let release = hold(&shard);
    let _first = queue(&shard, batch([1], 1000)).expect("there is room");
    let backlog_bytes = shard.stats().queue_bytes;
    assert!(backlog_bytes > 1000);
    let refused = queue(&shard, batch([2], 1000)).expect_err("too much");
    assert_eq!(refused, AppendError::QueueFull { backlog_bytes });
    drop(release);
    while shard.stats().queue_bytes > 0 {
        std::thread::yield_now();
    }
    append(&shard, batch([3], 5000)).expect("larger than the queue, but alone");
}

#[test]
fn batches_are_refused_before_an_epoch_and_after_the_end_and_when_they_are_too_large() {
    let shard = open(Machine::new(1).boot(), options()).expect("opens");
    assert_eq!(queue(&shard, batch([1], 1)).expect_err("no epoch"), AppendError::NoEpoch);
    assert_eq!(shard.start_epoch(Epoch(5)), Ok(SeqNo(1)));
    for asked in [4, 5].map(Epoch) {
        assert_eq!(shard.start_epoch(asked), Err(AppendError::StaleEpoch { current: Epoch(5), asked }));
    }
    let large = queue(&shard, batch([1], 16 << 20)).expect_err("too large");
    assert!(matches!(large, AppendError::TooLarge { bytes_max: 16_777_152, .. }), "{large:?}");
    assert_eq!(append(&shard, batch([1], 1)).expect("taken").first_seq, SeqNo(2));
    assert!(shard.is_open());
    assert_eq!((shard.close(), shard.close()), (Ok(()), Ok(())));
    assert!(!shard.is_open());
    assert_eq!(queue(&shard, batch([1], 1)).expect_err("closed"), AppendError::Closed);
    assert_eq!(shard.start_epoch(Epoch(6)), Err(AppendError::Closed));
}

#[test]
fn closing_answers_everything_that_was_queued() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    let release = hold(&shard);
    let answers: Vec<_> = (0..20).map(|number| queue(&shard, batch([number], 10)).expect("taken")).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| shard.close().expect("closed"));
        drop(release);
    });
    assert!(answers.into_iter().all(|answer| answer.recv().expect("answered").is_ok()));
    assert_eq!(documents(&open(machine.boot(), options()).expect("opens").view()).len(), 21);
}

#[test]
fn when_a_callers_bug_ends_the_log_thread_nobody_is_left_waiting() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    shard.append(batch([1], 10), Box::new(|_| panic!("a bug in the test, on purpose"))).expect("taken");
    let began = Instant::now();
    while shard.is_open() {
        assert!(began.elapsed() < Duration::from_secs(10), "the thread goes on");
        std::thread::yield_now();
    }
    assert_eq!(queue(&shard, batch([2], 10)).expect_err("over"), AppendError::Closed);
    assert_eq!(shard.close(), Err(AppendError::Closed));
    // The log itself is as good as after a kill, and its lock is free.
    let shard = open_and_lead(machine.boot(), options());
    assert_eq!(documents(&shard.view()).len(), 1);
}

#[test]
fn an_acknowledgement_says_what_it_rests_on_and_the_interval_is_kept() {
    let machine = Machine::new(1);
    let interval = Duration::from_millis(30);
    let modes = [FsyncMode::Batch { interval }, FsyncMode::Disabled];
    for fsync in modes {
        let shard = open_and_lead(machine.boot(), ShardOptions { fsync, ..options() });
        let began = Instant::now();
        let appended = append(&shard, batch([1], 10)).expect("taken");
        assert_eq!(appended.durability, Durability::Os);
        assert_eq!(shard.positions().committed, appended.last_seq);
        if fsync == FsyncMode::Disabled {
            let syncs = shard.stats().log.fsync.count;
            std::thread::sleep(interval * 4);
            assert_eq!(shard.stats().log.fsync.count, syncs, "nobody asked for a sync");
            continue;
        }
        while shard.positions().durable < appended.last_seq {
            assert!(began.elapsed() < Duration::from_secs(10), "the interval passed without a sync");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(began.elapsed() >= interval, "synced before the interval was over");
    }
}

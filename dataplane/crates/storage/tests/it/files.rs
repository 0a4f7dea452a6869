//! The files of a log: how they grow, follow each other, and do not pile up.

use std::time::{Duration, Instant};

use grepzilla_model::SeqNo;
use grepzilla_storage::ShardOptions;
use grepzilla_storage::disk::twin::Machine;

use crate::fixtures::*;

fn log_files(machine: &Machine) -> Vec<(String, usize)> {
    let name = |path: &std::path::Path| path.file_name().expect("a file").to_string_lossy().into_owned();
    let files = machine.files().into_iter().map(|(path, bytes)| (name(&path), bytes.len()));
    files.filter(|(name, _)| name.contains(".wal")).collect()
}

#[test]
fn files_are_sealed_at_their_size_and_give_back_what_they_do_not_need() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    for number in 0..40 {
        append(&shard, batch([number], 1000)).expect("taken");
    }
    let stats = shard.stats().log;
    assert!((3..=5).contains(&stats.files), "{stats:?}");
    wait_until_prepared(&machine, &shard);
    shard.close().expect("closed");
    let files = log_files(&machine);
    assert_eq!(files.len() as u64, stats.files + 1, "one is prepared: {files:?}");
    let epochs = files.iter().map(|(name, _)| &name[..17]).collect::<Vec<_>>();
    assert_eq!(epochs[0], "0000000000000000-", "prepared before there was an epoch");
    assert!(epochs[2..].iter().all(|epoch| *epoch == "0000000000000001-"), "{files:?}");
    for (name, bytes) in &files[..files.len() - 2] {
        assert!(*bytes > 14_000 && *bytes < 16 << 10, "{name} has {bytes} bytes");
    }
    let in_files: u64 = files[..files.len() - 2].iter().map(|(_, bytes)| *bytes as u64 - 4096).sum();
    assert!(stats.bytes > in_files && stats.bytes < in_files + (12 << 10));
    let shard = open(machine.boot(), options()).expect("opens");
    assert_eq!(documents(&shard.view()).len(), 40);
}

#[test]
fn a_file_is_sealed_at_its_age_once_it_holds_a_batch() {
    let machine = Machine::new(1);
    let aging = ShardOptions { wal_age_max: Duration::from_millis(40), ..options() };
    let shard = open_and_lead(machine.boot(), aging.clone());
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(shard.stats().log.files, 1, "the start of an epoch alone does not age a file");
    for expected in [2, 3] {
        append(&shard, batch([expected], 10)).expect("taken");
        let began = Instant::now();
        while shard.stats().log.files < expected {
            assert!(began.elapsed() < Duration::from_secs(10), "the file did not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(shard.stats().log.files, 3, "an empty file does not age");
    // Killed between the end of one file and the first frame of the next.
    let shard = open_and_lead(machine.boot(), aging);
    assert_eq!(documents(&shard.view()).len(), 2);
    append(&shard, batch([9], 10)).expect("taken");
}

#[test]
fn a_frame_larger_than_every_file_finds_its_place() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    append(&shard, batch([1], 100)).expect("taken");
    append(&shard, batch([2], 300_000)).expect("taken");
    append(&shard, batch([3], 100)).expect("taken");
    machine.power_loss();
    let shard = open(machine.boot(), options()).expect("opens");
    let found = documents(&shard.view());
    assert_eq!(found.len(), 3);
    assert_eq!(found[&SeqNo(3)], source(2, 300_000));
}

#[test]
fn starting_again_and_again_neither_changes_nor_piles_up_anything() {
    let machine = Machine::new(1);
    let mut expected = Vec::new();
    for round in 0..40 {
        let shard = open_and_lead(machine.boot(), options());
        assert_eq!(documents(&shard.view()).into_values().collect::<Vec<_>>(), expected, "round {round}");
        assert_eq!(shard.last_epoch().0, round + 1);
        if round % 4 == 0 {
            append(&shard, batch([round], 200)).expect("taken");
            expected.push(source(round, 200));
        }
        match round % 3 {
            0 => shard.close().expect("closed"),
            1 => machine.power_loss(),
            _ => {}
        }
    }
    // 40 starts of an epoch and 10 batches are about 6 KiB of frames.
    let files = log_files(&machine);
    assert!(files.len() <= 5, "{files:?}");
}

#[test]
fn a_kept_file_is_cut_at_what_is_proven_and_the_rest_is_logged_again() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    for number in 0..8 {
        append(&shard, batch([number], 1000)).expect("taken");
    }
    let before = documents(&shard.view());
    let shard = open(machine.boot(), options()).expect("opens");
    assert_eq!(documents(&shard.view()), before);
    assert_eq!(shard.stats().log.files, 2, "the proven part stays where it is");
    let kept = &log_files(&machine)[0];
    assert!(kept.1 > 11_000 && kept.1 < 13_500, "{kept:?}");
    machine.power_loss();
    let shard = open(machine.boot(), options()).expect("opens");
    assert_eq!(documents(&shard.view()), before);
}

//! Damage at rest: what was closed cleanly and is not what it was is noticed, and nothing wrong is ever shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use grepzilla_model::SeqNo;
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{Corruption, OpenError, ShardOptions};

use crate::fixtures::*;

type Files = BTreeMap<PathBuf, Vec<u8>>;
type Documents = BTreeMap<SeqNo, String>;

/// The smallest files there are, so that every byte can be tried.
fn small() -> ShardOptions {
    ShardOptions { wal_bytes_max: 8 << 10, ..ShardOptions::default() }
}

/// Two lives of a shard whose log spans several files: the disk after it, and what was acknowledged.
fn two_lives(close: bool) -> (Files, Documents) {
    let machine = Machine::new(1);
    let mut shard = open_and_lead(machine.boot(), small());
    for number in 0..6 {
        append(&shard, batch([number], 1000)).expect("taken");
    }
    shard.close().expect("closed");
    shard = open_and_lead(machine.boot(), small());
    for number in 6..9 {
        append(&shard, batch([number], 300)).expect("taken");
    }
    wait_until_prepared(&machine, &shard);
    if close {
        shard.close().expect("closed");
    }
    (machine.files(), documents(&shard.view()))
}

fn machine_with(files: &Files) -> Machine {
    let machine = Machine::new(1);
    for (path, bytes) in files {
        machine.plant(path, bytes.clone());
    }
    machine
}

/// What opening such a disk gives: the documents, and whether it was noticed that something was cut.
fn opened(files: &Files) -> Result<(Documents, bool), OpenError> {
    let shard = open(machine_with(files).boot(), small())?;
    Ok((documents(&shard.view()), shard.stats().log.torn_tails > 0))
}

fn logs(files: &Files) -> Vec<PathBuf> {
    files.keys().filter(|path| path.extension().is_some_and(|extension| extension == "wal")).cloned().collect()
}

fn corruption(result: Result<(Documents, bool), OpenError>) -> Corruption {
    match result {
        Err(OpenError::Corrupt(corruption)) => corruption,
        other => panic!("not noticed: {other:?}"),
    }
}

// Every byte, rather than some of them, is flipped and cut at where only reading is tried, in `wal/recovery/tests.rs`.

#[test]
fn a_flipped_byte_of_a_closed_log_is_noticed_and_nothing_is_lost_in_silence() {
    let (files, acknowledged) = two_lives(true);
    assert!(logs(&files).len() >= 3, "{:?}", files.keys());
    assert_eq!(opened(&files).expect("good"), (acknowledged.clone(), false));
    let mut corrupt = 0;
    for (path, good) in &files {
        for at in (0..good.len()).step_by(23) {
            let mut damaged = files.clone();
            damaged.get_mut(path).expect("there")[at] ^= 1 << (at % 8);
            match opened(&damaged) {
                Err(OpenError::Corrupt(_)) => corrupt += 1,
                Ok((found, true)) if found == acknowledged => {}
                other => panic!("byte {at} of {}: {other:?}", path.display()),
            }
        }
    }
    assert!(corrupt > 700, "only {corrupt} flips were corruption");
}

#[test]
fn a_closed_log_that_is_cut_keeps_all_that_was_acknowledged_or_is_refused() {
    let (files, acknowledged) = two_lives(true);
    for path in logs(&files) {
        for length in (0..files[&path].len()).step_by(23) {
            let mut damaged = files.clone();
            damaged.get_mut(&path).expect("there").truncate(length);
            match opened(&damaged) {
                Err(OpenError::Corrupt(_)) => {}
                Ok((found, _)) if found == acknowledged => {}
                other => panic!("{length} bytes of {}: {other:?}", path.display()),
            }
        }
    }
}

#[test]
fn a_log_that_was_not_closed_and_is_damaged_shows_a_beginning_of_what_was_acknowledged_or_is_refused() {
    let (files, acknowledged) = two_lives(false);
    let is_beginning = |found: &Documents| found.iter().eq(acknowledged.iter().take(found.len()));
    for path in logs(&files) {
        let length = files[&path].len();
        for at in (0..length).step_by(23) {
            let mut flipped = files.clone();
            flipped.get_mut(&path).expect("there")[at] ^= 1 << (at % 8);
            let mut cut = files.clone();
            cut.get_mut(&path).expect("there").truncate(at);
            for damaged in [flipped, cut] {
                match opened(&damaged) {
                    Err(OpenError::Corrupt(_)) => {}
                    Ok((found, _)) if is_beginning(&found) => {}
                    other => panic!("byte {at} of {}: {other:?}", path.display()),
                }
            }
        }
    }
}

#[test]
fn a_missing_zeroed_renamed_or_swapped_file_is_noticed() {
    let (files, acknowledged) = two_lives(true);
    let logs = logs(&files);
    let prepared = logs.last().expect("there are some");
    for path in &logs {
        let mut zeroed = files.clone();
        zeroed.get_mut(path).expect("there").fill(0);
        assert_eq!(corruption(opened(&zeroed)).path, *path);
        let mut missing = files.clone();
        let bytes = missing.remove(path).expect("there");
        if path == prepared {
            assert_eq!(opened(&missing).expect("not needed"), (acknowledged.clone(), false));
        } else {
            corruption(opened(&missing));
        }
        let mut renamed = missing;
        renamed.insert(Path::new(DIR).join("00000000000000ff-00000000000000ff.wal"), bytes);
        corruption(opened(&renamed));
        for other in logs.iter().filter(|other| *other != path) {
            let mut swapped = files.clone();
            swapped.insert(path.clone(), files[other].clone());
            swapped.insert(other.clone(), files[path].clone());
            corruption(opened(&swapped));
        }
    }
}

#[test]
fn a_prepared_file_that_is_not_empty_is_not_used() {
    let (mut files, acknowledged) = two_lives(true);
    let prepared = logs(&files).pop().expect("there are some");
    let bytes = files.get_mut(&prepared).expect("there");
    let last = bytes.len() - 1;
    bytes[last] = 1;
    let machine = machine_with(&files);
    let shard = open(machine.boot(), small()).expect("nothing of worth is damaged");
    assert_eq!((documents(&shard.view()), shard.stats().log.torn_tails), (acknowledged, 1));
    assert!(!machine.files().contains_key(&prepared));
}

#[test]
fn a_file_of_another_replica_is_not_taken_for_ours() {
    let (files, _) = two_lives(true);
    let (others, _) = two_lives(true);
    let path = &logs(&files)[0];
    let mut mixed = files.clone();
    mixed.insert(path.clone(), others[path].clone());
    let corruption = corruption(opened(&mixed));
    assert_eq!((corruption.path, corruption.offset), (path.clone(), 16));
}

#[test]
fn a_file_of_a_newer_format_is_refused_with_both_versions() {
    let (mut files, _) = two_lives(true);
    let path = logs(&files)[0].clone();
    let header = files.get_mut(&path).expect("there");
    header[8] = 3;
    header[10] = 2;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..12]);
    crc.update(&header[16..4096]);
    header[12..16].copy_from_slice(&crc.finalize().to_le_bytes());
    match opened(&files) {
        Err(OpenError::NewerFormat { path: found, format: 3, min_reader: 2, supported: 1 }) => assert_eq!(found, path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_copy_stays_as_it_is_and_is_refused_from_then_on() {
    let (mut files, _) = two_lives(true);
    let path = logs(&files)[0].clone();
    files.get_mut(&path).expect("there")[5000] ^= 1;
    let machine = machine_with(&files);
    let first = match open(machine.boot(), small()) {
        Err(OpenError::Corrupt(corruption)) => corruption,
        other => panic!("{other:?}"),
    };
    assert_eq!(first.path, path);
    assert!(first.offset <= 5000 && first.offset > 4000, "{first}");
    let mut after = machine.files();
    let mark = after.remove(&Path::new(DIR).join("quarantine.json")).expect("the folder is marked");
    assert!(String::from_utf8_lossy(&mark).contains("\"offset\""));
    assert_eq!(after, files, "a quarantined folder was changed");
    // Even if the damage cannot be seen any more, a person must decide.
    files.get_mut(&path).expect("there")[5000] ^= 1;
    machine.plant(&path, files[&path].clone());
    assert!(matches!(open(machine.boot(), small()), Err(OpenError::Corrupt(again)) if again == first));
}

#[test]
fn a_lost_newest_file_is_noticed_by_the_checkpoint_even_right_after_a_start() {
    let machine = Machine::new(1);
    drop(open_and_lead(machine.boot(), small()));
    let shard = open(machine.boot(), small()).expect("opens");
    let files = machine.files();
    drop(shard);
    let newest = logs(&files).into_iter().next().expect("one file");
    let mut missing = files;
    missing.remove(&newest);
    corruption(opened(&missing));
}

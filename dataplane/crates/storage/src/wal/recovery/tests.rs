//! Every byte of a log flipped, and every file of it cut at every length: what reading makes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use grepzilla_model::{
    Batch, BodyHash, Bucket, ClusterUuid, IndexName, KeyHash, Record, RecordKind, SeqNo, ShardId, TimeNs,
};
use uuid::Uuid;

use super::survey;
use crate::disk::twin::Machine;
use crate::replica::ReplicaFolder;
use crate::{OpenError, Shard, ShardOptions};

const DIR: &str = "/d";
const CLUSTER: ClusterUuid = ClusterUuid(Uuid::from_u128(1));

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn batch(number: i64, bytes: usize) -> Batch {
    let record = Record {
        kind: RecordKind::Put,
        bucket: Bucket(1),
        index: IndexName::default(),
        id: None,
        time: TimeNs(number),
        source: "x".repeat(bytes).into(),
    };
    Batch { key: KeyHash::default(), body: BodyHash::default(), received: TimeNs(2), records: vec![record] }
}

/// Three files with records and a prepared one, closed cleanly in the middle and, if asked, at the end.
fn three_files(close: bool) -> (Files, Vec<(SeqNo, Batch)>) {
    let machine = Machine::new(1);
    let mut acknowledged = Vec::new();
    for numbers in [0..6, 6..9] {
        let options = ShardOptions { wal_bytes_max: 5 << 10, ..ShardOptions::default() };
        let shard = Shard::open(machine.boot(), Path::new(DIR), CLUSTER, ShardId(1), options, &|_| ()).expect("opens");
        shard.start_epoch(shard.last_epoch().next()).expect("newer");
        for number in numbers {
            let batch = batch(number, 100 - 7 * usize::try_from(number).expect("small"));
            let (answer, answered) = mpsc::channel();
            shard.append(batch.clone(), Box::new(move |result| drop(answer.send(result)))).expect("taken");
            acknowledged.push((answered.recv().expect("answered").expect("durable").first_seq, batch));
        }
        let is_log = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wal");
        while machine.files().keys().filter(|path| is_log(path)).count() as u64 <= shard.stats().log.files {
            std::thread::yield_now();
        }
        if !close && acknowledged.len() > 6 {
            return (machine.files(), acknowledged);
        }
        shard.close().expect("closed");
    }
    (machine.files(), acknowledged)
}

/// What reading finds: the batches, and whether it noticed bytes that were no frame.
fn read(files: &Files, damaged: &Path, bytes: &[u8]) -> Result<(Vec<(SeqNo, Batch)>, bool), OpenError> {
    let machine = Machine::new(1);
    for (path, good) in files {
        machine.plant(path, if path == damaged { bytes.to_vec() } else { good.clone() });
    }
    let folder = ReplicaFolder::open(machine.boot(), Path::new(DIR), CLUSTER, ShardId(1))?;
    let mut found = Vec::new();
    let survey = survey(&folder, SeqNo(0), SeqNo(0), &mut |_, first, batch| found.push((first, batch)), &|_, _| ())?;
    Ok((found, survey.tails.torn || !survey.tails.unclean.is_empty()))
}

#[test]
fn every_flipped_byte_of_a_closed_log_is_noticed_and_takes_nothing_acknowledged() {
    let (files, acknowledged) = three_files(true);
    assert_eq!(read(&files, Path::new(""), &[]).expect("good"), (acknowledged.clone(), false));
    let (mut corrupt, mut cut) = (0, 0);
    for (path, good) in &files {
        let mut bytes = good.clone();
        for at in 0..bytes.len() {
            bytes[at] ^= 1 << (at % 8);
            match read(&files, path, &bytes) {
                Err(OpenError::Corrupt(_)) => corrupt += 1,
                Ok((found, true)) if found == acknowledged => cut += 1,
                other => panic!("byte {at} of {}: {other:?}", path.display()),
            }
            bytes[at] = good[at];
        }
    }
    // The headers and frames are corruption; the zeros behind them, in the current and the prepared file, are cut.
    assert!(corrupt > 12_000 && cut > 1_000, "{corrupt} were corruption, {cut} were cut");
}

#[test]
fn every_cut_of_a_closed_log_is_noticed_or_takes_nothing_acknowledged() {
    let (files, acknowledged) = three_files(true);
    for (path, good) in files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "wal")) {
        for length in 0..good.len() {
            match read(&files, path, &good[..length]) {
                Err(OpenError::Corrupt(_)) => {}
                Ok((found, _)) if found == acknowledged => {}
                other => panic!("{length} bytes of {}: {other:?}", path.display()),
            }
        }
    }
}

#[test]
fn every_flip_and_cut_of_a_log_that_was_not_closed_shows_a_beginning_or_is_refused() {
    let (files, acknowledged) = three_files(false);
    for (path, good) in files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "wal")) {
        let mut bytes = good.clone();
        for at in 0..good.len() {
            bytes[at] ^= 1 << (at % 8);
            for damaged in [&bytes[..], &good[..at]] {
                match read(&files, path, damaged) {
                    Err(OpenError::Corrupt(_)) => {}
                    Ok((found, _)) if found == acknowledged[..found.len()] => {}
                    other => panic!("byte {at} of {}: {other:?}", path.display()),
                }
            }
            bytes[at] = good[at];
        }
    }
}

#[test]
fn a_flip_below_what_a_later_frame_knows_as_durable_is_corruption_without_any_checkpoint() {
    let (mut files, _) = three_files(false);
    files.remove(&Path::new(DIR).join("checkpoint.json")).expect("there is one");
    let newest =
        files.iter().rev().find(|(_, bytes)| bytes.get(4096..4100) == Some(b"GZFR")).expect("a file with frames");
    let (path, good) = (newest.0.clone(), newest.1.clone());
    let last = (4096..good.len()).step_by(8).rfind(|at| good[*at..].starts_with(b"GZFR")).expect("a frame");
    let proven = u64::from_le_bytes(good[last + 40..last + 48].try_into().expect("eight bytes"));
    assert!(proven > 4096 + 128, "only {proven} bytes are proven");
    for at in 4096..usize::try_from(proven).expect("small") {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        assert!(matches!(read(&files, &path, &bytes), Err(OpenError::Corrupt(_))), "byte {at}");
    }
}

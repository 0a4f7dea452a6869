//! A log that is trimmed from the front, killed at every step.

use std::path::Path;
use std::sync::Arc;

use grepzilla_model::{
    Batch, BodyHash, Bucket, ClusterUuid, Epoch, IndexName, KeyHash, Record, RecordKind, SeqNo, ShardId, TimeNs,
};
use uuid::Uuid;

use super::sizes::LogSizes;
use super::{Log, payload_bytes, recover};
use crate::disk::Disk;
use crate::disk::twin::{Fault, Machine};
use crate::replica::ReplicaFolder;
use crate::{AppendError, OpenError};

const DIR: &str = "/d";

/// What is known of a log from outside.
#[derive(Debug, Default)]
struct Told {
    /// Up to here segments hold everything.
    flushed: SeqNo,
    /// Up to here everything was acknowledged.
    durable: SeqNo,
}

fn batch(bytes: usize) -> Batch {
    let record = Record {
        kind: RecordKind::Put,
        bucket: Bucket(1),
        index: IndexName::default(),
        id: None,
        time: TimeNs(1),
        source: "x".repeat(bytes).into(),
    };
    Batch { key: KeyHash::default(), body: BodyHash::default(), received: TimeNs(2), records: vec![record; 2] }
}

fn opened(disk: Arc<dyn Disk>, flushed: SeqNo) -> Result<(ReplicaFolder, Log, Vec<SeqNo>), OpenError> {
    let folder = ReplicaFolder::open(disk, Path::new(DIR), ClusterUuid(Uuid::from_u128(1)), ShardId(1))?;
    let mut found = Vec::new();
    let log =
        recover(&folder, LogSizes::new(5 << 10), flushed, flushed, &mut |_, first, _| found.push(first), &|_, _| ())?;
    Ok((folder, log, found))
}

/// Appends batches and now and then trims what would be in segments by then.
fn live(log: &mut Log, told: &mut Told, batches: usize, trim_every: usize) -> Result<(), AppendError> {
    log.start_epoch(log.epoch().next())?;
    for number in 1..=batches {
        let batch = batch(90 + 7 * (number % 5));
        log.append(&batch, payload_bytes(&batch))?;
        log.write()?;
        log.sync()?;
        told.durable = log.last_seq();
        if number % trim_every == 0 {
            told.flushed = SeqNo(told.durable.0 - 2 * (number as u64 % 3));
            log.trim(told.flushed)?;
        }
    }
    log.protect()?;
    Ok(())
}

fn check(machine: &Machine, told: &Told, context: &str) -> (ReplicaFolder, Log) {
    let (folder, log, found) = match opened(machine.boot(), told.flushed) {
        Ok(opened) => opened,
        Err(error) => panic!("{context}: a crash must not look like damage: {error:?} ({told:?})"),
    };
    assert!(log.last_seq() >= told.durable, "{context}: the log ends at {}, {told:?}", log.last_seq());
    assert!(found.iter().all(|first| first.plus(1) > told.flushed), "{context}: {found:?} {told:?}");
    assert!(found.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 3), "{context}: a hole in {found:?}");
    let first = found.first().map_or(log.last_seq(), |first| SeqNo(first.0 - 1));
    assert!(first.0 <= told.flushed.0 + 1, "{context}: {found:?} {told:?}");
    (folder, log)
}

#[test]
fn a_power_loss_at_any_step_of_a_trimmed_log_loses_nothing_behind_what_is_flushed() {
    for seed in 0..2 {
        for step in 1.. {
            let machine = Machine::new(step * 10 + seed);
            let disk = machine.boot();
            machine.fail_at(step, Fault::Stop);
            let mut told = Told::default();
            for _ in 0..2 {
                let Ok((_folder, mut log, _)) = opened(Arc::clone(&disk), told.flushed) else { break };
                if live(&mut log, &mut told, 14, 3).is_err() {
                    break;
                }
            }
            let met = machine.steps() >= step;
            let context = format!("stop at step {step}, seed {seed}");
            machine.power_loss();
            let (_folder, mut log) = check(&machine, &told, &context);
            live(&mut log, &mut told, 5, 2).expect("the machine is well");
            drop((log, _folder));
            machine.power_loss();
            drop(check(&machine, &told, &context));
            if !met {
                assert!(step > 100, "the workload has only {step} steps");
                break;
            }
        }
    }
}

#[test]
fn trimming_keeps_the_log_short_and_what_is_gone_must_be_known_to_be_flushed() {
    let machine = Machine::new(1);
    let (_folder, mut log, _) = opened(machine.boot(), SeqNo(0)).expect("opens");
    let mut told = Told::default();
    live(&mut log, &mut told, 100, 1).expect("the machine is well");
    assert!(log.counters().files <= 3 && log.bytes() < 3 * (5 << 10), "{:?}", log.counters());
    drop((log, _folder));
    let names = machine.files().keys().filter(|path| path.extension().is_some_and(|it| it == "wal")).count();
    assert!(names <= 5, "{names} files");
    let too_little = SeqNo(told.flushed.0 / 2);
    match opened(machine.duplicate(1).boot(), too_little) {
        Err(OpenError::Corrupt(corruption)) => {
            assert!(corruption.expected.ends_with(&format!("first record of at most {}", too_little.plus(1))));
        }
        other => panic!("{other:?}"),
    }
    match opened(machine.duplicate(1).boot(), told.durable.plus(1)) {
        Err(OpenError::Corrupt(corruption)) => assert!(corruption.expected.contains("the manifest knows")),
        other => panic!("{other:?}"),
    }
    drop(check(&machine, &told, "closed"));
    assert_eq!(told.durable, SeqNo(201));
    assert_eq!(opened(machine.boot(), told.flushed).expect("opens").1.epoch(), Epoch(1));
}

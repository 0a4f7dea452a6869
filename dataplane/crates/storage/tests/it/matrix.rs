//! The whole life of a shard (writes, versions, keys, flushes, publishes, merges, trimming, restarts) with the power
//! lost, the process killed, a step failed, or the disk full, at every single step.

mod lax;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use grepzilla_model::{Batch, BodyHash, KeyHash, Record, RecordKind, SeqNo};
use grepzilla_storage::disk::Disk;
use grepzilla_storage::disk::twin::{Fault, Machine};
use grepzilla_storage::segment::OpenSegmentError;
use grepzilla_storage::{AppendError, FsyncMode, MaintenanceError, ReadError, Shard, ShardOptions, View};

use crate::fixtures::*;

/// What one record did: the id and number of a document, or a tombstone without a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    id: Option<u64>,
    number: Option<u64>,
}

/// What may be in the log or not, because nobody heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Flight {
    Epoch,
    Batch { key: u8, records: Vec<Written> },
}

/// What is known of a shard from outside.
#[derive(Debug)]
struct World {
    store: Store,
    /// By position, from 1. `None`: the start of an epoch.
    log: Vec<Option<Written>>,
    /// The first position of each key that was acknowledged.
    keys: BTreeMap<u8, (SeqNo, Vec<Written>)>,
    flights: VecDeque<Flight>,
    next: u64,
    forgets: bool,
    fsync: FsyncMode,
    /// The last position that was known to be durable.
    durable: SeqNo,
    /// The positions at which batches ended.
    ends: BTreeSet<u64>,
}

impl World {
    fn new(forgets: bool) -> World {
        let (store, log, keys, flights) = (Store::default(), Vec::new(), BTreeMap::new(), VecDeque::new());
        let (fsync, durable) = (FsyncMode::Always, SeqNo(0));
        World { store, log, keys, flights, next: 0, forgets, fsync, durable, ends: BTreeSet::from([0]) }
    }

    fn options(&self) -> ShardOptions {
        let cursor_ttl = Duration::from_secs(if self.forgets { 0 } else { 600 });
        ShardOptions { wal_bytes_max: 8 << 10, cursor_ttl, fsync: self.fsync, ..ShardOptions::default() }
    }

    /// Two lives with everything in them.
    fn live(&mut self, machine: &Machine, disk: &Arc<dyn Disk>) {
        for rounds in [9, 2] {
            let Ok(shard) = open(Arc::clone(disk), self.options()) else { return };
            self.land(&shard, "in the same life");
            self.flights.push_back(Flight::Epoch);
            if shard.start_epoch(shard.last_epoch().next()).is_err() {
                return;
            }
            self.land(&shard, "the start of an epoch");
            harmless(shard.adopt(self.store.manifest.clone()), "adopt");
            for _ in 0..rounds {
                self.write(&shard);
                self.durable = shard.positions().durable;
                self.maintain(&shard);
                self.durable = shard.positions().durable;
                if machine.stopped() {
                    return;
                }
            }
            if shard.close().is_err() {
                return;
            }
        }
    }

    /// Two batches under way at a time.
    fn write(&mut self, shard: &Shard) {
        let mut under_way = Vec::new();
        for size in [1, 2] {
            let records: Vec<Written> = (0..size).map(|_| self.record()).collect();
            let key = u8::try_from(self.next % 250).expect("small") + 1;
            let flight = Flight::Batch { key, records: records.clone() };
            if let Ok(answered) = queue(shard, batch_of(key, &records)) {
                self.flights.push_back(flight.clone());
                under_way.push((flight, key, records, answered));
            }
        }
        for (flight, key, records, answered) in under_way {
            match answered.recv_timeout(Duration::from_secs(20)).expect("every queued batch is answered") {
                Ok(appended) => {
                    assert_eq!(self.flights.pop_front(), Some(flight), "in order");
                    assert_eq!(appended.first_seq.0, self.log.len() as u64 + 1, "without gaps");
                    self.log.extend(records.iter().copied().map(Some));
                    self.ends.insert(self.log.len() as u64);
                    self.keys.insert(key, (appended.first_seq, records));
                }
                Err(AppendError::Died(_) | AppendError::Closed) => {}
                Err(_) => self.flights.retain(|other| *other != flight),
            }
        }
    }

    /// Documents without an id, versions of a few ids, and tombstones.
    fn record(&mut self) -> Written {
        self.next += 1;
        let id = (!self.next.is_multiple_of(3)).then_some(self.next * 7 % 5);
        let number = (id.is_none() || !self.next.is_multiple_of(5)).then_some(self.next);
        Written { id, number }
    }

    fn maintain(&mut self, shard: &Shard) {
        harmless(shard.flush(), "flush");
        harmless(shard.merge(&AtomicBool::new(false)), "merge");
        // Every third publish waits for the next one.
        if !self.log.len().is_multiple_of(3)
            && let Some(manifest) = self.store.accept(shard)
        {
            harmless(shard.published(manifest), "published");
        } else {
            harmless(shard.adopt(self.store.manifest.clone()), "adopt");
        }
    }

    /// Finds out what became of what was under way.
    fn land(&mut self, shard: &Shard, context: &str) {
        let last = shard.positions().appended.0;
        assert!(self.log.len() as u64 <= last, "{context}: the log ends at {last}, {} was durable", self.log.len());
        while (self.log.len() as u64) < last {
            match self.flights.pop_front() {
                Some(Flight::Epoch) => self.log.push(None),
                Some(Flight::Batch { records, .. }) => self.log.extend(records.into_iter().map(Some)),
                None => panic!("{context}: {last} records, {} were written", self.log.len()),
            }
            self.ends.insert(self.log.len() as u64);
        }
        assert_eq!(self.log.len() as u64, last, "{context}: a part of a batch is there");
        self.flights.clear();
    }

    /// Opens what is left, leads, and checks every promise.
    fn check(&mut self, machine: &Machine, context: &str) -> Shard {
        let shard = match open(machine.boot(), self.options()) {
            Ok(shard) => shard,
            Err(error) => panic!("{context}: a crash must not look like damage: {error} ({error:?})"),
        };
        self.land(&shard, context);
        self.visible(&shard.view(), &format!("{context}, opened"));
        self.flights.push_back(Flight::Epoch);
        shard.start_epoch(shard.last_epoch().next()).expect("the machine is well");
        self.land(&shard, context);
        shard.adopt(self.store.manifest.clone()).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        self.visible(&shard.view(), &format!("{context}, adopted"));
        assert_eq!(shard.damage(), [], "{context}");
        for (key, (first, records)) in self.keys.iter().rev().take(4) {
            let again = append(&shard, batch_of(*key, records)).expect("known");
            assert_eq!((again.first_seq, again.repeated), (*first, true), "{context}: key {key}");
        }
        shard
    }

    /// At the last position, and at those before as far as they can be asked for, everything is as it was written.
    fn visible(&self, view: &View, context: &str) {
        let held = documents(view);
        let last = self.log.len() as u64;
        let from = if self.forgets { last } else { last.saturating_sub(12) };
        for upto in from..=last {
            let upto = SeqNo(upto);
            let seen = held.keys().copied().filter(|seq| *seq <= upto && !view.is_superseded(*seq, upto));
            assert_eq!(seen.collect::<Vec<_>>(), self.expected(upto), "{context}: at position {upto}");
        }
        for (seq, found) in held {
            let written = self.log[usize::try_from(seq.0).expect("small") - 1].expect("a record");
            assert_eq!(found, source_of(written), "{context}: at {seq}");
        }
    }

    fn expected(&self, upto: SeqNo) -> Vec<SeqNo> {
        let (mut seqs, mut newest) = (Vec::new(), BTreeMap::new());
        for (seq, written) in (1..=upto.0).map(SeqNo).zip(&self.log) {
            match written {
                Some(Written { id: Some(id), number }) => drop(newest.insert(*id, number.map(|_| seq))),
                Some(Written { id: None, .. }) => seqs.push(seq),
                None => {}
            }
        }
        seqs.extend(newest.into_values().flatten());
        seqs.sort_unstable();
        seqs
    }

    /// Nothing lies in the folder that nothing names.
    fn no_litter(&self, machine: &Machine, shard: &Shard, context: &str) {
        let manifest = shard.manifest();
        let mut named: Vec<String> = manifest.segments.iter().map(|entry| entry.name.file_name()).collect();
        named.extend(manifest.segments.iter().filter_map(|entry| Some(entry.deletes_name()?.file_name())));
        named.sort_unstable();
        let files =
            machine.files().into_keys().filter(|path| path.parent().is_some_and(|dir| dir.ends_with("segments")));
        let mut found: Vec<String> =
            files.map(|path| path.file_name().expect("a file").to_string_lossy().into_owned()).collect();
        found.sort_unstable();
        assert_eq!(found, named, "{context}");
    }
}

fn source_of(written: Written) -> String {
    let Written { id, number } = written;
    let number = number.expect("a document");
    let id = id.map_or(String::new(), |id| format!(r#","_id":"id-{id}""#));
    format!(r#"{{"n":{number},"text":"{}"{id}}}"#, "x".repeat(200))
}

fn batch_of(key: u8, records: &[Written]) -> Batch {
    let record = |written: &Written| Record {
        kind: if written.number.is_some() { RecordKind::Put } else { RecordKind::Tombstone },
        id: written.id.map(|id| format!("id-{id}").into()),
        source: written.number.map_or(String::new(), |_| source_of(*written)).into(),
        ..batch([0], 1).records.remove(0)
    };
    let records = records.iter().map(record).collect();
    Batch { key: KeyHash([key; 16]), body: BodyHash([1; 16]), records, ..batch([], 1) }
}

/// Whatever a fault does to maintenance, it must not look like damage or like a broken rule.
fn harmless<T>(done: Result<T, MaintenanceError>, what: &str) {
    use MaintenanceError as E;
    match done {
        Ok(_) | Err(E::NoRoom(_) | E::Disk(_) | E::Died(_) | E::Log(_) | E::NotAdopted) => {}
        Err(E::Read(ReadError::Disk(_)) | E::Open(OpenSegmentError::Read(ReadError::Disk(_)))) => {}
        // A disk that is gone cannot be read either.
        Err(E::Damaged(damage)) if damage.reason.contains(" failed: ") => {}
        Err(error) => panic!("{what}: {error} ({error:?})"),
    }
}

/// Lives with a fault at step 1, 2, 3 and so on, until one gets through without meeting it.
fn at_every_step(fault: Fault, lives: u64, after: impl Fn(&Machine, World, &str)) {
    at_every_step_with(FsyncMode::Always, fault, lives, after);
}

fn at_every_step_with(fsync: FsyncMode, fault: Fault, lives: u64, after: impl Fn(&Machine, World, &str)) {
    let (mut step, mut runs) = (0, 0);
    loop {
        step += 1;
        let mut met = false;
        for seed in 0..lives {
            let machine = Machine::new(step * 1000 + seed);
            let disk = machine.boot();
            machine.fail_at(step, fault);
            let mut world = World { fsync, ..World::new((step + seed).is_multiple_of(2)) };
            world.live(&machine, &disk);
            met |= machine.steps() >= step;
            runs += 1;
            after(&machine, world, &format!("{fsync:?}, {fault:?} at step {step}, seed {seed}"));
        }
        if !met {
            println!("{fsync:?}, {fault:?} at each of {step} steps: {runs} lives");
            assert!(step > if fsync == FsyncMode::Always { 300 } else { 200 }, "the workload has only {step} steps");
            return;
        }
    }
}

/// The shard goes on: everything that it does works, and lasts.
fn goes_on(machine: &Machine, mut world: World, shard: Shard, context: &str) {
    for _ in 0..2 {
        world.write(&shard);
        shard.flush().unwrap_or_else(|error| panic!("{context}: {error:?}"));
    }
    world.store.publish(&shard);
    assert_eq!(shard.next_manifest(), None, "{context}: published");
    world.no_litter(machine, &shard, context);
    drop(shard);
    machine.power_loss();
    drop(world.check(machine, &format!("{context}, after it went on")));
}

#[test]
fn a_life_has_everything_in_it() {
    for forgets in [false, true] {
        let machine = Machine::new(1);
        let mut world = World::new(forgets);
        let disk = machine.boot();
        world.live(&machine, &disk);
        let manifest = world.store.manifest.clone().expect("published");
        assert!(manifest.generation.0 >= 5 && manifest.segments.len() >= 2, "{manifest:?}");
        let merged = &manifest.segments[0];
        let put = world.log.iter().flatten().filter(|written| written.number.is_some()).count() as u64;
        assert!(merged.name.last.0 - merged.name.first.0 > 12, "several flushes are one segment: {manifest:?}");
        let documents: u64 = manifest.segments.iter().map(|entry| entry.documents).sum();
        assert_eq!(documents < put, forgets, "{documents} of {put} are held");
        assert!(manifest.segments.iter().any(|entry| entry.deletes.is_some()) || forgets, "{manifest:?}");
        let oldest = machine.files().into_keys().find(|path| path.extension().is_some_and(|end| end == "wal"));
        assert!(!oldest.expect("a log").ends_with("0000000000000000-0000000000000001.wal"), "the log was trimmed");
    }
}

#[test]
fn a_power_loss_at_any_step_loses_no_document_no_version_and_no_key() {
    at_every_step(Fault::Stop, 2, |machine, mut world, context| {
        machine.power_loss();
        let shard = world.check(machine, context);
        goes_on(machine, world, shard, context);
    });
}

#[test]
fn a_kill_at_any_step_and_a_power_loss_after_it_lose_no_document_no_version_and_no_key() {
    at_every_step(Fault::Stop, 1, |machine, mut world, context| {
        drop(world.check(machine, context));
        machine.power_loss();
        let shard = world.check(machine, &format!("{context}, power lost"));
        goes_on(machine, world, shard, context);
    });
}

#[test]
fn a_failed_step_anywhere_loses_no_document_no_version_and_no_key() {
    at_every_step(Fault::Error(ErrorKind::Other), 1, |machine, mut world, context| {
        let shard = world.check(machine, context);
        drop(shard);
        machine.power_loss();
        let shard = world.check(machine, &format!("{context}, power lost"));
        goes_on(machine, world, shard, context);
    });
}

#[test]
fn a_full_disk_at_any_step_loses_no_document_no_version_and_no_key() {
    at_every_step(Fault::Error(ErrorKind::StorageFull), 1, |machine, mut world, context| {
        let shard = world.check(machine, context);
        goes_on(machine, world, shard, context);
    });
}

//! The power fails, the process is killed, or the disk fails at every single step of a shard's life.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use grepzilla_model::SeqNo;
use grepzilla_storage::disk::Disk;
use grepzilla_storage::disk::twin::{Fault, Machine};
use grepzilla_storage::{Appended, FsyncMode, Shard, ShardOptions};

use crate::fixtures::*;

/// What a life of a shard has promised.
#[derive(Debug, Default)]
struct Told {
    /// The numbers of the documents of each batch that was handed in.
    attempted: Vec<Vec<u64>>,
    /// Those that were acknowledged.
    acknowledged: Vec<(Appended, Vec<u64>)>,
    /// The last position that was said to be durable.
    durable: SeqNo,
    next_number: u64,
}

fn small(fsync: FsyncMode) -> ShardOptions {
    ShardOptions { wal_bytes_max: 8 << 10, fsync, ..ShardOptions::default() }
}

impl Told {
    /// Appends until the shard does not take any more. Two batches are under way at a time.
    fn append(&mut self, shard: &Shard, pairs: usize) {
        for pair in 0..pairs {
            let mut under_way = Vec::new();
            for count in [1, 2] {
                let numbers: Vec<u64> = (self.next_number..).take(count).collect();
                self.next_number += count as u64;
                self.attempted.push(numbers.clone());
                if let Ok(answered) = queue(shard, batch(numbers.iter().copied(), 300 + 100 * (pair % 3))) {
                    under_way.push((numbers, answered));
                }
            }
            for (numbers, answered) in under_way {
                let answer = answered.recv_timeout(Duration::from_secs(20)).expect("every queued batch is answered");
                if let Ok(appended) = answer {
                    self.acknowledged.push((appended, numbers));
                }
            }
            self.durable = self.durable.max(shard.positions().durable);
        }
    }

    /// Two lives with everything in them: creation, rotation, preparation, a clean end, recovery.
    fn live(&mut self, disk: &Arc<dyn Disk>, fsync: FsyncMode) {
        for pairs in [8, 3] {
            let Ok(shard) = open(Arc::clone(disk), small(fsync)) else { return };
            if shard.start_epoch(shard.last_epoch().next()).is_ok() {
                self.append(&shard, pairs);
            }
            if shard.close().is_err() {
                return;
            }
            self.durable = self.durable.max(shard.positions().durable);
        }
    }

    /// Opens what is left and checks every promise. Answers what is visible.
    fn check(&self, machine: &Machine, fsync: FsyncMode, context: &str) -> BTreeMap<SeqNo, String> {
        let shard = match open(machine.boot(), small(fsync)) {
            Ok(shard) => shard,
            Err(error) => panic!("{context}: a crash must not look like damage: {error} ({error:?})"),
        };
        let found = documents(&shard.view());
        self.nothing_lost(&found, fsync, context);
        self.nothing_twice_or_in_part(&found, context);
        let last = shard.positions().durable;
        assert!(self.durable <= last, "{context}: {} was durable, {last} is there", self.durable);
        found
    }

    fn nothing_lost(&self, found: &BTreeMap<SeqNo, String>, fsync: FsyncMode, context: &str) {
        for (appended, numbers) in &self.acknowledged {
            let promised = fsync == FsyncMode::Always || appended.last_seq <= self.durable;
            for (seq, number) in (appended.first_seq.0..).map(SeqNo).zip(numbers) {
                let there = found.get(&seq).is_some_and(|source| source.starts_with(&format!(r#"{{"n":{number},"#)));
                assert!(there || !promised, "{context}: document {number} at {seq} was acknowledged and is lost");
            }
        }
    }

    fn nothing_twice_or_in_part(&self, found: &BTreeMap<SeqNo, String>, context: &str) {
        let numbers: Vec<u64> = found.values().map(|source| number_of(source)).collect();
        let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
        assert_eq!(numbers.len(), distinct.len(), "{context}: a document is there twice");
        for attempted in &self.attempted {
            let there = attempted.iter().filter(|number| distinct.contains(number)).count();
            assert!(there == 0 || there == attempted.len(), "{context}: a part of batch {attempted:?} is there");
        }
        let known: BTreeSet<u64> = self.attempted.iter().flatten().copied().collect();
        assert!(distinct.is_subset(&known), "{context}: a document that nobody wrote");
    }
}

fn number_of(source: &str) -> u64 {
    let digits: String = source.chars().skip(5).take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a document of the fixtures")
}

/// Runs two lives with a fault at step 1, 2, 3 and so on, until one gets through without meeting it.
fn at_every_step(fault: Fault, fsync: FsyncMode, seeds: u64, after: impl Fn(&Machine, Told, &str)) {
    let mut step = 0;
    loop {
        step += 1;
        let mut met = false;
        for seed in 0..seeds {
            let machine = Machine::new(step * 1000 + seed);
            let disk = machine.boot();
            machine.fail_at(step, fault);
            let mut told = Told::default();
            told.live(&disk, fsync);
            met |= machine.steps() >= step;
            after(&machine, told, &format!("{fault:?} at step {step}, seed {seed}"));
        }
        if !met {
            assert!(step > 60, "the workload has only {step} steps");
            return;
        }
    }
}

#[test]
fn a_power_loss_at_any_step_loses_nothing_acknowledged() {
    at_every_step(Fault::Stop, FsyncMode::Always, 3, |machine, told, context| {
        machine.power_loss();
        let found = told.check(machine, FsyncMode::Always, context);
        machine.power_loss();
        assert_eq!(told.check(machine, FsyncMode::Always, context), found, "{context}: what was shown is gone");
    });
}

#[test]
fn a_kill_at_any_step_loses_nothing_acknowledged_and_the_log_goes_on() {
    at_every_step(Fault::Stop, FsyncMode::Always, 1, |machine, mut told, context| {
        let found = told.check(machine, FsyncMode::Always, context);
        let shard = open_and_lead(machine.boot(), small(FsyncMode::Always));
        assert_eq!(documents(&shard.view()), found, "{context}");
        told.append(&shard, 3);
        assert_eq!(documents(&shard.view()).len(), found.len() + 9, "{context}");
        drop(shard);
        machine.power_loss();
        assert_eq!(told.check(machine, FsyncMode::Always, context).len(), found.len() + 9, "{context}");
    });
}

#[test]
fn a_power_loss_at_any_step_of_recovery_from_a_kill_at_any_step_loses_nothing_acknowledged() {
    let mut runs = 0;
    for killed_at in 1..140 {
        let killed = Machine::new(killed_at);
        let disk = killed.boot();
        killed.fail_at(killed_at, Fault::Stop);
        let mut told = Told::default();
        told.live(&disk, FsyncMode::Always);
        // All pairs of steps are twice as many as there is time for.
        for step in (1 + killed_at % 2..).step_by(2) {
            let machine = killed.duplicate(step);
            let disk = machine.boot();
            machine.fail_at(step, Fault::Stop);
            drop(open(disk, small(FsyncMode::Always)));
            if machine.steps() < step {
                break;
            }
            runs += 1;
            machine.power_loss();
            told.check(
                &machine,
                FsyncMode::Always,
                &format!("kill at step {killed_at}, power loss at step {step} of recovery"),
            );
        }
    }
    assert!(runs > 1_000, "only {runs} pairs of steps");
}

#[test]
fn a_failed_step_ends_the_process_and_what_a_restart_shows_survives_power_loss() {
    let mut ended = std::cell::Cell::new(0);
    at_every_step(Fault::Error(ErrorKind::Other), FsyncMode::Always, 2, |machine, told, context| {
        ended.set(ended.get() + u32::from(machine.died().is_some()));
        // The page cache is still there and shows what a failed sync has not written.
        let found = told.check(machine, FsyncMode::Always, context);
        machine.power_loss();
        assert_eq!(told.check(machine, FsyncMode::Always, context), found, "{context}: what was shown is gone");
    });
    assert!(*ended.get_mut() > 100, "only {ended:?} faults ended the process");
}

#[test]
fn a_full_disk_at_any_step_loses_nothing_acknowledged() {
    at_every_step(Fault::Error(ErrorKind::StorageFull), FsyncMode::Always, 1, |machine, told, context| {
        let found = told.check(machine, FsyncMode::Always, context);
        machine.power_loss();
        assert_eq!(told.check(machine, FsyncMode::Always, context), found, "{context}: what was shown is gone");
    });
}

#[test]
fn without_always_a_power_loss_costs_an_end_of_the_log_and_a_kill_nothing() {
    for fsync in [FsyncMode::Batch { interval: Duration::from_millis(1) }, FsyncMode::Disabled] {
        at_every_step(Fault::Stop, fsync, 1, |machine, told, context| {
            let found = told.check(&machine.duplicate(1), fsync, context);
            for (appended, numbers) in &told.acknowledged {
                assert!(found.contains_key(&appended.last_seq), "{context}: a kill has cost {numbers:?}");
            }
            machine.power_loss();
            let left = told.check(machine, fsync, context);
            assert!(left.iter().eq(found.iter().take(left.len())), "{context}: a hole in the log");
        });
    }
}

//! The same life where acknowledgements do not wait for syncs: the end of the process takes nothing, a power loss only what the
//! mode says, and never a part of anything.

use std::cell::Cell;

use super::*;

/// One interval is so long that nothing is synced by it, one so short that everything is soon.
const LAX: [FsyncMode; 3] = [
    FsyncMode::Disabled,
    FsyncMode::Batch { interval: Duration::from_secs(3_600) },
    FsyncMode::Batch { interval: Duration::ZERO },
];

impl World {
    /// The power is lost where not every batch was synced: the log may be shorter, but not than what was durable, and whole
    /// batches are gone, from one on. Answers how many records.
    fn forget_unsynced(&mut self, machine: &Machine, context: &str) -> u64 {
        let shard = open(machine.boot(), self.options()).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let last = shard.positions().appended;
        assert!(self.durable <= last, "{context}: {} was durable, the log ends at {last}", self.durable);
        let lost = (self.log.len() as u64).saturating_sub(last.0);
        if lost == 0 {
            return 0;
        }
        assert!(self.ends.contains(&last.0), "{context}: a part of a batch is there, up to {last}");
        self.log.truncate(usize::try_from(last.0).expect("small"));
        self.keys.retain(|_, (first, _)| *first <= last);
        self.flights.clear();
        lost
    }

    /// The shard goes on, is closed, and keeps everything over a power loss then.
    fn goes_on_until_it_is_closed(mut self, machine: &Machine, shard: Shard, context: &str) {
        self.write(&shard);
        shard.close().unwrap_or_else(|error| panic!("{context}: {error:?}"));
        drop(shard);
        machine.power_loss();
        drop(self.check(machine, &format!("{context}, after it went on")));
    }
}

#[test]
fn a_kill_at_any_step_loses_nothing_also_where_acknowledgements_do_not_wait_for_syncs() {
    for fsync in LAX {
        at_every_step_with(fsync, Fault::Stop, 1, |machine, mut world, context| {
            let shard = world.check(machine, context);
            world.goes_on_until_it_is_closed(machine, shard, context);
        });
    }
}

#[test]
fn a_power_loss_at_any_step_takes_whole_batches_from_the_end_and_nothing_that_was_synced_or_flushed() {
    for fsync in LAX {
        let lost = Cell::new(0);
        at_every_step_with(fsync, Fault::Stop, 1, |machine, mut world, context| {
            machine.power_loss();
            lost.set(lost.get() + world.forget_unsynced(machine, context));
            let shard = world.check(machine, context);
            world.goes_on_until_it_is_closed(machine, shard, context);
        });
        println!("{fsync:?}: {} acknowledged records were lost with the power", lost.get());
        assert!(lost.get() > 0 || fsync == LAX[2], "{fsync:?}: nothing was ever at risk");
    }
}

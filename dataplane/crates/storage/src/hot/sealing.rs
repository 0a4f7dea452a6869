//! Full blocks on their way to columns: off the inserting thread as long as another one keeps pace.
//!
//! A full block stays visible as it is until its columns take its place in one step. Few may wait: searches scan them as they
//! are, so whoever inserts seals the oldest itself when there are too many, or when nobody else does it.

use std::collections::VecDeque;
use std::sync::Arc;

use grepzilla_model::SeqNo;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::seal::Sealer;
use super::{FullBlock, HotTier};
use crate::block::Block;

/// How many full blocks may wait for another thread.
const WAITING_MAX: usize = 8;

/// What lies between the inserting thread and those that seal.
#[derive(Debug)]
pub(super) struct Sealing {
    desk: Mutex<Desk>,
    changed: Condvar,
    tables_max: usize,
}

#[derive(Debug, Default)]
struct Desk {
    /// Oldest first.
    waiting: VecDeque<FullBlock>,
    /// The first positions of the blocks that are being sealed.
    under_way: Vec<SeqNo>,
    /// Those that rest; each keeps the tables of shapes that it has seen.
    sealers: Vec<Sealer>,
    /// Threads in [`HotTier::seal_until_stopped`].
    threads: usize,
    stopping: bool,
}

impl Sealing {
    /// `tables_max`: see [`Sealer::new`].
    pub(super) fn new(tables_max: usize) -> Sealing {
        Sealing { desk: Mutex::default(), changed: Condvar::new(), tables_max }
    }
}

impl HotTier {
    /// Seals what others insert, until [`HotTier::stop_sealing`]. What waits then is sealed by who inserts.
    pub fn seal_until_stopped(&self) {
        let mut desk = self.sealing.desk.lock();
        desk.threads += 1;
        while !desk.stopping {
            match desk.waiting.pop_front() {
                Some(full) => self.seal(&mut desk, full),
                None => self.sealing.changed.wait(&mut desk),
            }
        }
        desk.threads -= 1;
    }

    /// Lets [`HotTier::seal_until_stopped`] return, now and later.
    pub fn stop_sealing(&self) {
        self.sealing.desk.lock().stopping = true;
        self.sealing.changed.notify_all();
    }

    /// The blocks of everything up to a position, which lies before what is open.
    pub fn sealed_upto(&self, upto: SeqNo) -> Vec<Block> {
        self.seal_upto(upto);
        let sealed = Arc::clone(&self.published.lock().sealed);
        sealed.iter().filter(|block| block.span().seq_max <= upto).cloned().collect()
    }

    /// Takes over blocks that are visible already.
    pub(super) fn hand_on(&self, full: Vec<FullBlock>) {
        if full.is_empty() {
            return;
        }
        self.wait_with(full);
        let mut desk = self.sealing.desk.lock();
        let waiting_max = if desk.threads > 0 { WAITING_MAX } else { 0 };
        while desk.waiting.len() > waiting_max {
            let full = desk.waiting.pop_front().expect("there are too many");
            self.seal(&mut desk, full);
        }
    }

    /// Takes over blocks that are visible already, and leaves them to others for now.
    pub(super) fn wait_with(&self, full: Vec<FullBlock>) {
        self.sealing.desk.lock().waiting.extend(full);
        self.sealing.changed.notify_all();
    }

    /// Returns when no block that holds a position up to this one waits.
    pub(super) fn seal_upto(&self, upto: SeqNo) {
        let mut desk = self.sealing.desk.lock();
        loop {
            // Blocks of several indexes do not wait in the order of their first positions.
            let place = desk.waiting.iter().position(|full| full.tail.span().seq_min <= upto);
            if let Some(full) = place.and_then(|place| desk.waiting.remove(place)) {
                self.seal(&mut desk, full);
            } else if desk.under_way.iter().any(|first| *first <= upto) {
                self.sealing.changed.wait(&mut desk);
            } else {
                return;
            }
        }
    }

    /// Seals one block, without the lock meanwhile, and shows it.
    fn seal(&self, desk: &mut MutexGuard<'_, Desk>, full: FullBlock) {
        let first = full.tail.span().seq_min;
        desk.under_way.push(first);
        let mut sealer = desk.sealers.pop().unwrap_or_else(|| Sealer::new(self.sealing.tables_max));
        MutexGuard::unlocked(desk, || {
            let block = sealer.seal(full.tail.index(), full.tail.documents());
            self.show_sealed(&full, block);
        });
        desk.sealers.push(sealer);
        desk.under_way.retain(|other| *other != first);
        self.sealing.changed.notify_all();
    }

    /// Shows a block in the place of the one that it was made of.
    fn show_sealed(&self, full: &FullBlock, block: Block) {
        let mut published = self.published.lock();
        published.full.retain(|other| !other.tail.is_same_block(&full.tail));
        published.stats.bytes += block.memory_bytes() as u64;
        published.stats.bytes -= full.memory_bytes;
        Arc::make_mut(&mut published.sealed).push(block);
        published.count_blocks();
    }
}

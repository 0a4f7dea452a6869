//! What the log thread does when nothing waits: the sync of [`FsyncMode::Batch`], the frame that protects the last
//! record, the end of a file that is old enough, another look at a disk that was full.

use std::time::{Duration, Instant};

use super::LogThread;
use crate::AppendError;
use crate::disk::Died;
use crate::shard::FsyncMode;

/// How long the log must be quiet before its last record is protected.
const QUIET: Duration = Duration::from_millis(50);

/// How often something that could not be done is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Where the thread stands between two groups.
pub(super) struct Pace {
    /// Since when nothing was appended.
    pub(super) quiet_since: Instant,
    /// Since when something is written and not synced.
    pub(super) unsynced_since: Option<Instant>,
    /// A batch was refused for want of space, and none was taken since.
    pub(super) full: bool,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace { quiet_since: Instant::now(), unsynced_since: None, full: false }
    }
}

impl LogThread {
    /// When something is to be done though nothing comes.
    pub(super) fn wakes_at(&self, pace: &Pace) -> Option<Instant> {
        let soon = Instant::now() + RETRY_AFTER;
        let sync_at = match self.fsync {
            FsyncMode::Batch { interval } => pace.unsynced_since.map(|since| since + interval),
            FsyncMode::Always | FsyncMode::Disabled => None,
        };
        let protect_at = (self.log.needs_protection() && self.log.is_synced()).then(|| pace.quiet_since + QUIET);
        let rotate_at =
            self.log.rotates_at(self.age_max).map(|at| if self.log.next_is_ready() { at } else { at.max(soon) });
        let full_at = pace.full.then_some(soon);
        [sync_at, protect_at, rotate_at, full_at].into_iter().flatten().min()
    }

    pub(super) fn keep_house(&mut self, pace: &mut Pace) -> Result<(), Died> {
        let now = Instant::now();
        let changed =
            self.sync_if_due(now, pace)? | self.protect_if_quiet(now, pace)? | self.rotate_if_old(now, pace)?;
        if changed {
            self.publish();
        }
        if pace.full && self.log.next_is_ready() {
            pace.full = false;
            self.queue.set_full(false);
        }
        Ok(())
    }

    fn sync_if_due(&mut self, now: Instant, pace: &mut Pace) -> Result<bool, Died> {
        let FsyncMode::Batch { interval } = self.fsync else { return Ok(false) };
        let due = pace.unsynced_since.is_some_and(|since| since + interval <= now);
        if due {
            self.log.sync()?;
            pace.unsynced_since = None;
        }
        Ok(due)
    }

    fn protect_if_quiet(&mut self, now: Instant, pace: &Pace) -> Result<bool, Died> {
        let due = self.log.needs_protection() && self.log.is_synced() && pace.quiet_since + QUIET <= now;
        if due {
            self.log.protect()?;
        }
        Ok(due)
    }

    fn rotate_if_old(&mut self, now: Instant, pace: &mut Pace) -> Result<bool, Died> {
        let old = self.log.rotates_at(self.age_max).is_some_and(|at| at <= now);
        if !old || !self.log.next_is_ready() {
            return Ok(false);
        }
        match self.log.rotate() {
            Ok(()) => {
                pace.unsynced_since = None;
                Ok(true)
            }
            Err(AppendError::Died(died)) => Err(died),
            // The file stays in use; it is tried again.
            Err(_) => Ok(false),
        }
    }
}

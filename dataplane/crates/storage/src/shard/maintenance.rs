//! From the hot tier to segments, and from segments to the manifest: what happens behind the writes.
//!
//! A flush makes a segment of everything that is committed and shows it in the same moment in which the hot tier lets go.
//! A merge makes one segment of several. Both are local: they last when they are *published*, which somebody else does
//! between [`Maintenance::next_manifest`] and [`Maintenance::published`]. Until then a restart goes back to the last
//! published segments and the log behind them, so neither log nor files are removed before.
//!
//! What is shown is always what the next manifest says. Locks are taken in the order of the fields.

mod files;
mod flush;
mod merge;
mod publish;
mod retention;

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::manifest::SegmentName;
use grepzilla_model::{Manifest, SeqNo, TimeNs};
use parking_lot::{Mutex, MutexGuard};

use super::contents::Contents;
use super::horizon::Horizon;
use super::options::ShardOptions;
use super::queue::{Queue, Request};
use crate::replica::ReplicaFolder;
use crate::segment::OpenSegmentError;
use crate::{AppendError, MaintenanceError};

use files::names;
pub(super) use files::{OpenedSegments, open_segments};

/// What was flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// The segment.
    pub name: SegmentName,
    /// The documents in it.
    pub documents: u64,
    /// Their bytes as they were stored.
    pub raw_bytes: u64,
    /// The bytes of the file.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// What was merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// The new segment.
    pub name: SegmentName,
    /// How many segments it was made of.
    pub segments: usize,
    /// The documents that it does not hold any more, because they were superseded long enough ago.
    pub dropped: u64,
    /// The bytes of the files that were read and of the one that was written.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// What retention has dropped as whole segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// How many segments.
    pub segments: usize,
    /// The documents in them.
    pub documents: u64,
    /// Everything up to this position is gone.
    pub base: SeqNo,
}

/// What maintenance has done since the shard was opened, and what there is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MaintenanceStats {
    /// Flushes that made a segment.
    pub flushes: u64,
    /// The time that they took, in seconds.
    pub flush_seconds: f64,
    /// Merges that made a segment.
    pub merges: u64,
    /// The time that they took, in seconds.
    pub merge_seconds: f64,
    /// The bytes of files that merges read and wrote.
    pub merge_bytes: u64,
    /// Manifests that were published.
    pub publishes: u64,
    /// Documents that retention has dropped.
    pub retained_documents: u64,
    /// Their bytes as they were stored.
    pub retained_bytes: u64,
    /// Segments now.
    pub segments: u64,
    /// The bytes of their files.
    pub segment_bytes: u64,
}

/// The maintenance of one shard.
pub(super) struct Maintenance {
    merging: Mutex<()>,
    work: Mutex<Work>,
    stats: Mutex<MaintenanceStats>,
    /// A copy of the published manifest, for those who do not wait for a flush.
    manifest: Mutex<Manifest>,
    folder: Arc<ReplicaFolder>,
    contents: Arc<Contents>,
    queue: Arc<Queue>,
    options: ShardOptions,
}

/// What is changed by one at a time.
#[derive(Debug)]
struct Work {
    published: Manifest,
    /// The store's manifest is known to be the one above.
    adopted: bool,
    /// The manifest above is on the disk.
    recorded: bool,
    /// Names of files that are not shown any more and may still be named by the published manifest.
    retired: Vec<String>,
    horizon: Horizon,
    /// The moment at which retention was looked at last.
    now: TimeNs,
}

impl Maintenance {
    pub(super) fn new(
        folder: Arc<ReplicaFolder>,
        contents: Arc<Contents>,
        queue: Arc<Queue>,
        options: ShardOptions,
        published: Manifest,
    ) -> Maintenance {
        let horizon = Horizon::new(options.cursor_ttl);
        let manifest = Mutex::new(published.clone());
        // What was damaged and is in the log again is named until that is flushed and published.
        let shown = names(&contents.list().entries());
        let retired = names(&published.segments).difference(&shown).cloned().collect();
        let work =
            Mutex::new(Work { published, adopted: false, recorded: true, retired, horizon, now: TimeNs(i64::MIN) });
        let (merging, stats) = (Mutex::default(), Mutex::default());
        Maintenance { merging, work, stats, manifest, folder, contents, queue, options }
    }

    /// The last manifest that was published.
    pub(super) fn manifest(&self) -> Manifest {
        self.manifest.lock().clone()
    }

    pub(super) fn stats(&self) -> MaintenanceStats {
        let list = self.contents.list();
        let segment_bytes = list.live().iter().map(|live| live.entry.bytes).sum();
        MaintenanceStats { segments: list.live().len() as u64, segment_bytes, ..*self.stats.lock() }
    }

    /// Whether there are so many segments that they must be merged.
    pub(super) fn must_merge(&self) -> bool {
        self.contents.list().live().len() > self.options.segments_max
    }

    /// The state, if it may be changed.
    fn begin(&self) -> Result<MutexGuard<'_, Work>, MaintenanceError> {
        self.refuse_damaged()?;
        let work = self.work.lock();
        if work.adopted { Ok(work) } else { Err(MaintenanceError::NotAdopted) }
    }

    fn refuse_damaged(&self) -> Result<(), MaintenanceError> {
        let list = self.contents.list();
        list.damage().first().map_or(Ok(()), |damage| Err(MaintenanceError::Damaged(Box::new(damage.clone()))))
    }

    /// Does a piece of work. A segment that turns out to be damaged is left out from then on.
    fn heedful<T>(&self, work: impl FnOnce() -> Result<T, MaintenanceError>) -> Result<T, MaintenanceError> {
        use MaintenanceError::{Open, Read};
        work().inspect_err(|error| {
            if let Read(error) | Open(OpenSegmentError::Read(error)) = error {
                self.contents.distrust(error);
            }
        })
    }

    /// Asks the log thread and waits.
    fn ask<T>(
        &self,
        request: impl FnOnce(std::sync::mpsc::SyncSender<Result<T, AppendError>>) -> Request,
    ) -> Result<T, MaintenanceError> {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.queue.push(request(answer))?;
        Ok(answered.recv().unwrap_or(Err(AppendError::Closed))?)
    }
}

impl Work {
    /// Up to where positions are old enough to be forgotten: no cursor is that old, and segments hold the records that
    /// superseded what stood there.
    fn forgettable(&mut self, committed: SeqNo, flushed: SeqNo) -> SeqNo {
        self.horizon.observe(Instant::now(), committed).min(flushed)
    }
}

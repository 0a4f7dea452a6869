//! What opening a shard finds: the segments of the last manifest, and what the log holds behind them.
//!
//! One thread reads and checks the log, another one shows what is in it, so that a start takes as long as the slower of the
//! two.

use std::cell::Cell;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use grepzilla_model::{Batch, Epoch, Manifest, SegmentEntry, SeqNo};

use super::contents::Contents;
use super::damage::Damage;
use super::keys::{KeyWindow, entry_of};
use super::maintenance::{OpenedSegments, open_segments};
use super::options::ShardOptions;
use super::state::{OpenProgress, ReplayStats};
use crate::replica::ReplicaFolder;
use crate::segment::OpenSegmentError;
use crate::wal::{Log, LogSizes, begins_at, recover};
use crate::{OpenError, ReadError};

/// How many batches are read ahead of being shown: of at most 16 MiB each, and mostly a few KiB.
const BATCHES_AHEAD: usize = 16;

/// What was found.
pub(super) struct Opened {
    pub(super) manifest: Manifest,
    pub(super) log: Log,
    pub(super) keys: KeyWindow,
    pub(super) replay: ReplayStats,
}

/// Opens the segments and replays the log.
pub(super) fn open(
    folder: &ReplicaFolder,
    contents: &Contents,
    options: &ShardOptions,
    progress: &dyn Fn(OpenProgress),
) -> Result<Opened, OpenError> {
    let manifest = folder.manifest()?;
    let all = manifest.segments.len();
    let opened = |opened| progress(OpenProgress::Segments { opened, all });
    let OpenedSegments { mut usable, unusable } = open_segments(folder, &manifest, &options.cache, &opened)?;
    let mut damage = Vec::new();
    for (entry, error) in unusable {
        damage.push(set_aside(folder, &entry, error)?);
    }
    let held = held_by_segments(folder, &manifest, &damage)?;
    usable.retain(|(new, _)| new.entry.name.last <= held);
    damage.retain(|damage| damage.segment.last <= held);
    let mut keys = KeyWindow::new(options.key_age_max, options.keys_max);
    let mut segments = Vec::with_capacity(usable.len());
    for (new, keys_of_segment) in usable {
        keys_of_segment.into_iter().for_each(|key| keys.remember(key));
        segments.push(new);
    }
    contents.lack(damage);
    contents.show(manifest.base, held, segments, &[]);

    let began = Instant::now();
    let read_bytes = Cell::new(0);
    let heard = |done, all_bytes| {
        read_bytes.set(done);
        progress(OpenProgress::Log { read_bytes: done, all_bytes });
    };
    let sizes = LogSizes::new(options.wal_bytes_max);
    let (log, keys) = replay(folder, sizes, (held, manifest.flushed), keys, contents, &heard)?;
    let replay = ReplayStats { bytes: read_bytes.get(), seconds: began.elapsed().as_secs_f64() };
    Ok(Opened { manifest, log, keys, replay })
}

/// Up to where segments hold the records: from the first damaged one on the log is asked again, if it still has them.
fn held_by_segments(folder: &ReplicaFolder, manifest: &Manifest, damage: &[Damage]) -> Result<SeqNo, OpenError> {
    if damage.is_empty() {
        return Ok(manifest.flushed);
    }
    let log_begins = begins_at(folder)?.unwrap_or(SeqNo(u64::MAX));
    let Some(damage) = damage.iter().find(|damage| log_begins <= damage.segment.first) else {
        return Ok(manifest.flushed);
    };
    let (segment, from) = (damage.segment, damage.segment.first);
    tracing::warn!(%segment, from_seq = %from, "the log still has what a damaged segment held: it is read from there");
    Ok(SeqNo(from.0 - 1))
}

fn replay(
    folder: &ReplicaFolder,
    sizes: LogSizes,
    (held, flushed): (SeqNo, SeqNo),
    keys: KeyWindow,
    contents: &Contents,
    progress: &dyn Fn(u64, u64),
) -> Result<(Log, KeyWindow), OpenError> {
    let (sender, receiver) = sync_channel(BATCHES_AHEAD);
    std::thread::scope(|scope| {
        let shower = scope.spawn(move || show(&receiver, held, keys, contents));
        let mut hand_on = |epoch, first, batch| {
            // Nobody receives only after a panic, which the join below passes on.
            let _received = sender.send((epoch, first, batch));
        };
        let log = recover(folder, sizes, held, flushed, &mut hand_on, progress).inspect_err(|error| {
            if let OpenError::Corrupt(corruption) = error {
                folder.quarantine(corruption);
            }
        });
        drop(sender);
        let keys = shower.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((log?, keys))
    })
}

/// Shows what is behind `held`, in order.
fn show(batches: &Receiver<(Epoch, SeqNo, Batch)>, held: SeqNo, mut keys: KeyWindow, contents: &Contents) -> KeyWindow {
    for (epoch, first, mut batch) in batches {
        if let Some(entry) = entry_of(&batch, epoch, first) {
            keys.remember(entry);
        }
        let flushed = held.plus(1).0.saturating_sub(first.0);
        batch.records.drain(..usize::try_from(flushed).unwrap_or(usize::MAX).min(batch.records.len()));
        contents.add(epoch, first.plus(flushed), batch);
    }
    keys
}

/// Sets a segment that does not open aside, and says what is missing without it. A newer format is no damage, and neither is
/// a disk that does not answer: they refuse the shard.
fn set_aside(folder: &ReplicaFolder, entry: &SegmentEntry, error: OpenSegmentError) -> Result<Damage, OpenError> {
    let error = match error {
        OpenSegmentError::NewerFormat { path, format, min_reader, supported } => {
            return Err(OpenError::NewerFormat { path, format, min_reader, supported });
        }
        OpenSegmentError::OtherFold { path, found, supported } => {
            return Err(OpenError::NewerFormat { path, format: found, min_reader: found, supported });
        }
        OpenSegmentError::Read(error) => error,
    };
    match &error {
        ReadError::Corrupt(corruption) => {
            folder.set_segment_aside(corruption);
            Ok(Damage::new(entry, error.reason()))
        }
        ReadError::Disk(gone) if gone.source.kind() == ErrorKind::NotFound => {
            let reason = format!("{} is not there: it may have been set aside before", gone.path.display());
            tracing::error!(segment = %entry.name, reason, "a segment is gone");
            Ok(Damage::new(entry, reason))
        }
        ReadError::Disk(error) => Err(OpenError::Segment(Arc::clone(error))),
    }
}

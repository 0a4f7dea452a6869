//! What opening a shard finds: the segments of the last manifest, and what the log holds behind them.
//!
//! One thread reads and checks the log, another one shows what is in it, so that a start takes as long as the slower of the
//! two.

use std::cell::Cell;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use grepzilla_model::{Batch, Epoch, Manifest, SeqNo};

use super::contents::Contents;
use super::keys::{KeyWindow, entry_of};
use super::maintenance::open_segments;
use super::options::ShardOptions;
use super::state::ReplayStats;
use crate::disk::DiskError;
use crate::replica::ReplicaFolder;
use crate::segment::OpenSegmentError;
use crate::wal::{Log, LogSizes, recover};
use crate::{Corruption, OpenError, ReadError};

/// How many batches are read ahead of being shown: of at most 16 MiB each, and mostly a few KiB.
const BATCHES_AHEAD: usize = 16;

/// What was found.
pub(super) struct Opened {
    pub(super) manifest: Manifest,
    pub(super) log: Log,
    pub(super) keys: KeyWindow,
    pub(super) replay: ReplayStats,
    /// What of the manifest's segments cannot be read.
    pub(super) damaged: Vec<Corruption>,
}

/// Opens the segments and replays the log.
pub(super) fn open(
    folder: &ReplicaFolder,
    contents: &Contents,
    options: &ShardOptions,
    progress: &dyn Fn(u64, u64),
) -> Result<Opened, OpenError> {
    let manifest = folder.manifest()?;
    let mut damaged = Vec::new();
    let (segments, unusable) = open_segments(folder, &manifest, &options.cache)?;
    for error in unusable {
        damaged.push(damage_of_segment(error)?);
    }
    let mut keys = KeyWindow::new(options.key_age_max, options.keys_max);
    for segment in &segments {
        match segment.segment.keys() {
            Ok(found) => found.into_iter().for_each(|key| keys.remember(key)),
            // A repeat might be taken for new, but nothing is written to a damaged shard.
            Err(error) => damaged.push(damage(error)?),
        }
    }
    contents.show(manifest.base, manifest.flushed, segments, &[]);

    let began = Instant::now();
    let read_bytes = Cell::new(0);
    let heard = |done, total| {
        read_bytes.set(done);
        progress(done, total);
    };
    let sizes = LogSizes::new(options.wal_bytes_max);
    let (log, keys, noted) = replay(folder, sizes, manifest.flushed, keys, contents, &heard)?;
    if let Err(error) = noted {
        damaged.push(damage(error)?);
    }
    let replay = ReplayStats { bytes: read_bytes.get(), seconds: began.elapsed().as_secs_f64() };
    Ok(Opened { manifest, log, keys, replay, damaged })
}

type Shown = (KeyWindow, Result<(), ReadError>);

fn replay(
    folder: &ReplicaFolder,
    sizes: LogSizes,
    flushed: SeqNo,
    keys: KeyWindow,
    contents: &Contents,
    progress: &dyn Fn(u64, u64),
) -> Result<(Log, KeyWindow, Result<(), ReadError>), OpenError> {
    let (sender, receiver) = sync_channel(BATCHES_AHEAD);
    std::thread::scope(|scope| {
        let shower = scope.spawn(move || show(&receiver, flushed, keys, contents));
        let mut hand_on = |epoch, first, batch| {
            // Nobody receives only after a panic, which the join below passes on.
            let _received = sender.send((epoch, first, batch));
        };
        let log = recover(folder, sizes, flushed, &mut hand_on, progress).inspect_err(|error| {
            if let OpenError::Corrupt(corruption) = error {
                folder.quarantine(corruption);
            }
        });
        drop(sender);
        let (keys, noted) = shower.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((log?, keys, noted))
    })
}

/// Shows what is behind `flushed`, in order. Answers the first error of a segment in which an older version was sought.
fn show(batches: &Receiver<(Epoch, SeqNo, Batch)>, flushed: SeqNo, mut keys: KeyWindow, contents: &Contents) -> Shown {
    let mut noted = Ok(());
    for (epoch, first, mut batch) in batches {
        if let Some(entry) = entry_of(&batch, epoch, first) {
            keys.remember(entry);
        }
        let held = flushed.plus(1).0.saturating_sub(first.0);
        batch.records.drain(..usize::try_from(held).unwrap_or(usize::MAX).min(batch.records.len()));
        let added = contents.add(epoch, first.plus(held), batch);
        noted = noted.and(added);
    }
    (keys, noted)
}

/// What is damaged in a segment that does not open. A newer format is no damage, and refuses the shard.
fn damage_of_segment(error: OpenSegmentError) -> Result<Corruption, OpenError> {
    match error {
        OpenSegmentError::NewerFormat { path, format, min_reader, supported } => {
            Err(OpenError::NewerFormat { path, format, min_reader, supported })
        }
        OpenSegmentError::OtherFold { path, found, supported } => {
            Err(OpenError::NewerFormat { path, format: found, min_reader: found, supported })
        }
        OpenSegmentError::Read(error) => damage(error),
    }
}

/// What is damaged in a segment that cannot be read. A disk that does not answer is no damage, but a file that is gone is.
fn damage(error: ReadError) -> Result<Corruption, OpenError> {
    match error {
        ReadError::Corrupt(corruption) => Ok(corruption),
        ReadError::Disk(error) if error.source.kind() == ErrorKind::NotFound => Ok(gone(&error)),
        ReadError::Disk(error) => Err(OpenError::Segment(error)),
    }
}

fn gone(error: &Arc<DiskError>) -> Corruption {
    let (expected, found) = ("a file that the manifest names".into(), "no such file".into());
    Corruption { path: error.path.clone(), offset: 0, expected, found }
}

//! Brings a log back: reads what is there, decides how it ends, and makes it fit to be appended to.
//!
//! Records that segments hold are not handed on, and the files that held only such may be gone.
//!
//! Nothing is changed before every byte has been read and the end is known. Then, in this order, so that a crash at
//! any step leaves what the next start understands: the unproven frames are copied behind the header of a prepared
//! file and synced; its header makes it part of the log and is synced; only then are the files removed that it
//! replaces; last, the checkpoint says how far the log is durable.

mod inventory;
mod replay;
mod resume;
mod tail;
#[cfg(test)]
mod tests;

use std::path::Path;

use grepzilla_model::{Batch, Epoch, SeqNo};

use super::frame::Mismatch;
use super::log::Log;
use super::sizes::LogSizes;
use crate::replica::ReplicaFolder;
use crate::{Corruption, OpenError};

use inventory::Inventory;
use replay::End;
use tail::Tails;

pub(super) use resume::Resumed;

/// Hears each batch of the log: its epoch, the sequence number of its first record, and the batch.
pub(crate) type OnBatch<'a> = dyn FnMut(Epoch, SeqNo, Batch) + 'a;

/// The first record that the log of a folder still has. `None`: it has none, or its beginning cannot be read.
pub(crate) fn begins_at(folder: &ReplicaFolder) -> Result<Option<SeqNo>, OpenError> {
    let inventory = inventory::take(folder)?;
    match replay::start(&inventory, SeqNo(u64::MAX - 1)) {
        Ok(start) => Ok((!inventory.log.is_empty()).then_some(start.next_seq)),
        // Recovery says what is wrong with it.
        Err(OpenError::Corrupt(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Recovers the log of a folder, of which segments hold everything up to `held`. Every good batch that reaches behind
/// that goes to `on_batch`, in order and once; `progress` hears the bytes read and the bytes in all. On return all of
/// them are durable. `flushed` is the last record that the manifest knows as durable.
pub(crate) fn recover(
    folder: &ReplicaFolder,
    sizes: LogSizes,
    held: SeqNo,
    flushed: SeqNo,
    on_batch: &mut OnBatch<'_>,
    progress: &dyn Fn(u64, u64),
) -> Result<Log, OpenError> {
    let survey = survey(folder, held, flushed, on_batch, progress)?;
    let resumed = resume::resume(folder, survey, sizes)?;
    let log = Log::open(folder, sizes, resumed);
    folder.record_checkpoint(log.checkpoint())?;
    Ok(log)
}

/// What was found, all of it good enough to go on with.
#[derive(Debug)]
struct Survey {
    inventory: Inventory,
    end: End,
    tails: Tails,
}

/// Reads everything and changes nothing.
fn survey(
    folder: &ReplicaFolder,
    held: SeqNo,
    flushed: SeqNo,
    on_batch: &mut OnBatch<'_>,
    progress: &dyn Fn(u64, u64),
) -> Result<Survey, OpenError> {
    let inventory = inventory::take(folder)?;
    let checkpoint = folder.checkpoint()?;
    let end = replay::replay(&inventory, held, on_batch, progress)?;
    let tails = tail::judge(&inventory, &end, checkpoint, flushed)?;
    Ok(Survey { inventory, end, tails })
}

fn corrupt(path: &Path, offset: u64, mismatch: Mismatch) -> OpenError {
    let Mismatch { expected, found } = mismatch;
    OpenError::Corrupt(Corruption { path: path.to_owned(), offset, expected, found })
}

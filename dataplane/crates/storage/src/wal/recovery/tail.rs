//! Tells a torn tail from corruption.
//!
//! An interrupted write leaves anything behind the last frame that was synced: nothing, zeros, a part, even later
//! frames without earlier ones. It never leaves less than what was synced. So what follows the last good frame of the
//! last file is corruption exactly if something durable lies behind it:
//!
//! - a later frame of the file says that more was durable when it was written, or
//! - the checkpoint names a later record or file, or the manifest a later record, or
//! - the file is sealed, and the successor, made durable before, is not there, or
//! - a file that was never begun, says its header, holds frames written after a sync of it.
//!
//! Zeros prove nothing either way.

use grepzilla_model::SeqNo;

use super::corrupt;
use super::inventory::{Inventory, LogFile};
use super::replay::{End, LastFile};
use crate::OpenError;
use crate::replica::Checkpoint;
use crate::wal::file_header::FILE_HEADER_BYTES;
use crate::wal::frame::Mismatch;
use crate::wal::name::FileNo;
use crate::wal::reader::{LogPosition, search_remains};

/// What an interrupted process left behind.
#[derive(Debug, Default)]
pub(super) struct Tails {
    /// Whether the log's last file has a torn tail.
    pub(super) torn: bool,
    /// Prepared files that are not empty.
    pub(super) unclean: Vec<FileNo>,
}

/// Answers `Ok` if the log may go on from where its good frames end.
pub(super) fn judge(
    inventory: &Inventory,
    end: &End,
    checkpoint: Option<Checkpoint>,
    flushed: SeqNo,
) -> Result<Tails, OpenError> {
    let mut tails = Tails::default();
    for file in &inventory.prepared {
        if is_unclean(file)? {
            tails.unclean.push(file.header.file_no);
        }
    }
    if let Some((file, last)) = inventory.log.last().zip(end.last.as_ref()) {
        judge_successor(inventory, file, last)?;
        tails.torn = is_torn(file, last)?;
    }
    if let Some(checkpoint) = checkpoint {
        judge_checkpoint(inventory, end, checkpoint)?;
    }
    // The log was durable up to there before the manifest said so, and its last record is never trimmed.
    if flushed >= end.position.next_seq {
        return Err(ends_early(
            inventory,
            end,
            format!("record {flushed} at least, which the manifest knows as durable"),
        ));
    }
    Ok(tails)
}

/// The first frames of a file are written together with its header, so a sync that covered them covered it.
fn is_unclean(file: &LogFile) -> Result<bool, OpenError> {
    let remains = search_remains(&file.file, file.header.nonce, FILE_HEADER_BYTES as u64, file.bytes)?;
    if let Some((at, _)) = remains.proof.filter(|(_, synced_upto)| *synced_upto > 0) {
        let expected = format!("a begun file, because the frame at {at} was written after a sync");
        return Err(corrupt(file.path(), 88, Mismatch::new(expected, "one that is prepared only")));
    }
    Ok(remains.any)
}

fn judge_successor(inventory: &Inventory, file: &LogFile, last: &LastFile) -> Result<(), OpenError> {
    let Some(named) = last.sealed_for else { return Ok(()) };
    if inventory.prepared.iter().any(|prepared| prepared.header.file_no == named) {
        return Ok(());
    }
    let expected = format!("file {named}, which its SEAL names");
    Err(corrupt(file.path(), last.offset, Mismatch::new(expected, "no such file")))
}

fn is_torn(file: &LogFile, last: &LastFile) -> Result<bool, OpenError> {
    let remains = search_remains(&file.file, file.header.nonce, last.offset, file.bytes)?;
    if let Some((at, synced_upto)) = remains.proof.filter(|(_, synced_upto)| *synced_upto > last.offset) {
        let mismatch = missing(last);
        let expected = format!("{}, because the frame at {at} knows {synced_upto} as durable", mismatch.expected);
        return Err(corrupt(file.path(), last.offset, Mismatch { expected, ..mismatch }));
    }
    if remains.any {
        let mismatch = missing(last);
        tracing::warn!(
            path = %file.path().display(),
            offset = last.offset,
            expected = mismatch.expected,
            found = mismatch.found,
            "cut a torn tail, of which nothing was acknowledged as durable"
        );
    }
    Ok(remains.any)
}

fn judge_checkpoint(inventory: &Inventory, end: &End, checkpoint: Checkpoint) -> Result<(), OpenError> {
    let newest = inventory.log.last();
    let file_no = newest.map_or(0, |file| file.header.file_no.0);
    let LogPosition { epoch, next_seq } = end.position;
    if checkpoint.file_no <= file_no && checkpoint.epoch <= epoch && checkpoint.seq < next_seq {
        return Ok(());
    }
    let expected = format!(
        "record {} of epoch {} in file {} at least, which the checkpoint knows as durable",
        checkpoint.seq, checkpoint.epoch, checkpoint.file_no
    );
    Err(ends_early(inventory, end, expected))
}

fn ends_early(inventory: &Inventory, end: &End, expected: String) -> OpenError {
    let LogPosition { epoch, next_seq } = end.position;
    let newest = inventory.log.last();
    let file_no = newest.map_or(0, |file| file.header.file_no.0);
    let found = format!("the end before record {next_seq} of epoch {epoch} in file {file_no}");
    let (path, offset) = match newest.zip(end.last.as_ref()) {
        Some((file, last)) => (file.path().to_owned(), last.offset),
        None => (inventory.dir.clone(), 0),
    };
    corrupt(&path, offset, Mismatch { expected, found })
}

fn missing(last: &LastFile) -> Mismatch {
    last.mismatch.clone().unwrap_or_else(|| Mismatch::new("nothing behind the last frame", "bytes that are not zero"))
}

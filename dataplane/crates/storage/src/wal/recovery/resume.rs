//! Makes a recovered log fit to be appended to: a fresh file, with what was unproven in it and synced.

use std::path::PathBuf;

use grepzilla_model::SeqNo;

use super::inventory::{Inventory, LogFile};
use super::replay::{End, Ended, LastFile};
use super::tail::Tails;
use super::{Survey, corrupt};
use crate::OpenError;
use crate::disk::{DiskError, Verb, sync_dir};
use crate::replica::ReplicaFolder;
use crate::wal::file_header::{FILE_HEADER_BYTES, Previous};
use crate::wal::frame::{FrameType, Mismatch, frame_bytes};
use crate::wal::name::FileNo;
use crate::wal::reader::{FrameReader, LogPosition, ReadError};
use crate::wal::sealed::{SealedFile, SealedFiles};
use crate::wal::sizes::LogSizes;
use crate::wal::writer::{NewFrame, Payload, PreparedFile, WalFile, new_header};

/// How many bytes of copied frames are written at once.
const COPY_BYTES: u64 = 1 << 20;

/// A log that can be appended to.
#[derive(Debug)]
pub(in crate::wal) struct Resumed {
    pub(in crate::wal) file: WalFile,
    /// The first record of the log.
    pub(in crate::wal) begins: SeqNo,
    pub(in crate::wal) position: LogPosition,
    /// The files before `file`.
    pub(in crate::wal) before: SealedFiles,
    /// The greatest number given to a file.
    pub(in crate::wal) last_file_no: FileNo,
    /// Whether `file` holds frames already.
    pub(in crate::wal) copied: bool,
    /// How many files had bytes behind their last frame.
    pub(in crate::wal) torn_tails: u64,
}

/// What becomes of the last file.
enum LastPart<'a> {
    /// There is none.
    None,
    /// Too little of it is proven to keep it: all is copied, and it goes.
    Replaced(&'a LogFile, &'a LastFile),
    /// Its proven part stays and the rest is copied.
    Kept(&'a LogFile, &'a LastFile, Previous),
}

/// Goes on where the good frames end. See the order of steps in the parent's text.
pub(super) fn resume(folder: &ReplicaFolder, survey: Survey, sizes: LogSizes) -> Result<Resumed, OpenError> {
    let Survey { mut inventory, end, tails } = survey;
    let prepared = std::mem::take(&mut inventory.prepared);
    let mut last_file_no = inventory.last_file_no;
    let part = last_part(&inventory, &end, sizes)?;
    let (fresh, unused) = fresh_file(folder, prepared, &tails, &part, &mut last_file_no, &end, sizes)?;
    let mut file = WalFile::begin(fresh, part.previous());
    let first_copied = part.copy_into(&mut file)?;
    file.sync()?;
    file.write_header()?;
    file.sync()?;

    let mut before: SealedFiles = inventory.log.iter().zip(&end.before).map(sealed_file).collect();
    let mut leftovers = inventory.leftovers.clone();
    leftovers.extend(unused);
    match part {
        LastPart::None => {}
        LastPart::Replaced(last, _) => leftovers.push(last.path().to_owned()),
        LastPart::Kept(last, _, kept) => {
            let last_seq = SeqNo(first_copied.unwrap_or(end.position.next_seq).0 - 1);
            let bytes = kept.length - FILE_HEADER_BYTES as u64;
            before.push(sealed_file((last, &Ended { last_seq, bytes })));
            last.file.give_back(kept.length);
        }
    }
    remove(folder, &leftovers)?;
    give_back(&inventory);
    Ok(Resumed {
        file,
        begins: end.begins,
        position: end.position,
        before,
        last_file_no,
        copied: first_copied.is_some(),
        torn_tails: u64::from(tails.torn) + tails.unclean.len() as u64,
    })
}

fn sealed_file((file, ended): (&LogFile, &Ended)) -> SealedFile {
    SealedFile { path: file.path().to_owned(), last_seq: ended.last_seq, bytes: ended.bytes }
}

fn last_part<'a>(inventory: &'a Inventory, end: &'a End, sizes: LogSizes) -> Result<LastPart<'a>, OpenError> {
    let Some((file, last)) = inventory.log.last().zip(end.last.as_ref()) else { return Ok(LastPart::None) };
    if last.proven.saturating_sub(FILE_HEADER_BYTES as u64) < sizes.kept_from() {
        return Ok(LastPart::Replaced(file, last));
    }
    let mut reader = reader(file, last);
    while reader.offset() < last.proven {
        next_again(file, &mut reader)?;
    }
    if reader.offset() != last.proven {
        let expected = format!("a frame to start at {}, which a later one knows as durable", last.proven);
        return Err(corrupt(file.path(), last.proven, Mismatch::new(expected, "the middle of one")));
    }
    let kept = Previous { file_no: file.header.file_no, length: last.proven, chain: reader.chain() };
    Ok(LastPart::Kept(file, last, kept))
}

impl LastPart<'_> {
    /// What stands before the fresh file.
    fn previous(&self) -> Option<Previous> {
        match self {
            LastPart::None => None,
            LastPart::Replaced(file, _) => file.previous(),
            LastPart::Kept(_, _, kept) => Some(*kept),
        }
    }

    /// The bytes of frames that are to be copied, those that are left out included.
    fn bytes(&self) -> u64 {
        match self {
            LastPart::None => 0,
            LastPart::Replaced(_, last) => last.offset - FILE_HEADER_BYTES as u64,
            LastPart::Kept(_, last, kept) => last.offset - kept.length,
        }
    }

    /// Copies the records behind the header of a file that is not begun yet. Answers the first one. What is each file's
    /// own, PAD and SEAL, is left out.
    fn copy_into(&self, fresh: &mut WalFile) -> Result<Option<SeqNo>, OpenError> {
        let (file, last, from) = match self {
            LastPart::None => {
                fresh.write_behind_header()?;
                return Ok(None);
            }
            LastPart::Replaced(file, last) => (*file, *last, 0),
            LastPart::Kept(file, last, kept) => (*file, *last, kept.length),
        };
        let mut reader = reader(file, last);
        let mut gathered_from = fresh.end();
        let mut first = None;
        while reader.offset() < last.offset {
            let frame = next_again(file, &mut reader)?;
            if frame.offset < from || !matches!(frame.header.kind, FrameType::Data | FrameType::EpochStart) {
                continue;
            }
            first.get_or_insert(frame.header.first_seq);
            fresh.push(NewFrame {
                kind: frame.header.kind,
                compressed: frame.header.compressed,
                first_seq: frame.header.first_seq,
                epoch: frame.header.epoch,
                commit: frame.header.commit,
                payload: Payload::Bytes(frame.payload),
            });
            if fresh.end() - gathered_from >= COPY_BYTES {
                fresh.write_behind_header()?;
                gathered_from = fresh.end();
            }
        }
        fresh.write_behind_header()?;
        Ok(first)
    }
}

/// A file prepared before the restart, if one has the room and holds nothing, else a new one; and the names of those
/// that are of no use.
fn fresh_file(
    folder: &ReplicaFolder,
    prepared: Vec<LogFile>,
    tails: &Tails,
    part: &LastPart<'_>,
    last_file_no: &mut FileNo,
    end: &End,
    sizes: LogSizes,
) -> Result<(PreparedFile, Vec<PathBuf>), OpenError> {
    let needed = FILE_HEADER_BYTES as u64 + part.bytes() + frame_bytes(0) * 4;
    let newest = match part {
        LastPart::None => FileNo(0),
        LastPart::Replaced(file, _) | LastPart::Kept(file, _, _) => file.header.file_no,
    };
    let (mut fresh, mut unused) = (None, Vec::new());
    for LogFile { file, header, bytes } in prepared.into_iter().rev() {
        let clean = !tails.unclean.contains(&header.file_no);
        if clean && fresh.is_none() && bytes >= needed && header.file_no > newest {
            fresh = Some(PreparedFile { file, header, capacity: bytes });
        } else {
            unused.push(file.path().to_owned());
        }
    }
    if let Some(fresh) = fresh {
        return Ok((fresh, unused));
    }
    *last_file_no = FileNo(last_file_no.0 + 1);
    let header = new_header(folder.owner(), end.position.epoch, *last_file_no);
    Ok((PreparedFile::make(folder.disk(), folder.dir(), header, sizes.first().max(needed))?, unused))
}

fn reader<'a>(file: &'a LogFile, last: &LastFile) -> FrameReader<'a> {
    FrameReader::new(&file.file, file.header.nonce, file.header.chain(), last.offset)
}

/// The next frame of what was found good a moment ago.
fn next_again<'a>(file: &LogFile, reader: &'a mut FrameReader<'_>) -> Result<crate::wal::reader::Frame<'a>, OpenError> {
    let offset = reader.offset();
    match reader.next() {
        Ok(Some(frame)) => Ok(frame),
        Ok(None) => Err(corrupt(file.path(), offset, Mismatch::new("the frame that was read before", "none"))),
        Err(ReadError::Invalid { offset, mismatch }) => Err(corrupt(file.path(), offset, mismatch)),
        Err(ReadError::Disk(error)) => Err(error.into()),
    }
}

/// Cuts the files that a crash kept from being cut when they were sealed.
fn give_back(inventory: &Inventory) {
    for pair in inventory.log.windows(2) {
        if let Some(stated) = pair[1].previous().filter(|stated| stated.length < pair[0].bytes) {
            pair[0].file.give_back(stated.length);
        }
    }
}

fn remove(folder: &ReplicaFolder, leftovers: &[PathBuf]) -> Result<(), OpenError> {
    if leftovers.is_empty() {
        return Ok(());
    }
    for path in leftovers {
        tracing::info!(path = %path.display(), "removed a log file that is not part of the log");
        folder.disk().remove(path).map_err(DiskError::at(Verb::Remove, path))?;
    }
    Ok(sync_dir(folder.disk().as_ref(), folder.dir())?)
}

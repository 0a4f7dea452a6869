//! Which files there are, and which of them are the log.
//!
//! A begun file names the one before it. The log is what can be reached that way from the newest begun file; a begun
//! file that cannot was replaced by a copy at an earlier start, or trimmed, which a crash kept from removing it.
//!
//! The oldest file of a trimmed log names one that is gone. That is fine if segments hold everything before it, which
//! `replay` checks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grepzilla_model::Epoch;

use super::corrupt;
use crate::OpenError;
use crate::disk::{Disk, DiskError, DurableFile, Verb, sync_dir};
use crate::replica::ReplicaFolder;
use crate::wal::file_header::{FILE_HEADER_BYTES, FORMAT, FileHeader, FileState, HeaderError, LogOwner, Previous};
use crate::wal::frame::Mismatch;
use crate::wal::name::{FileNo, Name, parse};

/// A file with a good header.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) file: DurableFile,
    pub(super) header: FileHeader,
    /// The length of the file, zeros included.
    pub(super) bytes: u64,
}

/// All that the log has in a folder.
#[derive(Debug)]
pub(super) struct Inventory {
    /// The folder.
    pub(super) dir: PathBuf,
    /// The log, oldest first.
    pub(super) log: Vec<LogFile>,
    /// The file that the oldest one names and that is not there.
    pub(super) trimmed: Option<FileNo>,
    /// Files that were never begun, in order of their numbers.
    pub(super) prepared: Vec<LogFile>,
    /// What is to be removed once the log goes on without it.
    pub(super) leftovers: Vec<PathBuf>,
    /// The greatest number that any file has or had.
    pub(super) last_file_no: FileNo,
}

impl LogFile {
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file before, as this one knows it.
    pub(super) fn previous(&self) -> Option<Previous> {
        match self.header.state {
            FileState::Begun(previous) => previous,
            FileState::Prepared => None,
        }
    }
}

/// Reads all headers and puts the files in order.
pub(super) fn take(folder: &ReplicaFolder) -> Result<Inventory, OpenError> {
    // What can be seen may be a name that is not durable yet; from here on it is.
    sync_dir(folder.disk().as_ref(), folder.dir())?;
    let names = folder.disk().list(folder.dir()).map_err(DiskError::at(Verb::List, folder.dir()))?;
    let dir = folder.dir().to_owned();
    let mut inventory =
        Inventory { dir, log: vec![], trimmed: None, prepared: vec![], leftovers: vec![], last_file_no: FileNo(0) };
    let mut begun = Vec::new();
    for name in names {
        let path = folder.dir().join(&name);
        let file_no = match parse(&name) {
            Name::Other => continue,
            Name::Temporary(file_no) => {
                inventory.leftovers.push(path);
                file_no
            }
            Name::File(epoch, file_no) => {
                let file = open(folder.disk(), &path, folder.owner(), epoch, file_no)?;
                match file.header.state {
                    FileState::Prepared => inventory.prepared.push(file),
                    FileState::Begun(_) => begun.push(file),
                }
                file_no
            }
        };
        inventory.last_file_no = inventory.last_file_no.max(file_no);
    }
    inventory.prepared.sort_by_key(|file| file.header.file_no);
    begun.sort_by_key(|file| file.header.file_no);
    follow(begun, &mut inventory);
    Ok(inventory)
}

fn open(
    disk: &Arc<dyn Disk>,
    path: &Path,
    owner: LogOwner,
    epoch: Epoch,
    file_no: FileNo,
) -> Result<LogFile, OpenError> {
    let file = DurableFile::open(disk, path)?;
    let mut bytes = [0; FILE_HEADER_BYTES];
    let count = file.read_at(&mut bytes, 0)?;
    if count < FILE_HEADER_BYTES {
        return Err(corrupt(path, 0, Mismatch::new("a file header of 4096 bytes", format!("{count} bytes"))));
    }
    let header = FileHeader::decode(&bytes).map_err(|error| match error {
        HeaderError::Damaged(mismatch) => corrupt(path, 0, mismatch),
        HeaderError::Newer { format, min_reader } => {
            OpenError::NewerFormat { path: path.to_owned(), format, min_reader, supported: FORMAT }
        }
    })?;
    if header.owner != owner {
        return Err(corrupt(path, 16, Mismatch::new(format!("{owner:?}"), format!("{:?}", header.owner))));
    }
    if (header.epoch, header.file_no) != (epoch, file_no) {
        let found = format!("epoch {}, file {}", header.epoch, header.file_no);
        return Err(corrupt(path, 40, Mismatch::new("the epoch and number of its name", found)));
    }
    let bytes = file.length()?;
    Ok(LogFile { file, header, bytes })
}

/// Follows the links from the newest begun file back to the first.
fn follow(mut begun: Vec<LogFile>, inventory: &mut Inventory) {
    let Some(newest) = begun.pop() else { return };
    inventory.log.push(newest);
    let mut wanted = inventory.log[0].previous();
    while let Some(previous) = wanted {
        match begun.pop() {
            Some(file) if file.header.file_no == previous.file_no => {
                wanted = file.previous();
                inventory.log.push(file);
            }
            Some(file) if file.header.file_no > previous.file_no => inventory.leftovers.push(file.path().to_owned()),
            older => {
                begun.extend(older);
                inventory.trimmed = Some(previous.file_no);
                break;
            }
        }
    }
    inventory.leftovers.extend(begun.into_iter().map(|file| file.path().to_owned()));
    inventory.log.reverse();
}

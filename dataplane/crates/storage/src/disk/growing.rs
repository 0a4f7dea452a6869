//! A file that is written from front to back and has its name only when it is whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::durable::{create, folder_of, no_room_or_fatal, remove_quietly, sync_dir};
use super::{Disk, DiskError, DiskFile, Verb, WriteError};

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 1 << 20;

/// A large file on its way to the disk. For the name it is yet to get, [`GrowingFile::finish`] leaves no time, power
/// loss included, at which the name shows anything but all of it.
///
/// A write, sync or rename that fails for want of room removes the file; any other failure ends the process. A
/// dropped file is removed.
#[derive(Debug)]
pub struct GrowingFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// `None` once it has its name.
    file: Option<Box<dyn DiskFile>>,
    buffer: Vec<u8>,
    written_bytes: u64,
}

impl GrowingFile {
    /// Makes an empty file under a temporary name, in place of one that a crash has left there.
    pub fn create(disk: &Arc<dyn Disk>, temporary: &Path) -> Result<GrowingFile, WriteError> {
        remove_quietly(disk.as_ref(), temporary);
        let file = create(disk.as_ref(), temporary)?;
        Ok(GrowingFile {
            disk: Arc::clone(disk),
            path: temporary.to_owned(),
            file: Some(file),
            buffer: Vec::with_capacity(BUFFER_BYTES),
            written_bytes: 0,
        })
    }

    /// The temporary name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is by now.
    pub fn length(&self) -> u64 {
        self.written_bytes + self.buffer.len() as u64
    }

    /// Adds bytes at the end.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.write_out() } else { Ok(()) }
    }

    /// Fills the buffer with what was given to the operating system, which reaches so far.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), DiskError> {
        let read = self.file().read_at(buffer, offset);
        let whole = read.and_then(|count| match count == buffer.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        });
        whole.map_err(DiskError::at(Verb::Read, &self.path))
    }

    /// Makes it durable and gives it a name in the same folder, durably, in place of what has that name.
    pub fn finish(mut self, name: &Path) -> Result<Box<dyn DiskFile>, WriteError> {
        self.write_out()?;
        let synced = self.file().sync();
        self.check(Verb::Sync, synced)?;
        let renamed = self.disk.rename(&self.path, name);
        self.check(Verb::Rename, renamed)?;
        let file = self.file.take().expect("a file is finished once");
        sync_dir(self.disk.as_ref(), folder_of(name))?;
        Ok(file)
    }

    /// Gives everything to the operating system.
    pub fn write_out(&mut self) -> Result<(), WriteError> {
        let written = self.file().write_at(&self.buffer, self.written_bytes);
        self.check(Verb::Write, written)?;
        self.written_bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn file(&self) -> &dyn DiskFile {
        self.file.as_deref().expect("a file is open until it is finished")
    }

    fn check(&self, verb: Verb, done: io::Result<()>) -> Result<(), WriteError> {
        done.map_err(|error| no_room_or_fatal(self.disk.as_ref(), verb, &self.path, error))
    }
}

impl Drop for GrowingFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            remove_quietly(self.disk.as_ref(), &self.path);
        }
    }
}

//! The disk: the one home of every durability verb.
//!
//! `create`, `write_at`, `set_length`, `sync`, `rename`, `remove` and `sync_dir` are spoken here and nowhere else in the
//! crate. [`Disk`] is a seam with two homes that pass one conformance test: [`RealDisk`], and the machine of [`twin`],
//! which loses an arbitrary part of what was not synced.
//!
//! What survives power loss: bytes of a file that were written before a [`DiskFile::sync`] that returned `Ok`, and
//! names of a folder that were made, changed or removed before a [`Disk::sync_dir`] that returned `Ok`. Of everything
//! else any part may survive, in any order.
//!
//! A verb that fails on log or metadata leaves no state that could be trusted (a failed sync may have marked pages as
//! clean), so it ends the process through [`fatal`]. Running out of space while room is *made* is an ordinary error,
//! [`WriteError::NoRoom`].

mod durable;
mod growing;
mod pages;
mod real;
pub mod twin;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use durable::{DurableFile, create_dirs, read_whole, replace_file, set_aside, sync_dir, sync_dirs_above};
pub use growing::GrowingFile;
pub use pages::{PAGE_BYTES, PageBuffer};
pub use real::RealDisk;

/// A place where files live. Methods are called from several threads.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a folder in an existing one. `AlreadyExists` if there is one.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes an empty file for reading and writing. `AlreadyExists` if there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// The same for a file whose whole pages are written with [`DiskFile::write_pages`].
    fn create_for_pages(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.create(path)
    }

    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// The names in a folder, in ascending order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Gives a file another name in the same folder, replacing what has that name: at any time a reader finds one of
    /// the two. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name. Durable after [`Disk::sync_dir`].
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the exclusive lock of a path, held until the guard is dropped or the process ends. `WouldBlock` if
    /// somebody has it. The file of that name stays.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;

    /// Ends the process at once. Only a test twin returns.
    fn abort(&self, reason: &Died);
}

/// An open file. Methods are called from several threads.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes; fewer only where the file ends.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes, extending the file where they reach beyond its end.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// The same for bytes that nobody reads soon: pages of a [`PageBuffer`] at multiples of [`PAGE_BYTES`] need not stay in
    /// memory, which spares the system a copy and room in its cache.
    fn write_pages(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(bytes, offset)
    }

    /// Cuts the file, or extends it by zeros that need not have room on the disk.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes all bytes and the length durable. After an error nothing is known about any unsynced byte.
    fn sync(&self) -> io::Result<()>;

    /// Says that all of it is going to be read, so that the system may begin. It may do nothing.
    fn read_ahead(&self) {}

    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
}

/// Holds a lock as long as it lives.
pub trait DiskLock: Send + Sync + fmt::Debug {}

/// What a step does to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Verb {
    CreateDir,
    Create,
    Open,
    List,
    Read,
    Write,
    SetLength,
    Sync,
    Rename,
    Remove,
    SyncDir,
    Lock,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::CreateDir => "create_dir",
            Verb::Create => "create",
            Verb::Open => "open",
            Verb::List => "list",
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::SetLength => "set_length",
            Verb::Sync => "sync",
            Verb::Rename => "rename",
            Verb::Remove => "remove",
            Verb::SyncDir => "sync_dir",
            Verb::Lock => "lock",
        })
    }
}

/// The process was told to end because a durability verb failed. Only code under a test twin ever sees one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{verb} of {} failed, the process must end: {cause}", path.display())]
pub struct Died {
    /// What was done.
    pub verb: Verb,
    /// To which file or folder.
    pub path: PathBuf,
    /// The operating system's words.
    pub cause: String,
}

/// A step of reading, or of making ready to write, that failed without harm.
#[derive(Debug, thiserror::Error)]
#[error("{verb} of {} failed", path.display())]
pub struct DiskError {
    /// What was done.
    pub verb: Verb,
    /// To which file or folder.
    pub path: PathBuf,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// Names the step that an error belongs to; for `map_err`.
    pub fn at(verb: Verb, path: &Path) -> impl FnOnce(io::Error) -> DiskError + '_ {
        move |source| DiskError { verb, path: path.to_owned(), source }
    }
}

/// Why room could not be made or a metadata file not be replaced.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk or the quota is full, or no file can be made. No harm was done, and what was begun is removed.
    #[error("no room could be made")]
    NoRoom(#[source] DiskError),
    /// See [`Died`].
    #[error(transparent)]
    Died(#[from] Died),
}

/// Ends the process because a verb failed on log or metadata: the one way to do so.
///
/// It returns only under a test twin; the caller then goes no further with the file.
#[must_use]
pub fn fatal(disk: &dyn Disk, verb: Verb, path: &Path, error: &io::Error) -> Died {
    let died = Died { verb, path: path.to_owned(), cause: error.to_string() };
    tracing::error!(%verb, path = %path.display(), %error, "the disk failed, the process ends so that nothing is acknowledged in error");
    disk.abort(&died);
    died
}

/// Whether an error says that the disk or the quota is full.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod conformance;

//! What is built from the verbs: a file whose failures are fatal, a file replaced as a whole, folders that stay.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Died, Disk, DiskError, DiskFile, PAGE_BYTES, PageBuffer, Verb, WriteError, fatal, is_no_space};

/// How many zeros are written at once.
const ZEROS_BYTES: usize = 256 * 1024;

/// A file of the log: a write, cut or sync of it that fails ends the process.
#[derive(Debug)]
pub struct DurableFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl DurableFile {
    /// Makes a file `path`, and in it what `fill` puts there, so that at no time, power loss included, the name shows
    /// anything less: all under the name `path` + `.tmp`, synced, renamed, folder synced.
    ///
    /// Without space the temporary file is removed. `path` must be a name that was never used.
    pub fn prepare(
        disk: &Arc<dyn Disk>,
        path: &Path,
        fill: impl FnOnce(&DurableFile) -> Result<(), WriteError>,
    ) -> Result<DurableFile, WriteError> {
        let temporary = temporary_name(path);
        remove_quietly(disk.as_ref(), &temporary);
        let file = disk.create_for_pages(&temporary).map_err(not_created(&temporary))?;
        let mut file = DurableFile { disk: Arc::clone(disk), path: temporary, file };
        if let Err(error) = fill(&file).and_then(|()| file.finish(path)) {
            if let WriteError::NoRoom(_) = error {
                remove_quietly(disk.as_ref(), &file.path);
            }
            return Err(error);
        }
        file.path = path.to_owned();
        Ok(file)
    }

    fn finish(&self, path: &Path) -> Result<(), WriteError> {
        let disk = self.disk.as_ref();
        self.file.sync().map_err(|error| no_room_or_fatal(disk, Verb::Sync, &self.path, error))?;
        disk.rename(&self.path, path).map_err(|error| no_room_or_fatal(disk, Verb::Rename, &self.path, error))?;
        Ok(sync_dir(disk, folder_of(path))?)
    }

    /// Opens an existing file.
    pub fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<DurableFile, DiskError> {
        let file = disk.open(path).map_err(DiskError::at(Verb::Open, path))?;
        Ok(DurableFile { disk: Arc::clone(disk), path: path.to_owned(), file })
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads up to `buffer.len()` bytes; fewer only where the file ends.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.file.read_at(buffer, offset).map_err(DiskError::at(Verb::Read, &self.path))
    }

    /// Says that all of it is going to be read.
    pub fn read_ahead(&self) {
        self.file.read_ahead();
    }

    /// The length in bytes.
    pub fn length(&self) -> Result<u64, DiskError> {
        self.file.length().map_err(DiskError::at(Verb::Read, &self.path))
    }

    /// Writes into room that was made before.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), Died> {
        self.file.write_at(bytes, offset).map_err(|error| self.fatal(Verb::Write, &error))
    }

    /// The same past the cache of the operating system, as far as these are whole pages of a [`PageBuffer`].
    pub fn write_pages(&self, bytes: &[u8], offset: u64) -> Result<(), Died> {
        self.file.write_pages(bytes, offset).map_err(|error| self.fatal(Verb::Write, &error))
    }

    /// Makes everything written durable.
    pub fn sync(&self) -> Result<(), Died> {
        self.file.sync().map_err(|error| self.fatal(Verb::Sync, &error))
    }

    /// Gives room back beyond `length`. Nobody relies on it: it may fail, and is not durable by itself.
    pub fn give_back(&self, length: u64) {
        if let Err(error) = self.file.set_length(length) {
            tracing::warn!(path = %self.path.display(), length, %error, "room on the disk could not be given back");
        }
    }

    /// Makes room: zeros from `from` to `to`, so that later writes there neither run out of space nor change the
    /// file's length. Durable after [`DurableFile::sync_room`].
    pub fn make_room(&self, from: u64, to: u64) -> Result<(), WriteError> {
        let count = ZEROS_BYTES.min(usize::try_from(to - from).unwrap_or(ZEROS_BYTES));
        let zeros = PageBuffer::zeros(count.next_multiple_of(PAGE_BYTES));
        let mut offset = from;
        while offset < to {
            let count = zeros.len().min(usize::try_from(to - offset).unwrap_or(zeros.len()));
            self.file
                .write_pages(&zeros.bytes()[..count], offset)
                .map_err(|error| no_room_or_fatal(self.disk.as_ref(), Verb::Write, &self.path, error))?;
            offset += count as u64;
        }
        Ok(())
    }

    /// Makes room that was asked for durable, and everything else written.
    pub fn sync_room(&self) -> Result<(), WriteError> {
        self.file.sync().map_err(|error| no_room_or_fatal(self.disk.as_ref(), Verb::Sync, &self.path, error))
    }

    fn fatal(&self, verb: Verb, error: &io::Error) -> Died {
        fatal(self.disk.as_ref(), verb, &self.path, error)
    }
}

/// Replaces a small metadata file as a whole: afterwards, power loss included, the name shows the old bytes or the new
/// ones, and after `Ok` the new ones.
pub fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let temporary = temporary_name(path);
    remove_quietly(disk, &temporary);
    let step = |verb: Verb, result: io::Result<()>| {
        result.map_err(|error| {
            let error = no_room_or_fatal(disk, verb, &temporary, error);
            if let WriteError::NoRoom(_) = error {
                remove_quietly(disk, &temporary);
            }
            error
        })
    };
    let file = create(disk, &temporary)?;
    step(Verb::Write, file.write_at(bytes, 0))?;
    step(Verb::Sync, file.sync())?;
    step(Verb::Rename, disk.rename(&temporary, path))?;
    Ok(sync_dir(disk, folder_of(path))?)
}

/// What is behind the name of a file that was set aside.
const ASIDE: &str = ".damaged";

/// Gives a file a name under which nobody looks for it, in the same folder and its own: every byte of it stays. Answers the
/// name.
pub fn set_aside(disk: &dyn Disk, path: &Path) -> Result<PathBuf, DiskError> {
    let folder = folder_of(path);
    let names = disk.list(folder).map_err(DiskError::at(Verb::List, folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let numbered = |number: usize| match number {
        1 => format!("{name}{ASIDE}"),
        number => format!("{name}{ASIDE}-{number}"),
    };
    let free = (1..).map(numbered).find(|name| !names.contains(name)).expect("numbers do not end");
    let aside = folder.join(free);
    disk.rename(path, &aside).map_err(DiskError::at(Verb::Rename, path))?;
    disk.sync_dir(folder).map_err(DiskError::at(Verb::SyncDir, folder))?;
    Ok(aside)
}

/// The bytes of a small file; `None` if there is none.
pub fn read_whole(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    let file = match disk.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DiskError::at(Verb::Open, path)(error)),
    };
    let read = || {
        let mut bytes = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
        let count = file.read_at(&mut bytes, 0)?;
        bytes.truncate(count);
        Ok(bytes)
    };
    read().map(Some).map_err(DiskError::at(Verb::Read, path))
}

/// Makes a folder and what is missing above it. Durable after [`sync_dirs_above`].
pub fn create_dirs(disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
    match disk.create_dir(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && dir.parent().is_some() => {
            create_dirs(disk, folder_of(dir))?;
            disk.create_dir(dir).map_err(DiskError::at(Verb::CreateDir, dir))
        }
        Err(error) => Err(DiskError::at(Verb::CreateDir, dir)(error)),
    }
}

/// Makes the way to a folder durable. Also if it existed before: whoever made it may have died before doing so.
pub fn sync_dirs_above(disk: &dyn Disk, dir: &Path) -> Result<(), Died> {
    for above in dir.ancestors().skip(1).map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above })
    {
        match disk.sync_dir(above) {
            // A folder that we may not read, or that nobody may write to, is not one in which we made another.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {}
            other => other.map_err(|error| fatal(disk, Verb::SyncDir, above, &error))?,
        }
    }
    Ok(())
}

/// Makes the names in a folder durable, or ends the process.
pub fn sync_dir(disk: &dyn Disk, dir: &Path) -> Result<(), Died> {
    disk.sync_dir(dir).map_err(|error| fatal(disk, Verb::SyncDir, dir, &error))
}

/// A file that cannot be made (too many are open, say) is as harmless as a full disk.
pub(super) fn create(disk: &dyn Disk, path: &Path) -> Result<Box<dyn DiskFile>, WriteError> {
    disk.create(path).map_err(not_created(path))
}

fn not_created(path: &Path) -> impl FnOnce(io::Error) -> WriteError + '_ {
    move |error| WriteError::NoRoom(DiskError::at(Verb::Create, path)(error))
}

pub(super) fn no_room_or_fatal(disk: &dyn Disk, verb: Verb, path: &Path, error: io::Error) -> WriteError {
    if is_no_space(&error) {
        return WriteError::NoRoom(DiskError::at(verb, path)(error));
    }
    WriteError::Died(fatal(disk, verb, path, &error))
}

/// Removes a temporary file if there is one. What stays is removed at the next start.
pub(super) fn remove_quietly(disk: &dyn Disk, path: &Path) {
    if let Err(error) = disk.remove(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a temporary file could not be removed");
    }
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

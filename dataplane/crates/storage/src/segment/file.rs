//! Reading parts of the file and checking them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bytes::Malformed;
use super::layout::Checked;
use crate::disk::{Disk, DiskError, DiskFile, Verb};
use crate::{Corruption, ReadError};

/// How much is read at once to verify a section.
const VERIFY_BYTES: u64 = 1 << 20;

/// An open file and its name.
#[derive(Debug)]
pub(super) struct SegmentFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    length: u64,
}

impl SegmentFile {
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<SegmentFile, ReadError> {
        let file = disk.open(path).map_err(DiskError::at(Verb::Open, path)).map_err(not_read)?;
        let length = file.length().map_err(DiskError::at(Verb::Read, path)).map_err(not_read)?;
        Ok(SegmentFile { path: path.to_owned(), file, length })
    }

    /// A file that is open, and its length.
    pub(super) fn of(path: &Path, file: Box<dyn DiskFile>, length: u64) -> SegmentFile {
        SegmentFile { path: path.to_owned(), file, length }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes of a part, which lies within the file, if their checksum is right.
    pub(super) fn read(&self, part: Checked) -> Result<Vec<u8>, ReadError> {
        let bytes = self.read_unchecked(part.offset, part.length)?;
        self.check(part, crc32fast::hash(&bytes))?;
        Ok(bytes)
    }

    /// Bytes whose checksum is the caller's business.
    pub(super) fn read_unchecked(&self, offset: u64, length: u64) -> Result<Vec<u8>, ReadError> {
        let fits = offset.checked_add(length).is_some_and(|end| end <= self.length);
        let room = usize::try_from(length).ok().filter(|_| fits);
        let room = room.ok_or_else(|| self.corrupt(offset, format!("{length} bytes"), "the end of the file"))?;
        let mut bytes = vec![0; room];
        let read = self.file.read_at(&mut bytes, offset).map_err(DiskError::at(Verb::Read, &self.path));
        match read.map_err(not_read)? {
            count if count == room => Ok(bytes),
            count => Err(self.corrupt(offset, format!("{length} bytes"), format!("{count}"))),
        }
    }

    /// Checks a part that may be large.
    pub(super) fn verify(&self, part: Checked) -> Result<(), ReadError> {
        let (mut hasher, mut offset) = (crc32fast::Hasher::new(), part.offset);
        while offset < part.end() {
            let length = (part.end() - offset).min(VERIFY_BYTES);
            hasher.update(&self.read_unchecked(offset, length)?);
            offset += length;
        }
        self.check(part, hasher.finalize())
    }

    fn check(&self, part: Checked, found: u32) -> Result<(), ReadError> {
        if part.crc == found {
            return Ok(());
        }
        let expected = format!("{} bytes with crc {:08x}", part.length, part.crc);
        Err(self.corrupt(part.offset, expected, format!("{found:08x}")))
    }

    pub(super) fn corrupt(&self, offset: u64, expected: impl Into<String>, found: impl Into<String>) -> ReadError {
        let (path, expected, found) = (self.path.clone(), expected.into(), found.into());
        ReadError::Corrupt(Corruption { path, offset, expected, found })
    }

    /// Of bytes, read from `offset` on, that have the right checksum.
    pub(super) fn malformed(&self, offset: u64, malformed: Malformed) -> ReadError {
        self.corrupt(offset + malformed.at as u64, malformed.expected, "something else under a right checksum")
    }
}

fn not_read(error: DiskError) -> ReadError {
    ReadError::Disk(Arc::new(error))
}

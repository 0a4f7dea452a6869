//! Why a segment is not opened or not written.

use std::path::PathBuf;

use crate::disk::{Died, DiskError, WriteError};
use crate::{Corruption, ReadError};

/// Why a segment does not open. The file is left as it is.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenSegmentError {
    /// It was written by a later program.
    #[error(
        "{} is of format {format} and can be read from format {min_reader} on, this program knows format {supported}",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// What it was written as.
        format: u16,
        /// The least format that a reader must know.
        min_reader: u16,
        /// What this program knows.
        supported: u16,
    },
    /// Its grams are those of a text folded otherwise.
    #[error("{} is folded by version {found}, this program folds by version {supported}", path.display())]
    OtherFold {
        /// The file.
        path: PathBuf,
        /// The folding of the file.
        found: u16,
        /// The folding of this program.
        supported: u16,
    },
    /// It is damaged or another file, or cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<Corruption> for OpenSegmentError {
    fn from(corruption: Corruption) -> OpenSegmentError {
        OpenSegmentError::Read(ReadError::Corrupt(corruption))
    }
}

/// Why a segment, or a file of deletes, is not written. What was begun is removed.
#[derive(Debug, thiserror::Error)]
pub enum WriteSegmentError {
    /// A block that was to be written cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk is full.
    #[error("no room for a segment")]
    NoRoom(#[source] DiskError),
    /// See [`Died`].
    #[error(transparent)]
    Died(#[from] Died),
}

impl From<WriteError> for WriteSegmentError {
    fn from(error: WriteError) -> WriteSegmentError {
        match error {
            WriteError::NoRoom(error) => WriteSegmentError::NoRoom(error),
            WriteError::Died(died) => WriteSegmentError::Died(died),
        }
    }
}

//! Why a shard does not open, and why it does not take a batch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grepzilla_model::manifest::ManifestError;
use grepzilla_model::{ClusterUuid, Epoch, Generation, ShardId};

use crate::disk::{Died, DiskError, WriteError};
use crate::segment::{OpenSegmentError, WriteSegmentError};
use crate::shard::Damage;

/// Bytes on disk that are not what they were written as, or files that are not where they were.
///
/// It is never found where an interrupted write explains what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is damaged at byte {offset}: expected {expected}, found {found}", path.display())]
pub struct Corruption {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What must be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// Why a shard does not open. Nothing has been deleted then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another [`Shard`](crate::Shard) of this one, has the folder.
    #[error("{} is held by another process", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// The folder belongs to another cluster.
    #[error("{} belongs to cluster {found}, this is cluster {expected}", path.display())]
    OtherCluster {
        /// The file that says so.
        path: PathBuf,
        /// The cluster of the process.
        expected: ClusterUuid,
        /// The cluster of the folder.
        found: ClusterUuid,
    },
    /// The folder belongs to another shard.
    #[error("{} belongs to shard {found}, this is shard {expected}", path.display())]
    OtherShard {
        /// The file that says so.
        path: PathBuf,
        /// The shard asked for.
        expected: ShardId,
        /// The shard of the folder.
        found: ShardId,
    },
    /// A file of a format made after this program.
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
    /// The copy cannot be believed. Its folder is quarantined: every byte stays, and nobody writes there.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// There is no room for a file to go on in.
    #[error("the shard cannot be opened without room on the disk")]
    NoRoom(#[source] DiskError),
    /// The disk does not answer.
    #[error("the shard cannot be read")]
    Disk(#[from] DiskError),
    /// The disk does not give a part of a segment.
    #[error("a segment cannot be read")]
    Segment(#[source] Arc<DiskError>),
    /// See [`Died`].
    #[error(transparent)]
    Died(#[from] Died),
}

impl From<WriteError> for OpenError {
    fn from(error: WriteError) -> OpenError {
        match error {
            WriteError::NoRoom(error) => OpenError::NoRoom(error),
            WriteError::Died(died) => OpenError::Died(died),
        }
    }
}

/// Why a part of a segment cannot be read. What is in memory is read without an error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not what was written.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The disk does not answer.
    #[error("a segment cannot be read")]
    Disk(#[source] Arc<DiskError>),
}

impl ReadError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            ReadError::Corrupt(corruption) => &corruption.path,
            ReadError::Disk(error) => &error.path,
        }
    }

    /// What is wrong with which file: a sentence.
    pub(crate) fn reason(&self) -> String {
        match self {
            ReadError::Corrupt(corruption) => corruption.to_string(),
            ReadError::Disk(error) => format!("{error}: {}", error.source),
        }
    }
}

/// Why a batch is not, or not known to be, in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too much is waiting.
    #[error("{backlog_bytes} bytes are waiting for the log, more are not taken")]
    QueueFull {
        /// How much is waiting.
        backlog_bytes: usize,
    },
    /// The disk is full. Reads go on; writes do as soon as there is room.
    #[error("no space left for the log")]
    NoSpace,
    /// No epoch was started since the shard was opened.
    #[error("no epoch has been started")]
    NoEpoch,
    /// The epoch asked for is not newer than the log's.
    #[error("epoch {asked} is not newer than {current}")]
    StaleEpoch {
        /// The epoch of the log.
        current: Epoch,
        /// The epoch that was to be started.
        asked: Epoch,
    },
    /// The batch is more than one frame can hold.
    #[error("the batch takes {bytes} bytes of the log, a frame holds at most {bytes_max}")]
    TooLarge {
        /// What the batch takes.
        bytes: usize,
        /// The most there may be.
        bytes_max: usize,
    },
    /// The batch's Idempotency-Key came before, with another body. Nothing of it was written.
    #[error("the idempotency key was used before, for another body")]
    KeyReused,
    /// A segment is damaged: what is left can be read, and nothing is written.
    #[error("a segment of the shard is damaged, so it can only be read")]
    ReadOnly,
    /// The shard was closed.
    #[error("the shard is closed")]
    Closed,
    /// The disk failed and the process ends: whether the batch is in the log is unknown.
    #[error(transparent)]
    Died(#[from] Died),
}

impl AppendError {
    /// Whether the same shard may take the same batch later.
    pub fn retryable(&self) -> bool {
        match self {
            AppendError::QueueFull { .. } | AppendError::NoSpace | AppendError::NoEpoch => true,
            AppendError::StaleEpoch { .. }
            | AppendError::TooLarge { .. }
            | AppendError::KeyReused
            | AppendError::ReadOnly
            | AppendError::Closed
            | AppendError::Died(_) => false,
        }
    }
}

/// Why a flush, a merge or a publish was not done, or not to its end. It may be tried again; what is shown is as before.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The store's manifest is not known yet, so nothing may be built on the local one.
    #[error("the store's manifest has not been adopted")]
    NotAdopted,
    /// A segment is damaged, so nothing is built on what is left.
    #[error("{0}")]
    Damaged(Box<Damage>),
    /// The store has another manifest of a generation that is known here, or one behind what is shown here.
    #[error("the store's manifest {generation} is not the one that is known here")]
    OtherManifest {
        /// Its generation.
        generation: Generation,
    },
    /// A manifest names a file that is not here.
    #[error("{file} is named by a manifest and is not here")]
    Missing {
        /// The file.
        file: String,
    },
    /// The manifest breaks an invariant.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A segment does not open.
    #[error(transparent)]
    Open(#[from] OpenSegmentError),
    /// A part of a segment cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk is full.
    #[error("no room could be made")]
    NoRoom(#[source] DiskError),
    /// The disk does not answer.
    #[error("a folder cannot be read")]
    Disk(#[from] DiskError),
    /// The log's thread has ended.
    #[error(transparent)]
    Log(#[from] AppendError),
    /// See [`Died`].
    #[error(transparent)]
    Died(#[from] Died),
}

impl From<WriteError> for MaintenanceError {
    fn from(error: WriteError) -> MaintenanceError {
        match error {
            WriteError::NoRoom(error) => MaintenanceError::NoRoom(error),
            WriteError::Died(died) => MaintenanceError::Died(died),
        }
    }
}

impl From<WriteSegmentError> for MaintenanceError {
    fn from(error: WriteSegmentError) -> MaintenanceError {
        match error {
            WriteSegmentError::Read(error) => MaintenanceError::Read(error),
            WriteSegmentError::NoRoom(error) => MaintenanceError::NoRoom(error),
            WriteSegmentError::Died(died) => MaintenanceError::Died(died),
        }
    }
}

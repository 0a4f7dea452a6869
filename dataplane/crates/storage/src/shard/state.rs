//! Where a shard stands and what it has done so far: plain numbers, for the protocol and for metrics.

use std::fmt;

use grepzilla_model::{Epoch, SeqNo};

use super::maintenance::MaintenanceStats;
use crate::hot::HotStats;
use crate::wal::LogCounters;

/// The positions of a shard's log.
///
/// `durable <= appended` and `committed <= appended`. With [`FsyncMode::Always`](crate::FsyncMode::Always) also
/// `committed <= durable`; in the other modes a record is committed, and visible, when the operating system has it.
/// All positions are inclusive: the record at the position is part of it. None of them ever falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Positions {
    /// The epoch of the last record.
    pub epoch: Epoch,
    /// The last record that was given a sequence number and written to the log.
    pub appended: SeqNo,
    /// The last record that survives power loss.
    pub durable: SeqNo,
    /// The last record that is visible.
    pub committed: SeqNo,
    /// The bytes of all frames in the log.
    pub wal_bytes: u64,
}

/// What an open shard has done since it was opened, and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardStats {
    /// The log.
    pub log: LogCounters,
    /// Bytes of batches that wait for their acknowledgement.
    pub queue_bytes: usize,
    /// The hot tier.
    pub hot: HotStats,
    /// Documents that a newer version or a tombstone has superseded and that are still held.
    pub superseded: usize,
    /// Flushes, merges and segments.
    pub maintenance: MaintenanceStats,
    /// What opening took.
    pub replay: ReplayStats,
    /// Segments that cannot be used.
    pub damaged_segments: u64,
    /// Idempotency-Keys that are remembered.
    pub keys: usize,
}

/// How far the opening of a shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenProgress {
    /// Segments are being opened.
    Segments {
        /// How many have been.
        opened: usize,
        /// How many there are.
        all: usize,
    },
    /// They are open, and the log is being read.
    Log {
        /// The bytes that have been read.
        read_bytes: u64,
        /// The bytes that there are.
        all_bytes: u64,
    },
}

impl fmt::Display for OpenProgress {
    /// A sentence about "it", the shard.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenProgress::Segments { opened, all } => write!(f, "{opened} of its {all} segments have been opened"),
            OpenProgress::Log { read_bytes, all_bytes } => {
                write!(f, "{read_bytes} of {all_bytes} bytes of its log have been read")
            }
        }
    }
}

/// What opening a shard took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReplayStats {
    /// The bytes of the log that were read, with what segments hold already.
    pub bytes: u64,
    /// How long it took to read the log and show what is in it, in seconds.
    pub seconds: f64,
}

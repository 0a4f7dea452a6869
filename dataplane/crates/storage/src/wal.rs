//! The write-ahead log of one replica: the one copy of a record that an acknowledgement rests on.
//!
//! # Layout
//!
//! A log is a chain of files `{epoch:016x}-{file_no:016x}.wal` in the shard's folder. Each is zero-filled before its
//! first frame, so that a write changes neither its length nor its blocks.
//!
//! ```text
//! file:   header (4096 bytes) | frame | frame | ... | SEAL | zeros
//! frame:  header (64 bytes) | payload | zeros up to a multiple of 8
//! ```
//!
//! [`file_header`], [`frame`] and [`payload`] draw the bytes. Three things tie them together. Each file's header names
//! its predecessor with length and last frame, so a file that is missing, cut short or swapped shows. Each frame
//! carries the checksum of the header before it (its *chain*), so a frame that is missing or out of order shows. Each
//! frame carries `synced_upto`, an offset in its own file that was durable when it was written, so damage below it
//! cannot pass for an interrupted write.
//!
//! # Life of a file
//!
//! *Prepared* by a thread of its own (`prepare`) before it is needed: zeros, a header that says so, sync, rename from
//! `.tmp`, sync of the folder. *Begun* when its predecessor is sealed: the header is written again, now with the
//! predecessor's end; all its fields lie in one sector, so either header is found after a power loss. *Sealed* by a
//! frame that names the successor, which is prepared by then. A file that was never begun holds no records.
//!
//! # Opening
//!
//! `recovery` reads every frame of every begun file in order and hands the batches on. What the last file holds beyond
//! its last good frame is a torn tail, or corruption: `recovery::tail` decides. What it holds beyond the last
//! `synced_upto` is unproven (the page cache may show what the disk never got) and is written once more, to a fresh
//! file, and synced, before anything is appended. No file is ever appended to by a second process.
//!
//! # Trimming
//!
//! What segments hold goes from the front, in whole files. The oldest file then names a predecessor that is gone, which
//! recovery believes only as far as the manifest says that segments hold everything before.
//!
//! Versions: 1, the first.

mod counters;
pub mod file_header;
pub mod frame;
pub mod inspect;
mod log;
mod name;
pub mod payload;
mod prepare;
mod reader;
mod recovery;
mod sealed;
mod sizes;
mod writer;

pub use counters::{FsyncStats, LogCounters};
pub(crate) use payload::check_promises;
pub use payload::{PayloadError, decode_payload, encode_payload, payload_bytes};

pub(crate) use file_header::LogOwner;
pub(crate) use log::Log;
pub(crate) use recovery::{begins_at, recover};
pub(crate) use sizes::LogSizes;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod trim_tests;

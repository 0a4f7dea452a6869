//! A shard's manifest: which segments hold which part of its log.
//!
//! Its segments tile the positions from `base` + 1 to `flushed`: what lies before is gone by retention, what lies behind
//! is in the log. It changes by publishing a whole new one, and never in any other way; [`Manifest::check`] and
//! [`Manifest::check_follows`] say what each publish keeps. An empty range of positions needs no segment.

mod invariants;
mod name;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

pub use invariants::ManifestError;
pub use name::{DeletesName, SegmentName};

use crate::{Epoch, Generation, SeqNo, TimeNs};

/// The most segments that a manifest may name.
pub const SEGMENTS_MAX: usize = 1_000;

/// The list of a shard's segments at one generation. The default is what a shard has that never published.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Rises by one with each publish.
    pub generation: Generation,
    /// The epoch of the leader that published it.
    pub epoch: Epoch,
    /// The last position that retention has dropped.
    pub base: SeqNo,
    /// The last position that a segment covers.
    pub flushed: SeqNo,
    /// Ascending by position.
    pub segments: Vec<SegmentEntry>,
}

/// A segment as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// What its file is called.
    pub name: SegmentName,
    /// The length of its file.
    pub bytes: u64,
    /// The bytes of its documents as they were stored.
    pub raw_bytes: u64,
    /// How many documents it holds, superseded ones included.
    pub documents: u64,
    /// How many blocks they fill.
    pub blocks: u32,
    /// Where its documents lie. `None`: it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<DocumentBounds>,
    /// Which of its documents were superseded. `None`: none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<DeletesEntry>,
}

/// Bounds of documents; all inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentBounds {
    /// The least time.
    pub time_min: TimeNs,
    /// The greatest time.
    pub time_max: TimeNs,
    /// When the last of them was received.
    pub received_max: TimeNs,
}

/// A file of superseded documents as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletesEntry {
    /// The number in its name.
    pub generation: Generation,
    /// How many documents it names.
    pub count: u64,
    /// Hash of its bytes.
    #[serde(with = "name::hash_text")]
    pub hash: u64,
}

impl Manifest {
    /// Hash of the list of segments and the positions they tile: what is compared when the outcome of a publish is
    /// unknown. The same list always has the same hash.
    pub fn list_hash(&self) -> u64 {
        let mut numbers = vec![self.base.0, self.flushed.0, self.segments.len() as u64];
        for entry in &self.segments {
            let SegmentEntry { name, bytes, raw_bytes, documents, blocks, bounds, deletes } = entry;
            numbers.extend([name.epoch.0, name.first.0, name.last.0, name.hash]);
            numbers.extend([*bytes, *raw_bytes, *documents, u64::from(*blocks)]);
            numbers.push(u64::from(bounds.is_some()));
            if let Some(DocumentBounds { time_min, time_max, received_max }) = bounds {
                numbers.extend([time_min, time_max, received_max].map(|time| time.0.cast_unsigned()));
            }
            numbers.push(u64::from(deletes.is_some()));
            if let Some(DeletesEntry { generation, count, hash }) = deletes {
                numbers.extend([generation.0, *count, *hash]);
            }
        }
        let mut hasher = Xxh3::new();
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
        hasher.digest()
    }

    /// The segment that covers a position.
    pub fn segment_at(&self, seq: SeqNo) -> Option<&SegmentEntry> {
        let place = self.segments.partition_point(|entry| entry.name.last < seq);
        self.segments.get(place).filter(|entry| entry.name.first <= seq)
    }

    /// The bytes of all segments' files.
    pub fn segment_bytes(&self) -> u64 {
        self.segments.iter().map(|entry| entry.bytes).sum()
    }
}

impl SegmentEntry {
    /// What the file of its superseded documents is called.
    pub fn deletes_name(&self) -> Option<DeletesName> {
        self.deletes.map(|deletes| DeletesName { segment: self.name, generation: deletes.generation })
    }
}

#[cfg(test)]
mod tests;

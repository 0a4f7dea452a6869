//! What a shard lacks: segments that are damaged or gone. They are not shown, and whoever looks is told what is missing.

use std::fmt;

use grepzilla_model::SegmentEntry;
use grepzilla_model::manifest::{DocumentBounds, SegmentName};

/// A segment of the manifest that is not shown, because it cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment; its name says which positions are missing.
    pub segment: SegmentName,
    /// The documents in it.
    pub documents: u64,
    /// Where they lie. `None`: it holds none.
    pub bounds: Option<DocumentBounds>,
    /// What is wrong with which file: a sentence.
    pub reason: String,
}

impl Damage {
    pub(crate) fn new(entry: &SegmentEntry, reason: String) -> Damage {
        Damage { segment: entry.name, documents: entry.documents, bounds: entry.bounds, reason }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SegmentName { first, last, .. } = self.segment;
        write!(f, "positions {first} to {last} are missing ({} documents", self.documents)?;
        if let Some(DocumentBounds { time_min, time_max, .. }) = self.bounds {
            write!(f, " of {time_min} to {time_max}")?;
        }
        write!(f, "): {}", self.reason)
    }
}

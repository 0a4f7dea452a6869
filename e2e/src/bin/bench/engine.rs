//! A system under comparison, and what is asked of each.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::corpus::Corpus;
use crate::needle::Needle;

mod clp;
pub(crate) mod grepzilla;
mod loki;
mod postgres;
mod ripgrep;

pub(crate) use clp::Clp;
pub(crate) use grepzilla::Grepzilla;
pub(crate) use loki::Loki;
pub(crate) use postgres::Postgres;
pub(crate) use ripgrep::Ripgrep;

/// Documents in one request, and clients that send them at once, wherever a system is loaded over HTTP.
pub(crate) const DOCUMENTS_PER_REQUEST: usize = 250;
pub(crate) const CLIENTS: usize = 16;

/// A system that takes a corpus and then finds needles in it.
pub(crate) trait Engine {
    /// What it is called, with its version where it is known.
    fn name(&self) -> String;

    /// Takes all documents. Afterwards they can be searched and nothing is left to be done in the background.
    fn load(&mut self, corpus: &Corpus) -> Result<Load>;

    /// Finds all documents, or lines, that match; `None` if it has no words for this needle.
    fn count(&mut self, needle: &Needle) -> Result<Option<Found>>;

    /// Fetches the newest 100 of them; `None` if it has no order of time.
    fn newest(&mut self, needle: &Needle) -> Result<Option<Found>>;

    /// The most memory that it has held since it was started, in MiB; `None` if it is not one process that stays.
    fn peak_memory_mib(&self) -> Result<Option<f64>>;
}

/// What taking a corpus cost.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// From the first document to the last acknowledgement.
    pub(crate) sent: Duration,
    /// From the first document to the state in which nothing is left to be done.
    pub(crate) settled: Duration,
    /// Processor time of all its processes until then.
    pub(crate) processor: Duration,
    /// Bytes of all its files but those of `log_bytes`.
    pub(crate) store_bytes: u64,
    /// Bytes of its log of writes, which it could do without now.
    pub(crate) log_bytes: u64,
    /// What the store's bytes are made of, where that is known.
    pub(crate) parts: Vec<(String, u64)>,
    /// What state that is, in words.
    pub(crate) state: String,
}

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// How many it found.
    pub(crate) count: u64,
    /// How long it took: of a server its own work and the way to it, of a program the whole process.
    pub(crate) took: Duration,
    /// Blocks that were read for it, where that is told.
    pub(crate) blocks_read: Option<u64>,
}

impl Found {
    pub(crate) fn new(count: u64, took: Duration) -> Found {
        Found { count, took, blocks_read: None }
    }
}

/// Bytes of all files below a folder that `is_wanted`, as long as they are.
pub(crate) fn folder_bytes(folder: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // What a running system removes meanwhile is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            bytes += folder_bytes(&entry.path(), is_wanted)?;
        } else if is_wanted(&entry.path()) {
            bytes += metadata.len();
        }
    }
    Ok(bytes)
}

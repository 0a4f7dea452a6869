//! A system under comparison, and what is asked of each.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::corpus::Corpus;
use crate::needle::Needle;

mod clp;
mod grepzilla;
mod postgres;
mod ripgrep;

pub(crate) use clp::Clp;
pub(crate) use grepzilla::{DOCUMENTS_PER_REQUEST, Grepzilla};
pub(crate) use postgres::Postgres;
pub(crate) use ripgrep::Ripgrep;

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
}

/// What taking a corpus cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// From the first document to the state in which nothing is left to be done.
    pub(crate) took: Duration,
    /// Processor time of all its processes.
    pub(crate) processor: Duration,
    /// Bytes of all its files.
    pub(crate) disk_bytes: u64,
}

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// How many it found.
    pub(crate) count: u64,
    /// How long it took: of a server its own work and the way to it, of a program the whole process.
    pub(crate) took: Duration,
}

/// Bytes of all files below a folder, as long as they are.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // What a running system removes meanwhile is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

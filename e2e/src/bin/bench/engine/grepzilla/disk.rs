//! What a node's files take: segments by section, as `gz inspect segment` sees them, and beside them the log, the
//! manifests and the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use grepzilla_e2e::local_node::sibling;
use serde::Deserialize;

use crate::engine::folder_bytes;

/// The sections that the index of grams is made of.
const GRAM_SECTIONS: [&str; 2] = ["gram pages", "gram directory"];
/// The section that is told by the frames in it.
const FRAMES: &str = "frames";

/// Bytes of files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    /// Of segments, by section; the frames of blocks by what they hold.
    segments: BTreeMap<String, u64>,
    /// Of manifests.
    manifests: u64,
    /// Of everything else but the log: lists of deletes, what the node knows of itself and its cluster.
    rest: u64,
    /// Of logs.
    pub(crate) log: u64,
}

/// What `gz inspect segment --json` prints for a file.
#[derive(Debug, Deserialize)]
struct Inspected {
    sections: Vec<Section>,
    blocks: Vec<Block>,
}

#[derive(Debug, Deserialize)]
struct Section {
    name: String,
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Block {
    frames: Vec<Frame>,
}

#[derive(Debug, Deserialize)]
struct Frame {
    name: String,
    packed_bytes: u64,
}

impl Disk {
    /// Looks at a node's folder.
    pub(super) fn of(data: &Path) -> Result<Disk> {
        let has = |path: &Path, extension: &str| path.extension().is_some_and(|found| found == extension);
        let is_manifest = |path: &Path| path.file_name().is_some_and(|name| name == "manifest.json");
        let of = |is_wanted: &dyn Fn(&Path) -> bool| folder_bytes(data, is_wanted);
        let mut disk = Disk {
            segments: BTreeMap::new(),
            manifests: of(&is_manifest)?,
            rest: of(&|path| !has(path, "seg") && !has(path, "wal") && !is_manifest(path))?,
            log: of(&|path| has(path, "wal"))?,
        };
        let mut files = Vec::new();
        segment_files(data, &mut files)?;
        for file in files {
            disk.add(&inspect(&file)?);
        }
        Ok(disk)
    }

    /// Bytes of all files but logs.
    pub(crate) fn store_bytes(&self) -> u64 {
        self.segments.values().sum::<u64>() + self.manifests + self.rest
    }

    /// By name, for people; nothing without segments.
    pub(crate) fn parts(&self) -> Vec<(String, u64)> {
        if self.segments.is_empty() {
            return Vec::new();
        }
        let segments = self.segments.iter().map(|(name, bytes)| (name.clone(), *bytes));
        segments.chain([("manifests".to_owned(), self.manifests), ("other files".to_owned(), self.rest)]).collect()
    }

    fn add(&mut self, inspected: &Inspected) {
        let mut add = |name: &str, bytes| *self.segments.entry(name.to_owned()).or_default() += bytes;
        for section in inspected.sections.iter().filter(|section| section.name != FRAMES) {
            add(&section.name, section.bytes);
        }
        for frame in inspected.blocks.iter().flat_map(|block| &block.frames) {
            // A frame of a unit holds the values of columns.
            add(if frame.name == "unit" { "values" } else { &frame.name }, frame.packed_bytes);
        }
    }
}

/// Bytes of the index of grams among parts.
pub(crate) fn gram_bytes(parts: &[(String, u64)]) -> u64 {
    parts.iter().filter(|(name, _)| GRAM_SECTIONS.contains(&name.as_str())).map(|(_, bytes)| bytes).sum()
}

fn inspect(file: &Path) -> Result<Inspected> {
    let output = Command::new(sibling("gz")?).args(["inspect", "segment", "--json"]).arg(file).output()?;
    ensure!(output.status.success(), "gz inspect segment {} failed: {}", file.display(), output.status);
    serde_json::from_slice(&output.stdout).context("gz inspect segment prints JSON")
}

fn segment_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            segment_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "seg") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_by_what_they_hold_and_no_byte_twice() {
        let printed = r#"{"bytes": 100, "sections": [{"name": "header", "bytes": 10}, {"name": "frames", "bytes": 60},
            {"name": "gram pages", "bytes": 20}, {"name": "gram directory", "bytes": 10}],
            "blocks": [{"frames": [{"name": "codes", "packed_bytes": 15}, {"name": "unit", "packed_bytes": 20}]},
                       {"frames": [{"name": "codes", "packed_bytes": 5}, {"name": "unit", "packed_bytes": 20}]}]}"#;
        let mut disk = Disk::default();
        disk.add(&serde_json::from_str(printed).expect("as gz prints it"));
        assert_eq!((disk.store_bytes(), disk.segments["codes"], disk.segments["values"]), (100, 20, 40));
        assert_eq!(gram_bytes(&disk.parts()), 30);
    }
}

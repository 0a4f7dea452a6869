//! Short lines: the text of all Rust sources that cargo has unpacked on this machine, a document a line.

use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::{NamedTempFile, TempPath};

/// Bytes of text that are enough.
const BYTES_MAX: usize = 150_000_000;
/// Lines of other lengths are left out, so that all look like lines of a log.
const LINE_BYTES: RangeInclusive<usize> = 30..=400;

/// Writes the corpus to a file of its own.
pub(super) fn of_rust_sources() -> Result<TempPath> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).context("HOME")?;
    let mut files = Vec::new();
    sources(&home.join("registry/src"), &mut files)?;
    files.sort();
    let plain = NamedTempFile::with_suffix(".jsonl")?;
    let mut writer = BufWriter::new(plain.as_file());
    let mut bytes = 0;
    for file in files {
        // A source that is not text is nobody's line.
        let Ok(text) = std::fs::read_to_string(file) else { continue };
        for line in text.lines().filter(|line| LINE_BYTES.contains(&line.len())) {
            writeln!(writer, "{}", json!({ "message": line }))?;
            bytes += line.len();
        }
        if bytes > BYTES_MAX {
            break;
        }
    }
    writer.flush()?;
    drop(writer);
    Ok(plain.into_temp_path())
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sources(&entry.path(), files)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            files.push(entry.path());
        }
    }
    Ok(())
}

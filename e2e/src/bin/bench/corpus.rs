//! The documents of a run, in memory; a plain file of them for who reads files.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use grepzilla_e2e::documents::Sample;
use serde_json::json;
use tempfile::{NamedTempFile, TempPath};

use crate::needle::{EVENTS, LINES, Needle};

/// The window of a packed corpus, as a power of two: `zstd --long=27`.
const WINDOW_LOG: u32 = 27;
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Bytes of text lines that are enough.
const LINES_BYTES_MAX: usize = 150_000_000;
/// Lines of other lengths are left out, so that all look like lines of a log.
const LINE_BYTES: std::ops::RangeInclusive<usize> = 30..=400;

/// One corpus.
pub(crate) struct Corpus {
    /// What it is called.
    pub(crate) name: String,
    /// One JSON object each.
    pub(crate) documents: Vec<String>,
    /// Bytes of all documents with the ends of their lines.
    pub(crate) bytes: u64,
    /// What is searched for in it.
    pub(crate) needles: &'static [Needle],
}

impl Corpus {
    /// Reads a file of NDJSON, or the shipped one.
    pub(crate) fn events(path: Option<&Path>) -> Result<Corpus> {
        let path: PathBuf = path.map_or_else(Sample::path, Path::to_owned);
        let file = std::fs::File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut reader = BufReader::new(file);
        let packed = reader.fill_buf()?.starts_with(ZSTD_MAGIC);
        let lines: Box<dyn Read> = if packed {
            let mut decoder = zstd::Decoder::with_buffer(reader)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Box::new(decoder)
        } else {
            Box::new(reader)
        };
        let documents = BufReader::new(lines).lines().collect::<std::io::Result<Vec<_>>>()?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Corpus::new(name, documents, EVENTS))
    }

    /// Short lines: the text of all Rust sources that cargo has unpacked on this machine, a document a line.
    pub(crate) fn lines() -> Result<Corpus> {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).context("HOME")?;
        let mut files = Vec::new();
        sources(&home.join("registry/src"), &mut files)?;
        files.sort();
        let (mut documents, mut bytes) = (Vec::new(), 0);
        for file in files {
            // A source that is not text is nobody's line.
            let Ok(text) = std::fs::read_to_string(file) else { continue };
            for line in text.lines().filter(|line| LINE_BYTES.contains(&line.len())) {
                documents.push(json!({ "message": line }).to_string());
                bytes += line.len();
            }
            if bytes > LINES_BYTES_MAX {
                break;
            }
        }
        ensure!(!documents.is_empty(), "cargo has unpacked no sources on this machine");
        Ok(Corpus::new("lines of Rust sources".to_owned(), documents, LINES))
    }

    fn new(name: String, documents: Vec<String>, needles: &'static [Needle]) -> Corpus {
        let bytes = documents.iter().map(|document| document.len() as u64 + 1).sum();
        Corpus { name, documents, bytes, needles }
    }

    /// Writes all documents to a file, one a line; it goes with the path.
    pub(crate) fn to_file(&self) -> Result<TempPath> {
        let file = NamedTempFile::with_suffix(".jsonl")?;
        let mut writer = BufWriter::new(file.as_file());
        for document in &self.documents {
            writeln!(writer, "{document}")?;
        }
        writer.flush()?;
        drop(writer);
        Ok(file.into_temp_path())
    }
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

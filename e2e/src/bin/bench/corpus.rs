//! The documents of a run, in memory for Grepzilla and as a plain file for ripgrep.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use grepzilla_e2e::documents::Sample;
use tempfile::NamedTempFile;

/// The window of a packed corpus, as a power of two: `zstd --long=27`.
const WINDOW_LOG: u32 = 27;
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// One corpus.
pub(crate) struct Corpus {
    /// What it is called.
    pub(crate) name: String,
    /// One JSON object each.
    pub(crate) documents: Vec<String>,
    /// Bytes of all lines, their ends included.
    pub(crate) bytes: usize,
    /// The same lines, not packed.
    pub(crate) plain: NamedTempFile,
}

impl Corpus {
    /// Reads a file, or the shipped one.
    pub(crate) fn load(path: Option<&Path>) -> Result<Corpus> {
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
        let mut plain = NamedTempFile::new()?;
        for line in &documents {
            writeln!(plain, "{line}")?;
        }
        let bytes = documents.iter().map(|line| line.len() + 1).sum();
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Corpus { name, documents, bytes, plain })
    }
}

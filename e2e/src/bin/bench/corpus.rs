//! The documents of a run: one JSON object a line in a plain file. They are read from it whenever they are needed and never
//! held as a whole, so that a corpus may be larger than memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use grepzilla_e2e::documents::Sample;
use tempfile::{NamedTempFile, TempPath};

use crate::needle::{EVENTS, LINES, Needle};

pub(crate) use repeated::repeated;

mod lines;
mod repeated;

/// The window of a packed corpus, as a power of two: `zstd --long=27`.
const WINDOW_LOG: u32 = 27;
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Bytes of a file that are read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// One corpus.
pub(crate) struct Corpus {
    /// What it is called.
    pub(crate) name: String,
    /// What its documents look like.
    pub(crate) kind: Kind,
    /// How many there are.
    pub(crate) documents: u64,
    /// Bytes of all of them with the ends of their lines.
    pub(crate) bytes: u64,
    file: PlainFile,
}

/// What documents look like; the bars on sizes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Events with many fields.
    Events,
    /// A short line of text in a field.
    Lines,
}

/// Where the documents are.
enum PlainFile {
    Given(PathBuf),
    /// Goes with the corpus.
    Made(TempPath),
}

/// Whole lines of a file.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    path: PathBuf,
    from: u64,
    to: u64,
}

/// Documents of a stretch, one a line, without the last line's end.
pub(crate) struct Body {
    pub(crate) documents: usize,
    pub(crate) text: String,
}

impl Corpus {
    /// A file of NDJSON, or the shipped one. A packed one is unpacked to a file beside it.
    pub(crate) fn events(path: Option<&Path>) -> Result<Corpus> {
        let path: PathBuf = path.map_or_else(Sample::path, Path::to_owned);
        let mut file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(ZSTD_MAGIC.len() as u64).read_to_end(&mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if magic != ZSTD_MAGIC {
            return Corpus::of_file(name, Kind::Events, PlainFile::Given(path));
        }
        eprintln!("{name}: unpacking ...");
        let mut decoder = zstd::Decoder::new(file)?;
        decoder.window_log_max(WINDOW_LOG)?;
        let plain = NamedTempFile::with_suffix(".jsonl")?;
        std::io::copy(&mut decoder, &mut plain.as_file())?;
        Corpus::of_file(name, Kind::Events, PlainFile::Made(plain.into_temp_path()))
    }

    /// Short lines of text that this machine has.
    pub(crate) fn lines() -> Result<Corpus> {
        let file = PlainFile::Made(lines::of_rust_sources()?);
        Corpus::of_file("lines of Rust sources".to_owned(), Kind::Lines, file)
    }

    fn of_file(name: String, kind: Kind, file: PlainFile) -> Result<Corpus> {
        let mut corpus = Corpus { name, kind, documents: 0, bytes: 0, file };
        corpus.bytes = std::fs::metadata(corpus.path())?.len();
        corpus.documents = count_lines(corpus.path())?;
        ensure!(corpus.documents > 0, "{} has no documents", corpus.name);
        Ok(corpus)
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        match &self.file {
            PlainFile::Given(path) => path,
            PlainFile::Made(path) => path,
        }
    }

    /// What is searched for in it.
    pub(crate) fn needles(&self) -> &'static [Needle] {
        match self.kind {
            Kind::Events => EVENTS,
            Kind::Lines => LINES,
        }
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Stretch {
        Stretch { path: self.path().to_owned(), from: 0, to: self.bytes }
    }

    /// From the first line that begins at `from` or behind it to the one within which `to` lies.
    pub(crate) fn stretch(&self, from: u64, to: u64) -> Result<Stretch> {
        let path = self.path().to_owned();
        Ok(Stretch { from: self.line_start(from)?, to: self.line_start(to)?, path })
    }

    fn line_start(&self, at: u64) -> Result<u64> {
        if at == 0 || at >= self.bytes {
            return Ok(at.min(self.bytes));
        }
        let mut file = File::open(self.path())?;
        // The byte before tells whether a line begins right here.
        file.seek(SeekFrom::Start(at - 1))?;
        let skipped = BufReader::new(file).skip_until(b'\n')?;
        Ok(at - 1 + skipped as u64)
    }
}

impl Stretch {
    /// Bytes of its lines with their ends.
    pub(crate) fn bytes(&self) -> u64 {
        self.to - self.from
    }

    /// Its documents, `documents` at a time.
    pub(crate) fn bodies(&self, documents: usize) -> Result<impl Iterator<Item = Result<Body>> + use<>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut lines = BufReader::with_capacity(BUFFER_BYTES, file.take(self.bytes())).lines();
        Ok(std::iter::from_fn(move || body(&mut lines, documents).transpose()))
    }
}

fn body(lines: &mut impl Iterator<Item = std::io::Result<String>>, documents: usize) -> Result<Option<Body>> {
    let mut body = Body { documents: 0, text: String::new() };
    for line in lines.take(documents) {
        if body.documents > 0 {
            body.text.push('\n');
        }
        body.text.push_str(&line?);
        body.documents += 1;
    }
    Ok((body.documents > 0).then_some(body))
}

fn count_lines(path: &Path) -> Result<u64> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let mut lines = 0;
    while reader.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn corpus(text: &str) -> Corpus {
        let file = NamedTempFile::new().expect("a temporary file");
        file.as_file().write_all(text.as_bytes()).expect("room for a few bytes");
        Corpus::of_file("a test's".to_owned(), Kind::Events, PlainFile::Made(file.into_temp_path())).expect("documents")
    }

    fn texts(stretch: &Stretch, documents: usize) -> Vec<String> {
        stretch.bodies(documents).expect("the file is there").map(|body| body.expect("text").text).collect()
    }

    #[test]
    fn stretches_are_whole_lines_and_together_everything() {
        let corpus = corpus("{\"a\":1}\n{\"b\":22}\n{\"c\":333}\n");
        assert_eq!((corpus.documents, texts(&corpus.whole(), 2).len()), (3, 2));
        for cut in 0..=corpus.bytes {
            let [first, second] =
                [(0, cut), (cut, corpus.bytes)].map(|(from, to)| corpus.stretch(from, to).expect("valid"));
            let both: Vec<String> = [texts(&first, 1), texts(&second, 1)].concat();
            assert_eq!(both, ["{\"a\":1}", "{\"b\":22}", "{\"c\":333}"], "cut at {cut}");
            assert_eq!(first.bytes() + second.bytes(), corpus.bytes, "cut at {cut}");
        }
    }

    #[test]
    fn a_last_line_without_an_end_is_a_document() {
        let corpus = corpus("{}\n{}");
        assert_eq!(corpus.documents, 2);
        assert_eq!(texts(&corpus.whole(), 5), ["{}\n{}"]);
    }
}

//! Lines of a file or of standard input, unpacked by what its first bytes say, with their numbers.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll, ready};

use anyhow::{Context, Result, bail};
use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, ReadBuf};

/// The longest line that is read: more than any node takes.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// The window a zstd file may ask for, as a power of two: what `zstd --long=27` writes takes 128 MiB of memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// Bytes read from a file at once: few, because a packed file holds a hundred times as much, and the bar shall move.
const READ_BYTES: usize = 32 << 10;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Where documents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// The lines of one source. A line that holds nothing but white space is passed over, but counted.
pub(super) struct Lines {
    name: Arc<str>,
    reader: Box<dyn AsyncBufRead + Unpin + Send>,
    number: u64,
}

impl Source {
    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Source::Stdin => "standard input".to_owned(),
            Source::File(path) => path.display().to_string(),
        }
    }

    /// How many bytes it has as it lies on disk. `None`: that cannot be known.
    pub(super) fn bytes(&self) -> Option<u64> {
        let Source::File(path) = self else { return None };
        let metadata = std::fs::metadata(path).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    /// Opens it; `read` is raised by every byte that is read, before it is unpacked.
    pub(super) async fn open(&self, read: Arc<AtomicU64>) -> Result<Lines> {
        let raw: Box<dyn AsyncRead + Unpin + Send> = match self {
            Source::Stdin => Box::new(tokio::io::stdin()),
            Source::File(path) => Box::new(open_file(path).await?),
        };
        let reader = unpacked(BufReader::with_capacity(READ_BYTES, Counted { inner: raw, read })).await;
        let name = self.name().into();
        Ok(Lines { reader: reader.with_context(|| format!("cannot read {name}"))?, name, number: 0 })
    }
}

async fn open_file(path: &Path) -> Result<tokio::fs::File> {
    let file = tokio::fs::File::open(path).await.with_context(|| format!("cannot open {}", path.display()))?;
    if file.metadata().await?.is_dir() {
        bail!("{} is a folder", path.display());
    }
    Ok(file)
}

async fn unpacked(mut raw: impl AsyncBufRead + Unpin + Send + 'static) -> Result<Box<dyn AsyncBufRead + Unpin + Send>> {
    let start = raw.fill_buf().await?;
    if start.starts_with(GZIP_MAGIC) {
        let mut decoder = GzipDecoder::new(raw);
        decoder.multiple_members(true);
        Ok(Box::new(BufReader::with_capacity(READ_BYTES, decoder)))
    } else if start.starts_with(ZSTD_MAGIC) {
        let mut decoder = ZstdDecoder::with_params(raw, &[DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)]);
        decoder.multiple_members(true);
        Ok(Box::new(BufReader::with_capacity(READ_BYTES, decoder)))
    } else {
        Ok(Box::new(raw))
    }
}

impl Lines {
    /// What the source is called.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The next line that holds something, without its end, in `line`; answers its number, from 1. `None`: that was all.
    pub(super) async fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<u64>> {
        loop {
            line.clear();
            let mut bounded = (&mut self.reader).take(LINE_BYTES_MAX + 1);
            let read = bounded.read_until(b'\n', line).await;
            self.number += 1;
            if read.with_context(|| format!("cannot read {} at line {}", self.name, self.number))? == 0 {
                return Ok(None);
            }
            if line.len() as u64 > LINE_BYTES_MAX {
                bail!("{} line {} is longer than {} MiB", self.name, self.number, LINE_BYTES_MAX >> 20);
            }
            line.truncate(line.trim_ascii_end().len());
            if !line.is_empty() {
                return Ok(Some(self.number));
            }
        }
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        self.read.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    async fn lines_of(bytes: &[u8]) -> Result<Vec<(u64, String)>> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        let read = Arc::new(AtomicU64::new(0));
        let mut lines = Source::File(file.path().to_owned()).open(Arc::clone(&read)).await?;
        let (mut found, mut line) = (Vec::new(), Vec::new());
        while let Some(number) = lines.next(&mut line).await? {
            found.push((number, String::from_utf8_lossy(&line).into_owned()));
        }
        assert_eq!(read.load(Ordering::Relaxed), bytes.len() as u64);
        Ok(found)
    }

    #[tokio::test]
    async fn empty_lines_are_passed_over_and_counted_and_the_last_line_needs_no_end() {
        let found = lines_of(b"{\"a\":1}\r\n\n  \n{\"b\":2}").await.expect("readable");
        assert_eq!(found, [(1, "{\"a\":1}".to_owned()), (4, "{\"b\":2}".to_owned())]);
        assert!(lines_of(b"").await.expect("readable").is_empty());
    }

    #[tokio::test]
    async fn gzip_and_zstd_are_known_by_their_first_bytes_even_in_several_pieces() {
        // `printf 'one\n' | gzip -n` and `printf 'two\n' | gzip -n`.
        let one = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\xcf\x4b\xe5\x02\x00\x9f\xa8\x17\xf8\x04\x00\x00\x00";
        let both = [(1, "one".to_owned()), (2, "two".to_owned())];
        assert_eq!(lines_of(one).await.expect("gzip"), both[..1]);
        let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).expect("packs");
        assert_eq!(lines_of(&[zstd("one\n"), zstd("two\n")].concat()).await.expect("zstd"), both);
    }

    #[tokio::test]
    async fn a_zstd_file_with_a_window_of_128_mib_is_read() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.long_distance_matching(true).and_then(|()| encoder.window_log(27)).expect("settings");
        encoder.write_all(b"{\"a\":1}\n").expect("packs");
        assert_eq!(lines_of(&encoder.finish().expect("packs")).await.expect("readable").len(), 1);
    }

    #[tokio::test]
    async fn a_damaged_file_is_an_error_that_names_it() {
        let packed = zstd::encode_all(&b"{\"a\":1}\n"[..], 1).expect("packs");
        let error = lines_of(&packed[..packed.len() - 3]).await.expect_err("cut short");
        assert!(format!("{error:#}").contains("cannot read /"), "{error:#}");
    }
}

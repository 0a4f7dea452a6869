//! Lines put together into bodies of a bounded size that remember where each document came from.

use std::sync::Arc;

use bytes::Bytes;

/// Documents that are sent together, all from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// What the source is called.
    pub(super) source: Arc<str>,
    /// One document a line.
    pub(super) body: Bytes,
    /// The line number of each document.
    pub(super) lines: Vec<u64>,
}

impl Batch {
    /// How many documents.
    pub(super) fn documents(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Where its documents stand: `events.jsonl lines 1-20`.
    pub(super) fn place(&self) -> String {
        match self.lines.as_slice() {
            [first, .., last] => format!("{} lines {first}-{last}", self.source),
            [one] => format!("{} line {one}", self.source),
            [] => self.source.to_string(),
        }
    }

    /// Where one document stands, as an editor understands it: `events.jsonl:17`.
    pub(super) fn place_of(&self, index: usize) -> String {
        match self.lines.get(index) {
            Some(line) => format!("{}:{line}", self.source),
            None => self.place(),
        }
    }
}

/// A batch that is growing.
#[derive(Debug)]
pub(super) struct BatchBuilder {
    source: Arc<str>,
    bytes_max: usize,
    body: Vec<u8>,
    lines: Vec<u64>,
}

impl BatchBuilder {
    pub(super) fn new(source: Arc<str>, bytes_max: usize) -> BatchBuilder {
        BatchBuilder { source, bytes_max, body: Vec::new(), lines: Vec::new() }
    }

    /// Adds a document. Answers the batch before it, if both together would be too large; a document that is too large
    /// by itself becomes a batch by itself.
    pub(super) fn push(&mut self, number: u64, line: &[u8]) -> Option<Batch> {
        let full = self.body.len() + line.len() + 1 > self.bytes_max;
        let before = if full { self.finish() } else { None };
        self.body.extend_from_slice(line);
        self.body.push(b'\n');
        self.lines.push(number);
        before
    }

    /// What is left. `None`: nothing.
    pub(super) fn finish(&mut self) -> Option<Batch> {
        if self.lines.is_empty() {
            return None;
        }
        let next = Vec::with_capacity(self.body.capacity());
        let body = std::mem::replace(&mut self.body, next).into();
        Some(Batch { source: Arc::clone(&self.source), body, lines: std::mem::take(&mut self.lines) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_stay_within_their_size_and_know_their_lines() {
        let mut builder = BatchBuilder::new("f".into(), 8);
        assert_eq!(builder.push(1, b"abc"), None);
        assert_eq!(builder.push(3, b"def"), None);
        let first = builder.push(4, b"g").expect("four more bytes do not fit");
        assert_eq!((first.body.as_ref(), first.lines.as_slice()), (&b"abc\ndef\n"[..], &[1, 3][..]));
        assert_eq!((first.place(), first.place_of(1)), ("f lines 1-3".to_owned(), "f:3".to_owned()));
        let second = builder.push(5, b"a line of its own").expect("the short one goes first");
        assert_eq!(second.lines, [4]);
        let third = builder.finish().expect("the long one is left");
        assert_eq!((third.place(), third.documents()), ("f line 5".to_owned(), 1));
        assert_eq!(builder.finish(), None);
    }
}

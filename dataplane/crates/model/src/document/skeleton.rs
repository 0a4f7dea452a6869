//! A stored document taken apart into its skeleton and its leaf values, and put together again.
//!
//! The skeleton is the document's text with each leaf value cut out: [`TEXT_HOLE`] stands for a string, whose quotes go with it, and
//! [`WORD_HOLE`] for a number or a boolean. Keys, `null`, braces and empty containers stay as they are written:
//!
//! ```text
//! {"a":"x\n","b":[1,true,null,{}],"c":""}      the document
//! {"a":␁,"b":[␂,␂,null,{}],"c":␁}              its skeleton
//! x⏎   1   true   (nothing)                    its values
//! ```
//!
//! Neither byte occurs elsewhere in a skeleton, because JSON escapes control characters in keys. What is put together equals what was
//! taken apart but for the spelling of escapes in values. The holes are in the order of [`walk_leaves`](super::walk_leaves) and
//! have its paths.

use super::DEPTH_CEILING;
use super::scan::{letter_of_escape, string_stop, unescape_into, unescaped};
use crate::path::FieldPath;

/// Stands for a string with its quotes.
pub const TEXT_HOLE: u8 = 0x01;

/// Stands for a number or a boolean.
pub const WORD_HOLE: u8 = 0x02;

/// The skeleton of what is no checked document: all of the text is one value, without a path.
const WHOLE: &[u8] = &[WORD_HOLE];

/// One document taken apart; the room is kept from one to the next.
#[derive(Debug, Default)]
pub struct Parted {
    skeleton: Vec<u8>,
    leaves: Vec<Leaf>,
    /// The values that were written with escapes.
    unescaped: String,
    /// The bytes that they are shorter without.
    saved: usize,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
struct Leaf {
    start: u32,
    end: u32,
    is_unescaped: bool,
}

impl Parted {
    /// Takes a document of less than 4 GiB apart, in one pass. Any text comes back when it is put together: what is not checked and without
    /// white space is one value.
    pub fn take(&mut self, source: &str) {
        self.clear();
        if !self.split(source) {
            self.take_whole(source);
        }
    }

    /// Takes the whole text as one value.
    pub fn take_whole(&mut self, source: &str) {
        self.clear();
        self.skeleton.extend_from_slice(WHOLE);
        self.push(0, source.len(), false);
    }

    /// The skeleton of the document.
    pub fn skeleton(&self) -> &[u8] {
        &self.skeleton
    }

    /// The text of the value of each hole of `source`, which is the text that was taken apart.
    pub fn leaves<'a>(&'a self, source: &'a str) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.leaves.iter().map(move |leaf| {
            let from = if leaf.is_unescaped { &self.unescaped } else { source };
            &from.as_bytes()[leaf.start as usize..leaf.end as usize]
        })
    }

    /// By how many bytes the values are shorter than they were written, because of escapes.
    pub fn bytes_saved(&self) -> usize {
        self.saved
    }

    fn clear(&mut self) {
        self.skeleton.clear();
        self.leaves.clear();
        self.unescaped.clear();
        self.saved = 0;
    }

    /// False where the text is seen not to be a checked document.
    fn split(&mut self, source: &str) -> bool {
        let bytes = source.as_bytes();
        let (mut at, mut copied) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            let (end, hole) = match byte {
                b'"' => {
                    let Some((end, has_escapes)) = text_end(bytes, at + 1) else { return false };
                    // Only a key has a colon behind it.
                    if bytes.get(end + 1) == Some(&b':') {
                        at = end + 2;
                        continue;
                    }
                    self.text(source, at + 1, end, has_escapes);
                    (end + 1, TEXT_HOLE)
                }
                b'-' | b'0'..=b'9' | b't' | b'f' => {
                    let end = word_end(bytes, at + 1);
                    self.push(at, end, false);
                    (end, WORD_HOLE)
                }
                b'n' if bytes[at..].starts_with(b"null") => {
                    at += 4;
                    continue;
                }
                b'{' | b'}' | b'[' | b']' | b',' => {
                    at += 1;
                    continue;
                }
                _ => return false,
            };
            self.skeleton.extend_from_slice(&bytes[copied..at]);
            self.skeleton.push(hole);
            (at, copied) = (end, end);
        }
        match bytes.get(copied..) {
            Some(rest) if at == bytes.len() && at > 0 => self.skeleton.extend_from_slice(rest),
            _ => return false,
        }
        true
    }

    fn text(&mut self, source: &str, start: usize, end: usize, has_escapes: bool) {
        if !has_escapes {
            return self.push(start, end, false);
        }
        let from = self.unescaped.len();
        unescape_into(&source[start..end], &mut self.unescaped);
        self.saved += (end - start).saturating_sub(self.unescaped.len() - from);
        self.push(from, self.unescaped.len(), true);
    }

    fn push(&mut self, start: usize, end: usize, is_unescaped: bool) {
        let narrow = |offset| u32::try_from(offset).expect("a document has less than 4 GiB");
        self.leaves.push(Leaf { start: narrow(start), end: narrow(end), is_unescaped });
    }
}

/// The closing quote of a string whose text begins at `start`, and whether it has escapes.
fn text_end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = string_stop(bytes, start);
    let mut has_escapes = false;
    while bytes.get(at) == Some(&b'\\') {
        has_escapes = true;
        at = string_stop(bytes, at + 2);
    }
    (bytes.get(at) == Some(&b'"')).then_some((at, has_escapes))
}

/// The end of a number or a boolean.
fn word_end(bytes: &[u8], start: usize) -> usize {
    let is_inside = |byte: &u8| !matches!(byte, b',' | b'}' | b']');
    let mut at = start;
    while bytes.get(at).is_some_and(is_inside) {
        at += 1;
    }
    at
}

/// A skeleton that no document has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a skeleton is broken at byte {offset}")]
pub struct BrokenSkeleton {
    /// Where.
    pub offset: usize,
}

/// Calls `visit` with the path of each hole, in order.
pub fn hole_paths(skeleton: &str, visit: impl FnMut(&str)) -> Result<(), BrokenSkeleton> {
    let mut walker = Walker { skeleton, at: 0, depth: 0, path: FieldPath::default(), visit };
    walker.value()?;
    if walker.at == skeleton.len() { Ok(()) } else { Err(walker.broken()) }
}

struct Walker<'a, V> {
    skeleton: &'a str,
    at: usize,
    depth: usize,
    path: FieldPath,
    visit: V,
}

impl<V: FnMut(&str)> Walker<'_, V> {
    fn value(&mut self) -> Result<(), BrokenSkeleton> {
        match self.byte() {
            TEXT_HOLE | WORD_HOLE => {
                self.at += 1;
                (self.visit)(self.path.as_str());
                Ok(())
            }
            b'{' => self.container(b'}', Self::member),
            b'[' => self.container(b']', Self::value),
            _ if self.skeleton.as_bytes()[self.at..].starts_with(b"null") => {
                self.at += 4;
                Ok(())
            }
            _ => Err(self.broken()),
        }
    }

    fn container(
        &mut self,
        end: u8,
        element: fn(&mut Self) -> Result<(), BrokenSkeleton>,
    ) -> Result<(), BrokenSkeleton> {
        if self.depth == DEPTH_CEILING {
            return Err(self.broken());
        }
        self.depth += 1;
        self.at += 1;
        if self.byte() != end {
            element(self)?;
            while self.byte() == b',' {
                self.at += 1;
                element(self)?;
            }
        }
        if self.byte() != end {
            return Err(self.broken());
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    fn member(&mut self) -> Result<(), BrokenSkeleton> {
        let start = self.at + 1;
        let end = text_end(self.skeleton.as_bytes(), start).filter(|_| self.byte() == b'"');
        let Some((end, _)) = end else { return Err(self.broken()) };
        let mark = self.path.enter(&unescaped(&self.skeleton[start..end]));
        self.at = end + 1;
        if self.byte() != b':' {
            return Err(self.broken());
        }
        self.at += 1;
        self.value()?;
        self.path.leave(mark);
        Ok(())
    }

    /// The byte here; 0, which no value begins with, at the end.
    fn byte(&self) -> u8 {
        self.skeleton.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn broken(&self) -> BrokenSkeleton {
        BrokenSkeleton { offset: self.at }
    }
}

/// Appends the document of a skeleton to `source`; `next` gives the value of each hole in order. All are UTF-8.
pub fn put_together<'v>(skeleton: &str, mut next: impl FnMut() -> &'v [u8], source: &mut Vec<u8>) {
    let mut rest = skeleton.as_bytes();
    while let Some(hole) = rest.iter().position(|byte| matches!(*byte, TEXT_HOLE | WORD_HOLE)) {
        source.extend_from_slice(&rest[..hole]);
        if rest[hole] == TEXT_HOLE {
            source.push(b'"');
            escape_into(next(), source);
            source.push(b'"');
        } else {
            source.extend_from_slice(next());
        }
        rest = &rest[hole + 1..];
    }
    source.extend_from_slice(rest);
}

/// Appends the text of a string as JSON writes it, in the shortest way.
fn escape_into(text: &[u8], source: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    loop {
        let stop = string_stop(rest, 0);
        source.extend_from_slice(&rest[..stop]);
        let Some(byte) = rest.get(stop) else { return };
        match letter_of_escape(*byte) {
            Some(letter) => source.extend([b'\\', letter]),
            None => {
                let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xF)]];
                source.extend_from_slice(b"\\u00");
                source.extend(digits);
            }
        }
        rest = &rest[stop + 1..];
    }
}

#[cfg(test)]
mod tests;

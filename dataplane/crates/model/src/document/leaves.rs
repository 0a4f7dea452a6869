//! The walk over a stored document's leaves: what a search sees of it.

use std::ops::ControlFlow;

use super::DEPTH_CEILING;
use super::scan::{skip_white_space, string_stop, unescape_into};
use crate::path::FieldPath;

/// Calls `visit(path, value)` for each leaf in the order of the document, until it breaks: strings as text, numbers and
/// booleans as they are written; null is no leaf. The elements of an array share its path.
///
/// `source` is a document that was checked. Of anything else the walk sees some leaves or none; it never panics.
pub fn walk_leaves<V>(source: &str, visit: V)
where
    V: FnMut(&str, &str) -> ControlFlow<()>,
{
    let mut walker = Walker {
        source,
        bytes: source.as_bytes(),
        at: skip_white_space(source.as_bytes(), 0),
        depth: 0,
        path: FieldPath::default(),
        key: String::new(),
        text: String::new(),
        visit,
    };
    let _stopped_early = walker.value();
}

struct Walker<'a, V> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    path: FieldPath,
    /// Room for a key with escapes.
    key: String,
    /// Room for a value with escapes.
    text: String,
    visit: V,
}

impl<V> Walker<'_, V>
where
    V: FnMut(&str, &str) -> ControlFlow<()>,
{
    fn value(&mut self) -> ControlFlow<()> {
        match self.byte() {
            b'{' => self.container(b'}', Self::member),
            b'[' => self.container(b']', Self::value),
            b'"' => {
                let (start, end) = self.string()?;
                let value = text(&self.source[start..end], &mut self.text);
                (self.visit)(self.path.as_str(), value)
            }
            b'n' => {
                self.at += 4;
                ControlFlow::Continue(())
            }
            b'-' | b'0'..=b'9' | b't' | b'f' => {
                let start = self.at;
                while matches!(self.byte(), b'0'..=b'9' | b'a'..=b'z' | b'-' | b'+' | b'.' | b'E') {
                    self.at += 1;
                }
                (self.visit)(self.path.as_str(), &self.source[start..self.at])
            }
            _ => ControlFlow::Break(()),
        }
    }

    fn container(&mut self, end: u8, element: fn(&mut Self) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.depth == DEPTH_CEILING {
            return ControlFlow::Break(());
        }
        self.depth += 1;
        self.advance();
        while self.byte() != end {
            element(self)?;
            self.white_space();
            match self.byte() {
                b',' => self.advance(),
                byte if byte == end => break,
                _ => return ControlFlow::Break(()),
            }
        }
        self.at += 1;
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn member(&mut self) -> ControlFlow<()> {
        if self.byte() != b'"' {
            return ControlFlow::Break(());
        }
        let (start, end) = self.string()?;
        let mark = self.path.enter(text(&self.source[start..end], &mut self.key));
        self.white_space();
        if self.byte() != b':' {
            return ControlFlow::Break(());
        }
        self.advance();
        self.value()?;
        self.path.leave(mark);
        ControlFlow::Continue(())
    }

    /// Goes past a string; gives where its text stands, without the quotes.
    fn string(&mut self) -> ControlFlow<(), (usize, usize)> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            at = string_stop(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
                None => return ControlFlow::Break(()),
            }
        }
        self.at = at + 1;
        ControlFlow::Continue((start, at))
    }

    /// The byte here; 0, which no JSON begins with, at the end.
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Past this byte and the white space behind it.
    fn advance(&mut self) {
        self.at += 1;
        self.white_space();
    }

    fn white_space(&mut self) {
        if self.byte() <= b' ' {
            self.at = skip_white_space(self.bytes, self.at);
        }
    }
}

/// The text of a string without its quotes; `room` holds it when it has escapes.
fn text<'a>(raw: &'a str, room: &'a mut String) -> &'a str {
    if !raw.as_bytes().contains(&b'\\') {
        return raw;
    }
    room.clear();
    unescape_into(raw, room);
    room
}

//! The strict reading of a document: syntax, limits, duplicate keys, lone surrogates; and where `_id` and the time stand.

use std::borrow::Cow;
use std::collections::HashSet;

use super::faults::Faults;
use super::scan::{simple_escape, skip_white_space, string_stop, unescaped, unicode_escape};
use super::stamp::TIME_FIELDS;
use super::{DEPTH_CEILING, DocumentError, DocumentLimits};
use crate::path::FieldPath;

/// For how many keys there is room from the beginning: a document has some, and growing costs more than the room.
const KEYS_AT_FIRST: usize = 16;

/// What the reading found.
#[derive(Debug, Default)]
pub(super) struct Checked<'a> {
    /// The value of the top-level `_id` as it is written.
    pub(super) id: Option<&'a str>,
    /// The values of the top-level [`TIME_FIELDS`] as they are written.
    pub(super) times: [Option<&'a str>; TIME_FIELDS.len()],
    /// Offsets of the escapes of lone surrogates, ascending.
    pub(super) lone_surrogates: Vec<usize>,
    /// Whether there is white space between tokens.
    pub(super) has_white_space: bool,
}

/// Reads a document without surrounding white space. Where `faults` are gathered, what is found is right only as far as the
/// document is.
pub(super) fn check<'a>(
    text: &'a str,
    limits: &'a DocumentLimits,
    faults: &mut Faults,
) -> Result<Checked<'a>, DocumentError> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        depth: 0,
        leaves: 0,
        path: FieldPath::default(),
        keys: Keys { few: Vec::with_capacity(KEYS_AT_FIRST), ..Keys::default() },
        limits,
        faults,
        checked: Checked::default(),
    };
    let is_object = text.starts_with('{');
    reader.value()?;
    if reader.at < text.len() {
        return Err(reader.syntax("the end of the document"));
    }
    if is_object { Ok(reader.checked) } else { Err(DocumentError::NotAnObject) }
}

struct Reader<'a, 'f> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    leaves: usize,
    path: FieldPath,
    /// Of the objects that are open.
    keys: Keys<'a>,
    limits: &'a DocumentLimits,
    faults: &'f mut Faults,
    checked: Checked<'a>,
}

impl<'a> Reader<'a, '_> {
    fn value(&mut self) -> Result<(), DocumentError> {
        match self.bytes.get(self.at) {
            Some(b'{') => self.nested(Reader::object),
            Some(b'[') => self.nested(Reader::array),
            Some(b'"') => {
                let (_, text_bytes) = self.string()?;
                self.leaf(text_bytes)
            }
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.number()?;
                self.leaf(self.at - start)
            }
            Some(b't') => self.word("true").and_then(|()| self.leaf(4)),
            Some(b'f') => self.word("false").and_then(|()| self.leaf(5)),
            Some(b'n') => self.word("null"),
            _ => Err(self.syntax("a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<(), DocumentError>) -> Result<(), DocumentError> {
        self.depth += 1;
        let max = self.limits.depth_max.min(DEPTH_CEILING);
        if self.depth > max {
            let error = DocumentError::TooDeep { field: self.path.as_str().to_owned(), max };
            if self.depth > DEPTH_CEILING {
                return Err(error);
            }
            if self.depth == max + 1 {
                self.faults.found(error)?;
            }
        }
        self.at += 1;
        self.white_space();
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), DocumentError> {
        if self.bytes.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Ok(());
        }
        let outer = self.keys.open();
        loop {
            self.member()?;
            if self.closes(b'}', "`,` or `}`")? {
                self.keys.close(outer);
                return Ok(());
            }
        }
    }

    fn array(&mut self) -> Result<(), DocumentError> {
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value()?;
            if self.closes(b']', "`,` or `]`")? {
                return Ok(());
            }
        }
    }

    /// After an element: whether the container ends here.
    fn closes(&mut self, end: u8, expected: &'static str) -> Result<bool, DocumentError> {
        self.white_space();
        let byte = self.bytes.get(self.at).copied();
        if byte != Some(end) && byte != Some(b',') {
            return Err(self.syntax(expected));
        }
        self.at += 1;
        if byte == Some(b',') {
            self.white_space();
        }
        Ok(byte == Some(end))
    }

    fn member(&mut self) -> Result<(), DocumentError> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.syntax("a key"));
        }
        let (raw, _) = self.string()?;
        let key = unescaped(raw);
        let mark = self.path.enter(&key);
        self.check_path()?;
        let field = self.top_level_field(&key);
        if !self.keys.insert(key) {
            self.faults.found(DocumentError::DuplicateKey { field: self.path.as_str().to_owned() })?;
        }
        self.white_space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.syntax("`:`"));
        }
        self.at += 1;
        self.white_space();
        let start = self.at;
        self.value()?;
        if let Some(field) = field {
            self.keep(field, &self.text[start..self.at]);
        }
        self.path.leave(mark);
        Ok(())
    }

    fn check_path(&mut self) -> Result<(), DocumentError> {
        let (path, max) = (self.path.as_str(), self.limits.path_bytes_max);
        if path.len() <= max {
            return Ok(());
        }
        let field = path.chars().take(max.min(200)).collect();
        let found = path.len();
        self.faults.found(DocumentError::PathTooLong { field, found, max })
    }

    fn top_level_field(&self, key: &str) -> Option<TopLevelField> {
        if self.depth != 1 {
            return None;
        }
        let time = || TIME_FIELDS.iter().position(|field| *field == key).map(TopLevelField::Time);
        if key == "_id" { Some(TopLevelField::Id) } else { time() }
    }

    fn keep(&mut self, field: TopLevelField, value: &'a str) {
        match field {
            TopLevelField::Id => self.checked.id = Some(value),
            TopLevelField::Time(position) => self.checked.times[position] = Some(value),
        }
    }

    fn leaf(&mut self, found: usize) -> Result<(), DocumentError> {
        let field = || self.path.as_str().to_owned();
        let (value_max, leaves_max) = (self.limits.value_bytes_max, self.limits.leaves_max);
        if found > value_max {
            self.faults.found(DocumentError::ValueTooLong { field: field(), found, max: value_max })?;
        }
        if self.leaves == leaves_max {
            self.faults.found(DocumentError::TooManyLeaves { field: field(), max: leaves_max })?;
        }
        self.leaves += 1;
        Ok(())
    }

    /// Reads a string; gives it as written without its quotes, and the bytes of its text.
    fn string(&mut self) -> Result<(&'a str, usize), DocumentError> {
        let start = self.at + 1;
        let mut saved = 0;
        self.at = start;
        loop {
            self.at = string_stop(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => saved += self.escape()?,
                _ => return Err(self.syntax("the rest of a string, with control characters escaped")),
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok((raw, raw.len() - saved))
    }

    /// Reads an escape; gives by how many bytes it is longer than what it stands for.
    fn escape(&mut self) -> Result<usize, DocumentError> {
        let escape = &self.bytes[self.at..];
        if escape.get(1).is_some_and(|letter| simple_escape(*letter).is_some()) {
            self.at += 2;
            return Ok(1);
        }
        let unicode = if escape.get(1) == Some(&b'u') { unicode_escape(escape) } else { None };
        let (character, taken) = unicode.ok_or_else(|| self.syntax("an escape of JSON"))?;
        if character.is_none() {
            self.checked.lone_surrogates.push(self.at);
        }
        self.at += taken;
        Ok(taken - character.unwrap_or(char::REPLACEMENT_CHARACTER).len_utf8())
    }

    fn number(&mut self) -> Result<(), DocumentError> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), DocumentError> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax("a digit")) } else { Ok(()) }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &'static str) -> Result<(), DocumentError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.syntax(word));
        }
        self.at += word.len();
        Ok(())
    }

    fn white_space(&mut self) {
        let end = skip_white_space(self.bytes, self.at);
        self.checked.has_white_space |= end > self.at;
        self.at = end;
    }

    fn syntax(&self, expected: &'static str) -> DocumentError {
        DocumentError::Syntax { offset: self.at, expected }
    }
}

#[derive(Clone, Copy)]
enum TopLevelField {
    Id,
    Time(usize),
}

/// The keys of all objects that are open, the innermost last: compared one by one while they are few, hashed when they are many.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    object: ObjectKeys<'a>,
}

/// Those of the innermost object.
#[derive(Default)]
struct ObjectKeys<'a> {
    /// Where they begin among `few`.
    start: usize,
    /// A bit for each, by its length and its ends: a key whose bit is not there is another one than all of them.
    seen: u64,
    /// Those beyond the few.
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    const FEW: usize = 32;

    /// Begins an object. Answers the one around it.
    fn open(&mut self) -> ObjectKeys<'a> {
        std::mem::replace(&mut self.object, ObjectKeys { start: self.few.len(), ..ObjectKeys::default() })
    }

    /// Ends it.
    fn close(&mut self, outer: ObjectKeys<'a>) {
        self.few.truncate(self.object.start);
        self.object = outer;
    }

    /// Adds a key; false when it was there.
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        let (bit, own) = (bit_of(&key), &self.few[self.object.start..]);
        if self.object.seen & bit != 0 && own.contains(&key) {
            return false;
        }
        self.object.seen |= bit;
        if own.len() < Self::FEW {
            self.few.push(key);
            return true;
        }
        self.object.many.insert(key)
    }
}

fn bit_of(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let ends = bytes.first().zip(bytes.last()).map_or(0, |(first, last)| usize::from(*first) * 7 + usize::from(*last));
    1 << ((bytes.len() * 5 + ends) % 64)
}

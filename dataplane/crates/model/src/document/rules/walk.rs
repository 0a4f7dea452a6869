//! One pass over a checked document that writes it anew as the rules want it.

use super::defaults::{Defaults, Member, Value};
use super::{Amended, DocumentRules, FieldRule, OnExceeded};
use crate::document::DocumentError;
use crate::document::body::value_end;
use crate::document::faults::Faults;
use crate::document::scan::{string_end, unescaped, unicode_escape};
use crate::path::FieldPath;

/// Applies the rules to a document that [`Document`](crate::document::Document) holds: checked, without white space.
/// What was changed keeps the rules, but may be beyond the limits of a whole document.
///
/// Where `faults` are gathered, the document may be beyond its limits, and what is written is of no use.
pub(super) fn apply(
    rules: &DocumentRules,
    source: &str,
    faults: &mut Faults,
) -> Result<(String, Amended), DocumentError> {
    let mut walk = Walk {
        rules,
        source,
        at: 0,
        out: String::with_capacity(source.len()),
        path: FieldPath::default(),
        depth: 0,
        leaves: 0,
        found: vec![false; rules.required.len()],
        amended: Amended::default(),
        faults,
    };
    walk.value(Place { rule: FieldRule::default(), defaults: Some(&rules.defaults), is_id: false })?;
    for (field, _) in rules.required.iter().zip(&walk.found).filter(|(_, found)| !**found) {
        walk.faults.found(DocumentError::MissingField { field: field.clone() })?;
    }
    Ok((walk.out, walk.amended))
}

struct Walk<'a> {
    rules: &'a DocumentRules,
    source: &'a str,
    at: usize,
    out: String,
    path: FieldPath,
    depth: usize,
    leaves: usize,
    /// For each required field, whether it is there.
    found: Vec<bool>,
    amended: Amended,
    faults: &'a mut Faults,
}

/// What is known of a value before it is looked at.
#[derive(Clone, Copy)]
struct Place<'a> {
    rule: FieldRule,
    /// What is added to it if it is an object.
    defaults: Option<&'a Defaults>,
    is_id: bool,
}

impl<'a> Walk<'a> {
    /// Goes past a value. False: it was left out.
    fn value(&mut self, place: Place<'a>) -> Result<bool, DocumentError> {
        match self.byte() {
            b'{' => self.nested(place, Walk::object),
            b'[' => self.nested(place, Walk::array),
            b'"' => self.string(place),
            b'n' => {
                self.copy(self.at + 4);
                Ok(true)
            }
            _ => self.number_or_boolean(place),
        }
    }

    fn nested(
        &mut self,
        place: Place<'a>,
        write: fn(&mut Self, Place<'a>) -> Result<(), DocumentError>,
    ) -> Result<bool, DocumentError> {
        let max = self.rules.limits.depth_max;
        if self.depth == max {
            self.at = value_end(self.source.as_bytes(), self.at).expect("a checked document has whole values");
            return self.beyond(place, DocumentError::TooDeep { field: self.field(), max });
        }
        self.depth += 1;
        write(self, place)?;
        self.depth -= 1;
        Ok(true)
    }

    fn object(&mut self, place: Place<'a>) -> Result<(), DocumentError> {
        if let Some(expected) = place.rule.kind {
            let error = DocumentError::WrongType { field: self.field(), expected, found: "an object" };
            self.faults.found(error)?;
        }
        self.copy(self.at + 1);
        let defaults = place.defaults.map_or(&[][..], |defaults| &defaults.members);
        let mut there = vec![false; defaults.len()];
        let begin = self.out.len();
        while self.byte() != b'}' {
            let child = self.member(begin, place.defaults)?;
            if let Some(child) = child {
                there[child] = true;
            }
            self.at += usize::from(self.byte() == b',');
        }
        for (member, _) in defaults.iter().zip(there).filter(|(_, there)| !there) {
            self.add(begin, member);
        }
        self.copy(self.at + 1);
        Ok(())
    }

    /// Goes past a member; gives its place among the defaults if it has one and is there to stay.
    fn member(&mut self, begin: usize, defaults: Option<&'a Defaults>) -> Result<Option<usize>, DocumentError> {
        let (before, leaves) = (self.out.len(), self.leaves);
        self.separate(begin);
        let key_end = string_end(self.source.as_bytes(), self.at).expect("a checked document has whole keys");
        let key = unescaped(&self.source[self.at + 1..key_end - 1]);
        self.copy(key_end + 1);
        let mark = self.path.enter(&key);
        let default = defaults.and_then(|defaults| defaults.find(&key));
        let inner = match default {
            Some((_, Member { value: Value::Object(inner), .. })) => Some(inner),
            _ => None,
        };
        let rule = self.rules.fields.get(self.path.as_str()).copied().unwrap_or_default();
        let stays = self.value(Place { rule, defaults: inner, is_id: self.depth == 1 && key == "_id" })?;
        self.path.leave(mark);
        if !stays {
            self.out.truncate(before);
            return Ok(None);
        }
        if let Some(required) = rule.required.filter(|_| self.leaves > leaves) {
            self.found[required] = true;
        }
        Ok(default.map(|(child, _)| child))
    }

    fn add(&mut self, begin: usize, member: &Member) {
        self.separate(begin);
        let leaves = member.write(&mut self.out);
        self.leaves += leaves;
        self.amended.defaulted += leaves as u64;
        for required in &member.satisfied {
            self.found[*required] = true;
        }
    }

    fn array(&mut self, place: Place<'a>) -> Result<(), DocumentError> {
        self.copy(self.at + 1);
        let (begin, element) = (self.out.len(), Place { defaults: None, ..place });
        while self.byte() != b']' {
            let before = self.out.len();
            self.separate(begin);
            if !self.value(element)? {
                self.out.truncate(before);
            }
            self.at += usize::from(self.byte() == b',');
        }
        self.copy(self.at + 1);
        Ok(())
    }

    fn string(&mut self, place: Place<'a>) -> Result<bool, DocumentError> {
        let (start, max) = (self.at + 1, self.bytes_max(place));
        let end = string_end(self.source.as_bytes(), self.at).expect("a checked document has whole strings") - 1;
        self.at = end + 1;
        if self.leaves >= self.rules.limits.leaves_max {
            return self.too_many(place);
        }
        let raw = &self.source[start..end];
        let fits = if raw.len() <= max { raw.len() } else { fitting(raw, max) };
        if fits == raw.len() {
            return self.leaf(place, &self.source[start - 1..=end]);
        }
        if self.rules.on_exceeded != OnExceeded::Trim || place.is_id {
            let found = unescaped(raw).len();
            return self.beyond(place, DocumentError::ValueTooLong { field: self.field(), found, max });
        }
        self.amended.trimmed += 1;
        self.leaf(place, &format!("\"{}\"", &raw[..fits]))
    }

    fn number_or_boolean(&mut self, place: Place<'a>) -> Result<bool, DocumentError> {
        let (start, max) = (self.at, self.bytes_max(place));
        while !matches!(self.byte(), b',' | b']' | b'}' | 0) {
            self.at += 1;
        }
        let (source, found) = (self.source, self.at - start);
        if self.leaves >= self.rules.limits.leaves_max {
            return self.too_many(place);
        }
        if found > max {
            return self.beyond(place, DocumentError::ValueTooLong { field: self.field(), found, max });
        }
        self.leaf(place, &source[start..self.at])
    }

    fn leaf(&mut self, place: Place<'a>, written: &str) -> Result<bool, DocumentError> {
        if let Some(expected) = place.rule.kind.filter(|kind| !kind.admits(written)) {
            let error = DocumentError::WrongType { field: self.field(), expected, found: name_of(written) };
            self.faults.found(error)?;
        }
        self.leaves += 1;
        self.out.push_str(written);
        Ok(true)
    }

    fn too_many(&mut self, place: Place<'a>) -> Result<bool, DocumentError> {
        let max = self.rules.limits.leaves_max;
        self.beyond(place, DocumentError::TooManyLeaves { field: self.field(), max })
    }

    /// Leaves a value out, or refuses the document.
    fn beyond(&mut self, place: Place<'a>, error: DocumentError) -> Result<bool, DocumentError> {
        if self.rules.on_exceeded == OnExceeded::Reject || place.is_id {
            self.faults.found(error)?;
            // It is there, if not as it should be: a field that is too long is not missing as well. A number stands for it,
            // so that what is written stays JSON and an `_id` stays one.
            self.leaves += 1;
            self.out.push('0');
            return Ok(true);
        }
        self.amended.dropped += 1;
        Ok(false)
    }

    fn bytes_max(&self, place: Place<'a>) -> usize {
        let all = self.rules.limits.value_bytes_max;
        place.rule.bytes_max.map_or(all, |own| own.min(all))
    }

    /// Writes a comma, unless this is the first element of what begins at `begin`.
    fn separate(&mut self, begin: usize) {
        if self.out.len() > begin {
            self.out.push(',');
        }
    }

    fn copy(&mut self, end: usize) {
        self.out.push_str(&self.source[self.at..end]);
        self.at = end;
    }

    fn byte(&self) -> u8 {
        self.source.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn field(&self) -> String {
        self.path.as_str().to_owned()
    }
}

fn name_of(written: &str) -> &'static str {
    match written.as_bytes().first() {
        Some(b'"') => "this string",
        Some(b't' | b'f') => "a boolean",
        _ => "this number",
    }
}

/// How many bytes of a checked string, as it is written, stand for at most `max` bytes of text in whole characters.
fn fitting(raw: &str, max: usize) -> usize {
    let (mut at, mut text_bytes) = (0, 0);
    while let Some(first) = raw[at..].chars().next() {
        let (taken, character_bytes) = match (first, unicode_escape(&raw.as_bytes()[at..])) {
            ('\\', Some((character, taken))) if raw.as_bytes()[at + 1] == b'u' => {
                (taken, character.unwrap_or(char::REPLACEMENT_CHARACTER).len_utf8())
            }
            ('\\', _) => (2, 1),
            _ => (first.len_utf8(), first.len_utf8()),
        };
        if text_bytes + character_bytes > max {
            return at;
        }
        at += taken;
        text_bytes += character_bytes;
    }
    at
}

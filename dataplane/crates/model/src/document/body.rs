//! An ingest body, taken apart into its records without reading them: brackets and quotes are matched, nothing else is looked at.
//!
//! Three forms: a JSON array, `{"records": [...]}` with an optional `ingest_id`, and one document a line (NDJSON). Each record
//! is then read by [`Document::parse`](super::Document::parse). A record that is not valid JSON spoils only itself among lines, but the whole
//! body in the other forms, because there the body is one JSON text.

use std::ops::Range;

use super::scan::{skip_white_space, string_end, unescaped};

/// A body's records, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// How they came.
    pub form: BodyForm,
    /// The `ingest_id` of the body, which stands for an Idempotency-Key.
    pub ingest_id: Option<String>,
    /// Where each record stands in the body.
    pub records: Vec<Range<usize>>,
}

/// How the records of a body are held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// A JSON array.
    Array,
    /// `{"records": [...]}`.
    Envelope,
    /// One document a line; also a single document, on however many lines.
    Lines,
}

impl BodyForm {
    /// Whether a record with a [`Syntax`](super::DocumentError::Syntax) error makes the whole body invalid.
    pub fn is_one_json_text(self) -> bool {
        matches!(self, BodyForm::Array | BodyForm::Envelope)
    }
}

/// A body that cannot be taken apart: nothing of it may enter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No byte but white space.
    #[error("the body is empty")]
    Empty,
    /// Not the JSON that its first character promised.
    #[error("the body is not valid JSON at byte {offset}: expected {expected}")]
    Syntax {
        /// Where, from the body's first byte.
        offset: usize,
        /// What would have been right.
        expected: &'static str,
    },
    /// A key beside `records` and `ingest_id`.
    #[error("unknown field `{key}` beside `records`; `ingest_id` is the only other one there is")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// `records` or `ingest_id` twice.
    #[error("the field `{key}` occurs twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// `records` or `ingest_id` of the wrong type.
    #[error("the field `{key}` must be {expected}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

/// Takes a body of any form apart, telling the forms by their first characters. An object that fills the whole body is
/// the envelope when it has the key `records`, else a single document. The body must be UTF-8.
pub fn records(body: &str) -> Result<Body, BodyError> {
    let bytes = body.as_bytes();
    let start = skip_white_space(bytes, 0);
    match bytes.get(start) {
        None => Err(BodyError::Empty),
        Some(b'[') => {
            let (records, end) = elements(bytes, start)?;
            expect_end(bytes, end)?;
            Ok(Body { form: BodyForm::Array, ingest_id: None, records })
        }
        Some(b'{') => object(body, start),
        Some(_) => lines(body),
    }
}

/// Takes a body apart that is said to have one document a line; lines of white space are no records.
pub fn lines(body: &str) -> Result<Body, BodyError> {
    let mut records = Vec::new();
    let mut start = 0;
    for line in body.split('\n') {
        let blank = line.len() - line.trim_ascii_start().len();
        let record = line.trim_ascii();
        if !record.is_empty() {
            records.push(start + blank..start + blank + record.len());
        }
        start += line.len() + 1;
    }
    if records.is_empty() {
        return Err(BodyError::Empty);
    }
    Ok(Body { form: BodyForm::Lines, ingest_id: None, records })
}

/// A body that begins with an object: envelope, document, or the first of many lines.
fn object(body: &str, start: usize) -> Result<Body, BodyError> {
    let bytes = body.as_bytes();
    let members = members(body, start);
    let is_envelope = |members: &[Member<'_>]| members.iter().any(|member| member.key == "records");
    match members {
        Ok((members, end)) if is_at_end(bytes, end) => match is_envelope(&members) {
            true => envelope(body, &members),
            false => {
                Ok(Body { form: BodyForm::Lines, ingest_id: None, records: std::iter::once(start..end).collect() })
            }
        },
        Ok(_) => lines(body),
        // An envelope that was cut off is not a broken line.
        Err((members, error)) if is_envelope(&members) => Err(error),
        Err(_) => lines(body),
    }
}

fn envelope(body: &str, members: &[Member<'_>]) -> Result<Body, BodyError> {
    let mut records = None;
    let mut ingest_id = None;
    for member in members {
        let value = &body[member.value.clone()];
        let is_new = match &*member.key {
            "records" if !value.starts_with('[') => {
                return Err(BodyError::WrongType { key: "records", expected: "an array" });
            }
            "records" => records.replace(elements(body.as_bytes(), member.value.start)?.0).is_none(),
            "ingest_id" if !value.starts_with('"') => {
                return Err(BodyError::WrongType { key: "ingest_id", expected: "a string" });
            }
            "ingest_id" => ingest_id.replace(unescaped(&value[1..value.len() - 1]).into_owned()).is_none(),
            key => return Err(BodyError::UnknownKey { key: key.to_owned() }),
        };
        if !is_new {
            return Err(BodyError::DuplicateKey { key: member.key.to_string() });
        }
    }
    Ok(Body { form: BodyForm::Envelope, ingest_id, records: records.unwrap_or_default() })
}

struct Member<'a> {
    key: std::borrow::Cow<'a, str>,
    value: Range<usize>,
}

/// The members of an object and its end. An error comes with the members before it, the last one perhaps being broken.
fn members(body: &str, start: usize) -> Result<(Vec<Member<'_>>, usize), (Vec<Member<'_>>, BodyError)> {
    let bytes = body.as_bytes();
    let mut members: Vec<Member<'_>> = Vec::new();
    let mut at = skip_white_space(bytes, start + 1);
    if bytes.get(at) == Some(&b'}') {
        return Ok((members, at + 1));
    }
    loop {
        let Some(key_end) = string_end(bytes, at).filter(|_| bytes[at] == b'"') else {
            return Err((members, syntax(at, "a key")));
        };
        let key = unescaped(&body[at + 1..key_end - 1]);
        let colon = skip_white_space(bytes, key_end);
        let value = skip_white_space(bytes, colon + 1);
        members.push(Member { key, value: value..value });
        if bytes.get(colon) != Some(&b':') {
            return Err((members, syntax(colon, "`:`")));
        }
        let end = match value_end(bytes, value) {
            Ok(end) => end,
            Err(error) => return Err((members, error)),
        };
        if let Some(member) = members.last_mut() {
            member.value = value..end;
        }
        at = skip_white_space(bytes, end);
        match bytes.get(at) {
            Some(b',') => at = skip_white_space(bytes, at + 1),
            Some(b'}') => return Ok((members, at + 1)),
            _ => return Err((members, syntax(at, "`,` or `}`"))),
        }
    }
}

/// The elements of the array at `start`, and its end.
fn elements(bytes: &[u8], start: usize) -> Result<(Vec<Range<usize>>, usize), BodyError> {
    let mut elements = Vec::new();
    let mut at = skip_white_space(bytes, start + 1);
    if bytes.get(at) == Some(&b']') {
        return Ok((elements, at + 1));
    }
    loop {
        let end = value_end(bytes, at)?;
        elements.push(at..end);
        at = skip_white_space(bytes, end);
        match bytes.get(at) {
            Some(b',') => at = skip_white_space(bytes, at + 1),
            Some(b']') => return Ok((elements, at + 1)),
            _ => return Err(syntax(at, "`,` or `]`")),
        }
    }
}

/// The end of the value that begins at `start`: brackets and strings are matched, the rest is left to the reader.
pub(super) fn value_end(bytes: &[u8], start: usize) -> Result<usize, BodyError> {
    let mut open = 0usize;
    let mut at = start;
    loop {
        match bytes.get(at) {
            Some(b'"') => at = string_end(bytes, at).ok_or(syntax(at, "the end of this string"))?,
            Some(b'{' | b'[') => {
                open += 1;
                at += 1;
            }
            Some(b'}' | b']') if open > 0 => {
                open -= 1;
                at += 1;
            }
            Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') if open == 0 => break,
            Some(_) => at += 1,
            None if open > 0 => return Err(syntax(at, "the end of this value")),
            None => break,
        }
        let is_string_or_container = matches!(bytes[start], b'"' | b'{' | b'[');
        if open == 0 && is_string_or_container {
            return Ok(at);
        }
    }
    if at == start { Err(syntax(at, "a value")) } else { Ok(at) }
}

fn is_at_end(bytes: &[u8], at: usize) -> bool {
    skip_white_space(bytes, at) == bytes.len()
}

fn expect_end(bytes: &[u8], at: usize) -> Result<(), BodyError> {
    if is_at_end(bytes, at) { Ok(()) } else { Err(syntax(skip_white_space(bytes, at), "the end of the body")) }
}

fn syntax(offset: usize, expected: &'static str) -> BodyError {
    BodyError::Syntax { offset, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Vec<&str> {
        let taken = records(body).expect("the body can be taken apart");
        taken.records.into_iter().map(|range| &body[range]).collect()
    }

    fn form(body: &str) -> BodyForm {
        records(body).expect("the body can be taken apart").form
    }

    #[test]
    fn the_three_forms_give_the_same_records() {
        let expected = [r#"{"a":"]},\""}"#, r#"{"b":[1,{"c":2}]}"#];
        let array = " [ {\"a\":\"]},\\\"\"} ,\n{\"b\":[1,{\"c\":2}]} ] ";
        let envelope = "{\"ingest_id\":\"k\\u0031\",\"records\":[{\"a\":\"]},\\\"\"},{\"b\":[1,{\"c\":2}]}]}\n";
        let lines = "{\"a\":\"]},\\\"\"}\r\n\n  {\"b\":[1,{\"c\":2}]}";
        for (body, expected_form) in
            [(array, BodyForm::Array), (envelope, BodyForm::Envelope), (lines, BodyForm::Lines)]
        {
            assert_eq!(texts(body), expected);
            assert_eq!(form(body), expected_form);
        }
        assert_eq!(records(envelope).expect("an envelope").ingest_id.as_deref(), Some("k1"));
    }

    #[test]
    fn one_document_may_fill_many_lines() {
        assert_eq!(texts("{\n \"a\": 1,\n \"b\": {}\n}\n"), ["{\n \"a\": 1,\n \"b\": {}\n}"]);
        assert_eq!(texts("{\"ingest_id\":\"x\"}"), ["{\"ingest_id\":\"x\"}"]);
        assert_eq!(texts("{}\n{}"), ["{}", "{}"]);
    }

    #[test]
    fn a_broken_line_leaves_its_neighbours_alone() {
        for broken in [r#"{"b":"unfinished"#, r#"{"b":{"#, "}", "{\"b\":1", "nonsense", "{\"a\\\"", "[1,2"] {
            let body = format!("{{\"a\":1}}\n{broken}\n{{\"c\":3}}\n");
            assert_eq!(texts(&body), ["{\"a\":1}", broken, "{\"c\":3}"]);
            let body = format!("{broken}\n{{\"c\":3}}\n");
            let taken = lines(&body).expect("lines");
            assert_eq!(&body[taken.records[1].clone()], "{\"c\":3}");
        }
    }

    #[test]
    fn a_broken_array_or_envelope_is_refused_as_a_whole() {
        for body in ["[{\"a\":1}", "[{\"a\":1},]", "[{\"a\":1} {\"b\":1}]", "[{\"a\":1}]]", "[\"x]", "[,]", "[", "[{]"]
        {
            assert!(matches!(records(body), Err(BodyError::Syntax { .. })), "{body} was taken");
        }
        for body in ["{\"records\":[{\"a\":1}", "{\"records\":[{\"a\":1},", "{\"records\":[{}],", "{\"records\""] {
            assert!(matches!(records(body), Err(BodyError::Syntax { .. })), "{body} was taken");
        }
        assert_eq!(records(" \n "), Err(BodyError::Empty));
        assert_eq!(lines("\r\n"), Err(BodyError::Empty));
    }

    #[test]
    fn the_envelope_knows_two_fields() {
        let unknown = records(r#"{"records":[],"indx":"a"}"#);
        assert_eq!(unknown, Err(BodyError::UnknownKey { key: "indx".to_owned() }));
        let twice = records(r#"{"records":[],"records":[]}"#);
        assert_eq!(twice, Err(BodyError::DuplicateKey { key: "records".to_owned() }));
        assert!(matches!(records(r#"{"records":{}}"#), Err(BodyError::WrongType { key: "records", .. })));
        assert!(matches!(
            records(r#"{"records":[],"ingest_id":1}"#),
            Err(BodyError::WrongType { key: "ingest_id", .. })
        ));
        assert_eq!(records(r#"{"records":[]}"#).expect("an envelope").records, []);
    }
}

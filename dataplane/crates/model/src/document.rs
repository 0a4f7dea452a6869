//! A document: one JSON object, checked once when it arrives and trusted afterwards.
//!
//! What is stored equals what came, but for insignificant white space and for escapes of lone surrogates, which become
//! `\ufffd` and are counted. Nothing is parsed into numbers or maps: key order, `1.0` and integers of twenty digits survive.

pub mod body;
mod check;
mod error;
mod faults;
mod leaves;
mod rules;
mod scan;
pub mod skeleton;
mod stamp;

use std::sync::Arc;

pub use error::DocumentError;
pub use leaves::walk_leaves;
pub use rules::{Amended, DocumentRules, FieldType, OnExceeded, Refusal, RuleError};

use crate::record::ID_BYTES_MAX;
use crate::{SharedText, TimeNs};
use check::Checked;
use faults::Faults;

/// The deepest nesting that any configuration may allow: it bounds the stack of the readers.
pub const DEPTH_CEILING: usize = 128;

/// How far in the future a document's own time may lie before it is taken for a wrong clock.
pub const TIME_AHEAD_MAX_NS: i64 = 3_600_000_000_000;

/// What a document may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of the whole document as received. Default 1 MiB.
    pub document_bytes_max: usize,
    /// Bytes of one string (unescaped) or number. Default 256 KiB.
    pub value_bytes_max: usize,
    /// Objects and arrays inside each other, the document itself being the first. Default 32, at most [`DEPTH_CEILING`].
    pub depth_max: usize,
    /// Strings, numbers and booleans. Default 1,000.
    pub leaves_max: usize,
    /// Bytes of a leaf's dotted path. Default 2,048. It keeps long keys from being multiplied by the leaves below them.
    pub path_bytes_max: usize,
}

impl Default for DocumentLimits {
    fn default() -> DocumentLimits {
        DocumentLimits {
            document_bytes_max: 1 << 20,
            value_bytes_max: 256 << 10,
            depth_max: 32,
            leaves_max: 1_000,
            path_bytes_max: 2_048,
        }
    }
}

/// A checked document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    source: SharedText,
    id: Option<Arc<str>>,
    time: Option<TimeNs>,
    lone_surrogates: usize,
}

impl Document {
    /// Checks the bytes of one document. They must be UTF-8: who receives a body replaces what is not beforehand.
    pub fn parse(bytes: &[u8], limits: &DocumentLimits) -> Result<Document, DocumentError> {
        Document::check(&text_of(bytes)?, limits)
    }

    /// Checks one document of a larger text, which it shares if it can be stored as it is written.
    pub fn check(text: &SharedText, limits: &DocumentLimits) -> Result<Document, DocumentError> {
        Document::read(text, limits, &mut Faults::first_ends())
    }

    /// The same. Where faults are gathered, what it gives may have some.
    fn read(text: &SharedText, limits: &DocumentLimits, faults: &mut Faults) -> Result<Document, DocumentError> {
        let start = text.len() - text.trim_ascii_start().len();
        let trimmed = text.trim_ascii();
        if trimmed.len() > limits.document_bytes_max {
            faults.found(DocumentError::TooLarge { found: trimmed.len(), max: limits.document_bytes_max })?;
        }
        let checked = check::check(trimmed, limits, faults)?;
        let id = match id(&checked) {
            Ok(id) => id,
            Err(error) => faults.found(error).map(|()| None)?,
        };
        let is_stored_as_written = checked.lone_surrogates.is_empty() && !checked.has_white_space;
        Ok(Document {
            id,
            time: stamp::time(&checked),
            lone_surrogates: checked.lone_surrogates.len(),
            source: match is_stored_as_written {
                true => text.part(start..start + trimmed.len()),
                false => source(trimmed, &checked).into(),
            },
        })
    }

    /// The document to be stored: one line of JSON without insignificant white space.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The document to be stored, without a copy.
    pub fn into_source(self) -> SharedText {
        self.source
    }

    /// The explicit `_id`, of 1 to [`ID_BYTES_MAX`] bytes; an integer stands as it was written. It stays in the source.
    pub fn id(&self) -> Option<&Arc<str>> {
        self.id.as_ref()
    }

    /// The document's own time, or `received` when it has none, none that can be read, or one that lies more than an hour
    /// after `received`.
    pub fn time(&self, received: TimeNs) -> TimeNs {
        let latest = TimeNs(received.0.saturating_add(TIME_AHEAD_MAX_NS));
        self.time.filter(|time| *time <= latest).unwrap_or(received)
    }

    /// How many lone surrogates were replaced by U+FFFD.
    pub fn lone_surrogates(&self) -> usize {
        self.lone_surrogates
    }
}

/// The bytes of a document as text.
fn text_of(bytes: &[u8]) -> Result<SharedText, DocumentError> {
    let bytes = bytes.trim_ascii();
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|error| DocumentError::Syntax { offset: error.valid_up_to(), expected: "valid UTF-8" })?;
    Ok(text.into())
}

fn id(checked: &Checked<'_>) -> Result<Option<Arc<str>>, DocumentError> {
    let Some(value) = checked.id else { return Ok(None) };
    let is_string = value.starts_with('"');
    let is_integer = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !is_string && !is_integer {
        return Err(DocumentError::InvalidId { expected: "a string or an integer" });
    }
    let text = if is_string { scan::unescaped(&value[1..value.len() - 1]) } else { value.into() };
    if text.is_empty() || text.len() > ID_BYTES_MAX {
        return Err(DocumentError::InvalidId { expected: "1 to 512 bytes long" });
    }
    Ok(Some(text.as_ref().into()))
}

/// The text with lone surrogates replaced and insignificant white space dropped.
fn source(text: &str, checked: &Checked<'_>) -> String {
    let mut source = text.to_owned();
    for offset in checked.lone_surrogates.iter().rev() {
        // Both escapes have six bytes, so other offsets stay right.
        source.replace_range(*offset..*offset + 6, "\\ufffd");
    }
    if checked.has_white_space { scan::without_white_space(&source) } else { source }
}

#[cfg(test)]
mod tests;

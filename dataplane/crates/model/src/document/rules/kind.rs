//! The types that a field may be bound to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::document::scan::unescaped;
use crate::document::stamp;

/// Bytes of a keyword, at most.
const KEYWORD_BYTES_MAX: usize = 512;

/// What every value of a field must be. In an array each element is looked at; null is of every type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Any string.
    String,
    /// A string of 1 to 512 bytes without control characters: a name, a word, a path.
    Keyword,
    /// Any number.
    Number,
    /// A number without fraction and exponent, of any length.
    Integer,
    /// True or false.
    Boolean,
    /// What can be the time of a document: RFC 3339, or seconds, milliseconds, microseconds or nanoseconds since 1970.
    Timestamp,
}

impl FieldType {
    /// Whether a string, number or boolean is of this type, as it is written in JSON.
    pub(super) fn admits(self, written: &str) -> bool {
        let first = written.as_bytes().first().copied().unwrap_or(0);
        let is_number = matches!(first, b'-' | b'0'..=b'9');
        match self {
            FieldType::String => first == b'"',
            FieldType::Keyword => first == b'"' && is_keyword(&unescaped(&written[1..written.len() - 1])),
            FieldType::Number => is_number,
            FieldType::Integer => is_number && !written.contains(['.', 'e', 'E']),
            FieldType::Boolean => matches!(first, b't' | b'f'),
            FieldType::Timestamp => stamp::read(written).is_some(),
        }
    }
}

fn is_keyword(text: &str) -> bool {
    (1..=KEYWORD_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control)
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FieldType::String => "a string",
            FieldType::Keyword => "a string of 1 to 512 bytes without control characters",
            FieldType::Number => "a number",
            FieldType::Integer => "a number without fraction and exponent",
            FieldType::Boolean => "true or false",
            FieldType::Timestamp => "a time: RFC 3339 or a number since 1970",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_takes_its_own_and_refuses_its_neighbours() {
        let keyword = |bytes: usize| format!("\"{}\"", "k".repeat(bytes));
        let cases: [(FieldType, &[&str], &[&str]); 6] = [
            (FieldType::String, &["\"\"", "\"1\""], &["1", "true"]),
            (FieldType::Keyword, &["\"a b\"", &keyword(512)], &["\"\"", "\"a\\nb\"", &keyword(513), "1"]),
            (FieldType::Number, &["1", "-0.5", "1e9"], &["\"1\"", "false"]),
            (FieldType::Integer, &["0", "-12345678901234567890"], &["1.0", "1e3", "1E3", "\"1\""]),
            (FieldType::Boolean, &["true", "false"], &["\"true\"", "0"]),
            (
                FieldType::Timestamp,
                &["\"2026-01-02T03:04:05Z\"", "1600044263", "1600044263.5"],
                &["\"yesterday\"", "true", "1e9"],
            ),
        ];
        for (kind, good, bad) in cases {
            for written in good {
                assert!(kind.admits(written), "{kind:?} refused {written}");
            }
            for written in bad {
                assert!(!kind.admits(written), "{kind:?} took {written}");
            }
        }
    }
}

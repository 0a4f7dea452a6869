//! Sizes and spans of time as people write them in the resource: `20Gi`, `5m`. Parsed once, in `validate`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A whole number of bytes with an optional suffix: `64Mi`, `20Gi`, `1000000`, `5G`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteQuantity(pub String);

/// A span of time: `100ms`, `5m`, `1h30m`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub String);

const BYTE_SUFFIXES: [(&str, u64); 10] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
];

impl ByteQuantity {
    /// The shortest way to write a number of bytes exactly, in powers of 1,024.
    pub fn from_bytes(bytes: u64) -> ByteQuantity {
        let mut binary = BYTE_SUFFIXES[..5].iter().rev();
        let found = binary.find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor));
        ByteQuantity(found.map_or(bytes.to_string(), |(suffix, factor)| format!("{}{suffix}", bytes / factor)))
    }

    /// The number of bytes. `None`: not a quantity, or more than a `u64` holds.
    pub fn bytes(&self) -> Option<u64> {
        let (digits, factor) = BYTE_SUFFIXES
            .iter()
            .find_map(|(suffix, factor)| self.0.strip_suffix(suffix).map(|digits| (digits, *factor)))
            .unwrap_or((&self.0, 1));
        number(digits)?.checked_mul(factor)
    }
}

impl Span {
    /// A span of milliseconds, written in the largest unit that fits.
    pub fn from_milliseconds(milliseconds: u64) -> Span {
        let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let found = units.iter().find(|(_, factor)| milliseconds > 0 && milliseconds.is_multiple_of(*factor));
        Span(found.map_or(format!("{milliseconds}ms"), |(unit, factor)| format!("{}{unit}", milliseconds / factor)))
    }

    /// A span of seconds, written in the largest unit that fits.
    pub fn from_seconds(seconds: u64) -> Span {
        Span::from_milliseconds(seconds.saturating_mul(1_000))
    }

    /// The number of milliseconds. `None`: not a span, or more than a `u64` holds.
    pub fn milliseconds(&self) -> Option<u64> {
        let mut rest = self.0.as_str();
        let mut total = 0u64;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let after = &rest[digits..];
            let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let factor = match &after[..unit] {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => return None,
            };
            total = total.checked_add(number(&rest[..digits])?.checked_mul(factor)?)?;
            rest = &after[unit..];
        }
        (!self.0.is_empty()).then_some(total)
    }
}

/// Unlike `str::parse` it takes no sign.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl JsonSchema for ByteQuantity {
    fn schema_name() -> Cow<'static, str> {
        "ByteQuantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 20, "pattern": "^(0|[1-9][0-9]*(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?)$" })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 20, "pattern": "^([0-9]+(ms|s|m|h))+$" })
    }
}

impl From<&str> for ByteQuantity {
    fn from(text: &str) -> ByteQuantity {
        ByteQuantity(text.to_owned())
    }
}

impl From<&str> for Span {
    fn from(text: &str) -> Span {
        Span(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_systems_and_nothing_else_is_taken() {
        for (text, bytes) in [("1", 1), ("64Mi", 64 << 20), ("20Gi", 20 << 30), ("5G", 5_000_000_000), ("1k", 1_000)] {
            assert_eq!(ByteQuantity::from(text).bytes(), Some(bytes), "{text}");
        }
        for bad in ["", "Gi", "-1", "+1", "1.5Gi", "1 Gi", "1gi", "99999999Pi"] {
            assert_eq!(ByteQuantity::from(bad).bytes(), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn what_is_written_is_what_was_meant_and_short() {
        for (bytes, text) in
            [(0, "0"), (1, "1"), (1_000, "1000"), (3 << 20, "3Mi"), (1 << 40, "1Ti"), (1 << 60, "1024Pi")]
        {
            assert_eq!(ByteQuantity::from_bytes(bytes), text.into());
            assert_eq!(ByteQuantity::from(text).bytes(), Some(bytes));
        }
        for (milliseconds, text) in
            [(0, "0ms"), (100, "100ms"), (1_500, "1500ms"), (300_000, "5m"), (86_400_000, "24h")]
        {
            assert_eq!(Span::from_milliseconds(milliseconds), text.into());
            assert_eq!(Span::from(text).milliseconds(), Some(milliseconds));
        }
        assert_eq!(Span::from_seconds(90), "90s".into());
    }

    #[test]
    fn spans_add_up_and_nothing_else_is_taken() {
        for (text, milliseconds) in [("100ms", 100), ("5m", 300_000), ("1h30m", 5_400_000), ("0s", 0)] {
            assert_eq!(Span::from(text).milliseconds(), Some(milliseconds), "{text}");
        }
        for bad in ["", "5", "m", "5 m", "1d", "-5m", "5m3"] {
            assert_eq!(Span::from(bad).milliseconds(), None, "{bad:?} was taken");
        }
    }
}

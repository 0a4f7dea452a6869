//! `query` of a search: a tree of conditions, each on whole documents.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

/// One node. Exactly one of `all`, `any`, `not`, `contains`, `exact`, `wildcard`, `regex`, `exists` and `range` is given;
/// `field` and `case_sensitive` go with a pattern only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryNode {
    /// All of these hold, each for some leaf of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<QueryNode>>,
    /// One of these holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<Vec<QueryNode>>,
    /// This does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<QueryNode>>,
    /// A literal anywhere in a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A whole value; numbers and booleans as their JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// `*` any run, `?` one character, `\` escapes; anywhere in a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wildcard: Option<String>,
    /// A regular expression in the syntax of Rust's `regex`; anywhere in a value unless anchored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Where the pattern is looked for: a dotted path; that of the request if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Whether the pattern is matched as written; as the request says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_sensitive: Option<bool>,
    /// The document has a value, null being none, at this dotted path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<String>,
    /// A value lies within bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeBounds>,
}

/// Bounds on the values of a field: all numbers or all strings.
///
/// Numbers are compared exactly, whatever their number of digits, with values that are JSON numbers by their text. Strings that
/// are all RFC 3339 times are compared with values that are such times; other strings with all values, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeBounds {
    /// A dotted path.
    pub field: String,
    /// Greater than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gt: Option<RangeBound>,
    /// Greater than or equal to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gte: Option<RangeBound>,
    /// Less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lt: Option<RangeBound>,
    /// Less than or equal to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lte: Option<RangeBound>,
}

/// A JSON number or string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeBound {
    /// A number, as it is written.
    Number(String),
    /// A string.
    Text(String),
}

impl Serialize for RangeBound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RangeBound::Number(number) => {
                RawValue::from_string(number.clone()).map_err(ser::Error::custom)?.serialize(serializer)
            }
            RangeBound::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for RangeBound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RangeBound, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).map(RangeBound::Text).map_err(de::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(RangeBound::Number(raw.get().to_owned())),
            _ => Err(de::Error::custom("a bound of a range must be a number or a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_survives_its_json_digit_by_digit() {
        let text = r#"{"all":[{"contains":"x","field":"a.b","case_sensitive":true},{"not":{"exists":"c"}},{"range":{"field":"n","gt":-12345678901234567890.10,"lte":"z"}}]}"#;
        let tree: QueryNode = serde_json::from_str(text).expect("a tree");
        assert_eq!(serde_json::to_string(&tree).expect("JSON"), text);
        let range = tree.all.as_ref().and_then(|all| all[2].range.as_ref()).expect("a range");
        assert_eq!(range.gt, Some(RangeBound::Number("-12345678901234567890.10".to_owned())));
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        for text in [
            r#"{"contain":"x"}"#,
            r#"{"not":{"contain":"x"}}"#,
            r#"{"range":{"field":"n","ge":1}}"#,
            r#"{"range":{"field":"n","gte":true}}"#,
            r#"{"range":{"field":"n","gte":[1]}}"#,
            r#"{"range":{"gte":1}}"#,
        ] {
            assert!(serde_json::from_str::<QueryNode>(text).is_err(), "{text}");
        }
    }
}

//! What the documents of an index must be like, and how fast they may come. The node's file has the same under the names
//! of the indexes; here it is a list, so that the API server can check the names, too.

use std::borrow::Cow;
use std::collections::BTreeMap;

use grepzilla_model::document;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::RateSpec;
use crate::crd::quantity::{ByteQuantity, Span};
use crate::crd::rules;

/// One index. It has the rules of its entry and none of `default`; where they name no limit, that of `ingest` holds.
/// Fields are named by their dotted path (`text.body`; a dot of a key is written `\.`), and elements of an array share it.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::INDEX_DOCUMENT, validation = rules::INDEX_VALUE, validation = rules::INDEX_FIELD)]
#[serde(rename_all = "camelCase")]
pub struct IndexSpec {
    /// Its name: 1 to 64 characters of a-z, A-Z, 0-9, `.`, `_` and `-`, not beginning with `.` or `-`.
    #[schemars(length(max = 64), regex(pattern = r"^[A-Za-z0-9_][-A-Za-z0-9._]*$"))]
    pub name: String,
    /// Fields without which a document is refused: there must be a value other than null at the path or below it. All
    /// others are optional.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 512)))]
    pub required: Vec<String>,
    /// The types of fields. A document with a value of another type is refused; null is of every type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256))]
    pub types: BTreeMap<String, FieldType>,
    /// The largest value of each field: 1 to 8Mi. `valueBytesMax` holds beside it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256))]
    pub field_bytes_max: BTreeMap<String, ByteQuantity>,
    /// The largest value of a field: 1 to 8Mi; that of `ingest` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_bytes_max: Option<ByteQuantity>,
    /// The largest document: 2 to 8Mi; that of `ingest` if absent. Where values may be dropped or trimmed, what is left
    /// counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_bytes_max: Option<ByteQuantity>,
    /// The deepest nesting of a document; that of `ingest` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 128))]
    pub depth_max: Option<u32>,
    /// The most values in a document; that of `ingest` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub leaves_max: Option<u32>,
    /// What becomes of a value that is too long, too deep or behind the last one that is allowed: `reject` refuses the
    /// document, `drop` leaves the value out with its key, `trim` cuts a string and leaves out what cannot be cut. An
    /// `_id` is never changed.
    #[serde(default)]
    pub on_exceeded: OnExceeded,
    /// Values of fields that a document does not have: strings, numbers or booleans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256))]
    pub defaults: BTreeMap<String, DefaultValue>,
    /// How long documents stay. The indexes without an entry have that of `default`, each for itself.
    #[serde(default)]
    pub retention: RetentionSpec,
    /// How much may come to each node. The indexes without an entry share what `default` allows.
    #[serde(default)]
    pub rate: RateSpec,
}

/// How long the documents of an index stay.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::RETENTION_AGE, validation = rules::RETENTION_BYTES)]
#[serde(rename_all = "camelCase", default = "RetentionSpec::default")]
pub struct RetentionSpec {
    /// The age at which documents go, counted from when they were received: 1s to 876000h; `storage.retentionAge` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// Bytes of documents in the whole cluster beyond which the oldest go: 1Mi to 1024Pi; any amount if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<ByteQuantity>,
}

/// What every value of a field must be; in an array each element is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Any string.
    String,
    /// A string of 1 to 512 bytes without control characters.
    Keyword,
    /// Any number.
    Number,
    /// A number without fraction and exponent.
    Integer,
    /// True or false.
    Boolean,
    /// RFC 3339, or a number since 1970.
    Timestamp,
}

/// What becomes of a value beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnExceeded {
    /// The document is refused.
    #[default]
    Reject,
    /// The value is left out.
    Drop,
    /// A string is cut.
    Trim,
}

/// A string, a number or a boolean. The API server takes anything here; the operator refuses what is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DefaultValue(pub serde_json::Value);

impl JsonSchema for DefaultValue {
    fn schema_name() -> Cow<'static, str> {
        "DefaultValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

impl From<FieldType> for document::FieldType {
    fn from(kind: FieldType) -> document::FieldType {
        match kind {
            FieldType::String => document::FieldType::String,
            FieldType::Keyword => document::FieldType::Keyword,
            FieldType::Number => document::FieldType::Number,
            FieldType::Integer => document::FieldType::Integer,
            FieldType::Boolean => document::FieldType::Boolean,
            FieldType::Timestamp => document::FieldType::Timestamp,
        }
    }
}

impl From<OnExceeded> for document::OnExceeded {
    fn from(what: OnExceeded) -> document::OnExceeded {
        match what {
            OnExceeded::Reject => document::OnExceeded::Reject,
            OnExceeded::Drop => document::OnExceeded::Drop,
            OnExceeded::Trim => document::OnExceeded::Trim,
        }
    }
}

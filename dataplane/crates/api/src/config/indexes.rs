//! What the documents of an index must be like, and how fast they may come.

use std::collections::BTreeMap;

use grepzilla_model::IndexName;
use grepzilla_model::document::{DocumentLimits, DocumentRules, FieldType, OnExceeded, RuleError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ConfigError, IngestConfig, RateConfig, within};

/// The entry that holds for each index without one of its own.
pub const DEFAULT_INDEX: &str = "default";

/// One index. An index that has an entry has its rules and none of `default`; where they name no limit, that of `ingest`
/// holds. Fields are named by their dotted path (`text.body`; a dot of a key is written `\.`), and elements of an
/// array share its path. Of what is wrong with a document the
/// answer names up to eight faults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexConfig {
    /// Fields without which a document is refused, `missing_field`: there must be a value other than null at the path or
    /// below it. All others are optional. Default: none.
    pub required: Vec<String>,
    /// The types of fields, each of `string`, `keyword` (1 to 512 bytes, no control characters), `number`, `integer` (no
    /// fraction, no exponent), `boolean`, `timestamp` (RFC 3339 or a number since 1970). A document with a value of
    /// another type is refused, `wrong_type`; null is of every type. Default: none.
    pub types: BTreeMap<String, FieldType>,
    /// Bytes of one value of a field, at most: 1 to 8 MiB; `value_bytes_max` holds beside it. Default: none.
    pub field_bytes_max: BTreeMap<String, u64>,
    /// Bytes of one value, at most: 1 to 8 MiB. Default: that of `ingest`.
    pub value_bytes_max: Option<u64>,
    /// Bytes of one document, at most: 2 to 8 MiB. Where values may be dropped or trimmed, of what is left. Default: that of
    /// `ingest`.
    pub document_bytes_max: Option<u64>,
    /// Nesting of one document, at most: 1 to 128. Default: that of `ingest`.
    pub depth_max: Option<u32>,
    /// Leaves of one document, at most: 1 to 65,535. Default: that of `ingest`.
    pub leaves_max: Option<u32>,
    /// What becomes of a value that is too long, too deep or behind the last leaf that is allowed: `reject` refuses the
    /// document, `drop` leaves the value out with its key, `trim` cuts a string between two characters and leaves out what
    /// cannot be cut. What is left is stored, and nothing marks it but a counter. `_id` is never changed. Default: `reject`.
    pub on_exceeded: OnExceeded,
    /// Values of fields that a document does not have: strings, numbers or booleans. They are added before the document is
    /// stored and count against its limits; a field that is null is not missing. Default: none.
    pub defaults: BTreeMap<String, Value>,
    /// How long documents stay. The indexes without an entry have that of `default`, each for itself.
    pub retention: RetentionConfig,
    /// How much may come. The indexes without an entry share what `default` allows. Default: any amount.
    pub rate: RateConfig,
}

/// How long the documents of an index stay. Documents go in blocks of at most 1 MiB: one is hidden at the latest when all that
/// stand in its block are to go, and removed from the disk when no cursor can show it any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Seconds after they were received that documents are kept: 1 to 3,153,600,000. Default: `storage.retention_age_seconds`.
    pub max_age_seconds: Option<u64>,
    /// Bytes of documents as they were stored, in the whole cluster; the oldest go, and each shard keeps an even part: 1 MiB to
    /// 1 EiB. Default: any amount.
    pub max_bytes: Option<u64>,
}

impl IndexConfig {
    /// The rules as they are applied.
    pub fn rules(&self, ingest: &IngestConfig) -> Result<DocumentRules, RuleError> {
        let limits = DocumentLimits {
            document_bytes_max: self.document_bytes_max.unwrap_or(ingest.document_bytes_max) as usize,
            value_bytes_max: self.value_bytes_max.unwrap_or(ingest.value_bytes_max) as usize,
            depth_max: self.depth_max.unwrap_or(ingest.depth_max) as usize,
            leaves_max: self.leaves_max.unwrap_or(ingest.leaves_max) as usize,
            ..DocumentLimits::default()
        };
        let mut rules = DocumentRules::new(limits, self.on_exceeded);
        for field in &self.required {
            rules.require(field)?;
        }
        for (field, kind) in &self.types {
            rules.expect_type(field, *kind)?;
        }
        for (field, bytes_max) in &self.field_bytes_max {
            rules.limit_field(field, *bytes_max as usize)?;
        }
        for (field, value) in &self.defaults {
            rules.add_default(field, &value.to_string())?;
        }
        Ok(rules)
    }

    /// Checks every bound. `name` is the entry's key.
    pub(super) fn validate(&self, name: &str, ingest: &IngestConfig) -> Result<(), ConfigError> {
        let wrong = |reason: String| ConfigError::Index { index: name.to_owned(), reason };
        IndexName::new(name).map_err(|error| wrong(error.to_string()))?;
        let within = |field: &str, found: Option<u64>, min, max| {
            found.map_or(Ok(()), |found| within(&format!("indexes.{name}.{field}"), found, min, max))
        };
        within("document_bytes_max", self.document_bytes_max, 2, 8 << 20)?;
        within("value_bytes_max", self.value_bytes_max, 1, 8 << 20)?;
        within("depth_max", self.depth_max.map(u64::from), 1, 128)?;
        within("leaves_max", self.leaves_max.map(u64::from), 1, 65_535)?;
        within("retention.max_age_seconds", self.retention.max_age_seconds, 1, 3_153_600_000)?;
        within("retention.max_bytes", self.retention.max_bytes, 1 << 20, 1 << 60)?;
        for (field, bytes_max) in &self.field_bytes_max {
            within(&format!("field_bytes_max.{field}"), Some(*bytes_max), 1, 8 << 20)?;
        }
        let is_leaf = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
        if let Some((field, _)) = self.defaults.iter().find(|(_, value)| !is_leaf(value)) {
            return Err(wrong(format!("the default of `{field}` must be a string, a number or a boolean")));
        }
        self.rules(ingest).map_err(|error| wrong(error.to_string()))?;
        self.rate.validate(&format!("indexes.{name}.rate"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::NodeConfig;

    const WEB: &str = r#"
ingest: {value_bytes_max: 1000}
indexes:
  default: {leaves_max: 10}
  web:
    required: [message, "k8s.ns"]
    types: {message: string, status: integer, "@timestamp": timestamp, host: keyword, ok: boolean, took: number}
    field_bytes_max: {message: 8192}
    value_bytes_max: 300
    document_bytes_max: 4096
    depth_max: 4
    on_exceeded: trim
    defaults: {env: prod, "k8s.zone": 3, sampled: false}
    rate: {bytes_per_second: 1048576, requests_per_second: 10}
"#;

    #[test]
    fn what_is_written_is_what_holds_and_the_rest_is_that_of_ingest() {
        let config = NodeConfig::parse(WEB).expect("valid");
        let read = |index: &str, text: &str| {
            let rules = config.indexes[index].rules(&config.ingest).expect("validated");
            rules.read(text.as_bytes()).map(|(document, _)| document.source().to_owned()).map_err(|error| error.code())
        };
        let stored = read("web", r#"{"message":"m","k8s":{"ns":"n"},"env":"test"}"#);
        assert_eq!(stored.as_deref(), Ok(r#"{"message":"m","k8s":{"ns":"n","zone":3},"env":"test","sampled":false}"#));
        assert_eq!(read("web", r#"{"message":"m"}"#), Err("missing_field"));
        assert_eq!(read("web", r#"{"message":"m","k8s":{"ns":"n"},"status":1.5}"#), Err("wrong_type"));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_001));
        assert_eq!(read("default", &long), Err("value_too_long"), "the limit of ingest");
        assert_eq!(read("default", "{\"a\":[1,2,3,4,5,6,7,8,9,10,11]}"), Err("too_many_leaves"));
        assert_eq!(NodeConfig::parse(&serde_saphyr::to_string(&config).expect("serializes")).expect("valid"), config);
    }

    #[test]
    fn every_figure_has_two_sides_and_every_mistake_is_named() {
        for (good, bad, named) in [
            ("{depth_max: 128}", "{depth_max: 129}", "indexes.web.depth_max"),
            ("{depth_max: 1}", "{depth_max: 0}", "from 1 to 128"),
            ("{leaves_max: 65535}", "{leaves_max: 65536}", "indexes.web.leaves_max"),
            ("{document_bytes_max: 8388608}", "{document_bytes_max: 8388609}", "indexes.web.document_bytes_max"),
            ("{document_bytes_max: 2}", "{document_bytes_max: 1}", "from 2 to"),
            ("{value_bytes_max: 8388608}", "{value_bytes_max: 8388609}", "indexes.web.value_bytes_max"),
            ("{field_bytes_max: {a: 1}}", "{field_bytes_max: {a: 0}}", "indexes.web.field_bytes_max.a"),
            ("{types: {a: keyword}}", "{types: {a: text}}", "text"),
            ("{on_exceeded: drop}", "{on_exceeded: dorp}", "dorp"),
            ("{required: [a.b]}", "{required: [\"\"]}", "indexes.web: ``"),
            ("{defaults: {a: 1}}", "{defaults: {a: null}}", "the default of `a`"),
            ("{defaults: {a.c: 1, a.b: 2}}", "{defaults: {a: 1, a.b: 2}}", "a.b"),
            ("{types: {a: number}, defaults: {a: 1}}", "{types: {a: number}, defaults: {a: x}}", "must be a number"),
            ("{rate: {requests_per_second: 1}}", "{rate: {requests_per_second: 0}}", "indexes.web.rate.requests"),
            ("{rate: {bytes_per_second: 1024}}", "{rate: {bytes_per_second: 1023}}", "indexes.web.rate.bytes"),
            (
                "{retention: {max_age_seconds: 1}}",
                "{retention: {max_age_seconds: 0}}",
                "indexes.web.retention.max_age_seconds",
            ),
            ("{retention: {max_bytes: 1048576}}", "{retention: {max_bytes: 1048575}}", "retention.max_bytes"),
            ("{}", "{retention: {age: 5}}", "age"),
            ("{}", "{requird: [a]}", "requird"),
        ] {
            let parse = |text: &str| NodeConfig::parse(&format!("indexes: {{web: {text}}}"));
            assert!(parse(good).is_ok(), "{good}: {:?}", parse(good));
            let said = parse(bad).expect_err("refused").to_string();
            assert!(said.contains(named), "{bad}: {said}");
        }
        let said = NodeConfig::parse("indexes: {\"-web\": {}}").expect_err("no name").to_string();
        assert!(said.contains("-web"), "{said}");
    }
}

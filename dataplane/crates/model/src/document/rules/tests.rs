//! Both sides of every rule, and what is stored of a document that keeps or breaks it.

mod faults;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const LIMITS: DocumentLimits =
    DocumentLimits { document_bytes_max: 60, value_bytes_max: 5, depth_max: 3, leaves_max: 4, path_bytes_max: 20 };

fn rules(on_exceeded: OnExceeded) -> DocumentRules {
    DocumentRules::new(LIMITS, on_exceeded)
}

/// What is stored, and how many values were left out, cut and added.
fn stored(rules: &DocumentRules, source: &str) -> (String, [u64; 3]) {
    let (document, Amended { dropped, trimmed, defaulted }) = rules.read(source.as_bytes()).expect("a good document");
    (document.source().to_owned(), [dropped, trimmed, defaulted])
}

fn refused(rules: &DocumentRules, source: &str) -> (&'static str, Option<String>) {
    let error = rules.read(source.as_bytes()).expect_err("refused");
    (error.code(), error.field().map(str::to_owned))
}

fn at(field: &str) -> Option<String> {
    Some(field.to_owned())
}

#[test]
fn a_value_at_its_limit_stays_and_one_beyond_it_is_refused_left_out_or_cut() {
    for (source, cut) in [
        (r#"{"a":"123456"}"#, r#"{"a":"12345"}"#),
        (r#"{"a":"ééé"}"#, r#"{"a":"éé"}"#),
        (r#"{"a":"\n\n\n\n\n\n"}"#, r#"{"a":"\n\n\n\n\n"}"#),
        (r#"{"a":"xx\ud83d\ude00"}"#, r#"{"a":"xx"}"#),
        (r#"{"a":"x\ud83d\ude00y"}"#, r#"{"a":"x\ud83d\ude00"}"#),
        (r#"{"a":"12\ud800x"}"#, r#"{"a":"12\ufffd"}"#),
        (r#"{"a":"1234\\5"}"#, r#"{"a":"1234\\"}"#),
    ] {
        assert_eq!(refused(&rules(OnExceeded::Reject), source), ("value_too_long", at("a")), "{source}");
        assert_eq!(stored(&rules(OnExceeded::Drop), source), ("{}".to_owned(), [1, 0, 0]), "{source}");
        assert_eq!(stored(&rules(OnExceeded::Trim), source), (cut.to_owned(), [0, 1, 0]), "{source}");
        for on_exceeded in [OnExceeded::Reject, OnExceeded::Drop, OnExceeded::Trim] {
            assert_eq!(stored(&rules(on_exceeded), cut), (cut.to_owned(), [0; 3]));
        }
    }
}

#[test]
fn what_cannot_be_cut_is_left_out_with_its_comma() {
    for on_exceeded in [OnExceeded::Drop, OnExceeded::Trim] {
        let rules = rules(on_exceeded);
        assert_eq!(stored(&rules, r#"{"a":123456,"b":1}"#).0, r#"{"b":1}"#);
        assert_eq!(stored(&rules, r#"{"b":1,"a":123456}"#).0, r#"{"b":1}"#);
        assert_eq!(stored(&rules, r#"{"b":1, "a":123456, "c":2}"#).0, r#"{"b":1,"c":2}"#);
        assert_eq!(stored(&rules, r#"{"a":[123456,1,123456,2,123456]}"#), (r#"{"a":[1,2]}"#.to_owned(), [3, 0, 0]));
        assert_eq!(stored(&rules, r#"{"a":[123456],"b":{"c":123456}}"#).0, r#"{"a":[],"b":{}}"#);
    }
}

#[test]
fn depth_and_leaves_have_two_sides_too() {
    for on_exceeded in [OnExceeded::Drop, OnExceeded::Trim] {
        let rules = rules(on_exceeded);
        let fits = r#"{"a":{"b":{"c":1}},"d":[[]]}"#;
        assert_eq!(stored(&rules, fits), (fits.to_owned(), [0; 3]));
        let deep = r#"{"a":{"b":{"c":{"d":[1,"}"]},"e":1}},"d":[[[2],3]]}"#;
        assert_eq!(stored(&rules, deep), (r#"{"a":{"b":{"e":1}},"d":[[3]]}"#.to_owned(), [2, 0, 0]));
        let four = r#"{"a":1,"n":null,"b":[true,"x"],"c":2,"m":null}"#;
        assert_eq!(stored(&rules, four), (four.to_owned(), [0; 3]));
        let six = r#"{"a":1,"b":[true,"x",2,3],"n":null,"c":{"d":4}}"#;
        assert_eq!(stored(&rules, six), (r#"{"a":1,"b":[true,"x",2],"n":null,"c":{}}"#.to_owned(), [2, 0, 0]));
    }
    assert_eq!(refused(&rules(OnExceeded::Reject), r#"{"a":{"b":{"c":{}}}}"#), ("too_deep", at("a.b.c")));
    assert_eq!(refused(&rules(OnExceeded::Reject), r#"{"a":[1,2,3,4,5]}"#), ("too_many_leaves", at("a")));
}

#[test]
fn the_whole_document_is_measured_as_it_is_stored_where_values_may_go() {
    let long = format!(r#"{{"a":"{}","b":1}}"#, "x".repeat(100));
    assert_eq!(refused(&rules(OnExceeded::Reject), &long), ("too_large", None));
    assert_eq!(stored(&rules(OnExceeded::Trim), &long).0, r#"{"a":"xxxxx","b":1}"#);
    let of = |bytes: usize| format!(r#"{{"{}":[1]}}"#, "k".repeat(bytes - 8));
    let wide = DocumentLimits { path_bytes_max: 100, ..LIMITS };
    for on_exceeded in [OnExceeded::Reject, OnExceeded::Drop, OnExceeded::Trim] {
        let rules = DocumentRules::new(wide.clone(), on_exceeded);
        assert_eq!(stored(&rules, &of(60)).0, of(60));
        assert_eq!(refused(&rules, &of(61)), ("too_large", None));
    }
    let trimmed = format!(r#"{{"{}":"123456"}}"#, "k".repeat(52));
    assert_eq!(refused(&DocumentRules::new(wide, OnExceeded::Trim), &trimmed), ("too_large", None));
}

#[test]
fn an_id_is_never_changed() {
    for on_exceeded in [OnExceeded::Drop, OnExceeded::Trim] {
        let rules = rules(on_exceeded);
        assert_eq!(stored(&rules, r#"{"_id":"12345"}"#).0, r#"{"_id":"12345"}"#);
        assert_eq!(refused(&rules, r#"{"_id":"123456"}"#), ("value_too_long", at("_id")));
        assert_eq!(refused(&rules, r#"{"_id":123456}"#), ("value_too_long", at("_id")));
        assert_eq!(refused(&rules, r#"{"a":[1,2,3,4],"_id":5}"#), ("too_many_leaves", at("_id")));
        assert_eq!(stored(&rules, r#"{"x":{"_id":123456}}"#).0, r#"{"x":{}}"#);
    }
}

#[test]
fn a_field_has_its_own_limit_on_both_sides_and_elements_count_one_by_one() {
    let mut rules = rules(OnExceeded::Reject);
    rules.limit_field("a.b", 3).expect("a path");
    rules.limit_field("wide", 100).expect("a path");
    let fits = r#"{"a":{"b":["123","1"],"c":"12345"}}"#;
    assert_eq!(stored(&rules, fits).0, fits);
    assert_eq!(refused(&rules, r#"{"a":{"b":["123","1234"]}}"#), ("value_too_long", at("a.b")));
    assert_eq!(refused(&rules, r#"{"wide":"123456"}"#), ("value_too_long", at("wide")));
    assert!(rules.read(br#"{"a.b":"12345"}"#).is_ok(), "a dot in a key makes another path");
}

#[test]
fn types_are_kept_by_every_element_and_null_is_of_every_type() {
    let mut rules = rules(OnExceeded::Reject);
    rules.expect_type("n", FieldType::Number).expect("a path");
    rules.expect_type("a.s", FieldType::String).expect("a path");
    for good in [r#"{"n":1}"#, r#"{"n":[1,[2.5]]}"#, r#"{"n":null}"#, r#"{"n":[]}"#, r#"{"a":{"s":""}}"#, r#"{"a":5}"#]
    {
        assert_eq!(stored(&rules, good).0, good);
    }
    for (bad, field) in [
        (r#"{"n":"1"}"#, "n"),
        (r#"{"n":[1,"2"]}"#, "n"),
        (r#"{"n":{"x":1}}"#, "n"),
        (r#"{"n":[{}]}"#, "n"),
        (r#"{"n":true}"#, "n"),
        (r#"{"a":[{"s":"x"},{"s":1}]}"#, "a.s"),
    ] {
        assert_eq!(refused(&rules, bad), ("wrong_type", at(field)), "{bad}");
    }
    let said = rules.read(br#"{"n":"1"}"#).expect_err("refused").to_string();
    assert_eq!(said, "the field `n` must be a number, not this string");
}

#[test]
fn a_required_field_is_there_when_it_or_something_below_it_has_a_value() {
    let mut rules = rules(OnExceeded::Drop);
    rules.require("a.b").expect("a path");
    rules.require("c\\.d").expect("a path");
    for good in
        [r#"{"a":{"b":1},"c.d":""}"#, r#"{"a":{"b":{"y":false}},"c.d":[0]}"#, r#"{"a":[{"x":1},{"b":0}],"c.d":1}"#]
    {
        assert_eq!(stored(&rules, good).0, good);
    }
    for (bad, field) in [
        (r#"{"c.d":1}"#, "a.b"),
        (r#"{"a":{"b":null},"c.d":1}"#, "a.b"),
        (r#"{"a":{"b":[{}]},"c.d":1}"#, "a.b"),
        (r#"{"a":{"b":1},"c":{"d":1}}"#, "c\\.d"),
        (r#"{"a":{"b":1},"c.d":"too long"}"#, "c\\.d"),
    ] {
        assert_eq!(refused(&rules, bad), ("missing_field", at(field)), "{bad}");
    }
}

#[test]
fn defaults_fill_what_is_missing_and_nothing_else() {
    let mut rules = rules(OnExceeded::Reject);
    rules.require("k8s").expect("a path");
    rules.require("k8s.ns").expect("a path");
    for (field, json) in [("env", "\"prod\""), ("k8s.ns", "\"x\""), ("k8s.\\.\"", "1")] {
        rules.add_default(field, json).expect("a default");
    }
    for (source, expected, defaulted) in [
        ("{}", r#"{"env":"prod","k8s":{"ns":"x",".\"":1}}"#, 3),
        (r#"{"env":"test","a":1}"#, r#"{"env":"test","a":1,"k8s":{"ns":"x",".\"":1}}"#, 2),
        (r#"{"env":null,"k8s":{"a":1}}"#, r#"{"env":null,"k8s":{"a":1,"ns":"x",".\"":1}}"#, 2),
        (r#"{"k8s":{},"env":[]}"#, r#"{"k8s":{"ns":"x",".\"":1},"env":[]}"#, 2),
        (r#"{"k8s":{".\"":2,"ns":"y"},"env":[]}"#, r#"{"k8s":{".\"":2,"ns":"y"},"env":[]}"#, 0),
    ] {
        assert_eq!(stored(&rules, source), (expected.to_owned(), [0, 0, defaulted]), "{source}");
    }
    assert_eq!(refused(&rules, r#"{"k8s":"text"}"#), ("missing_field", at("k8s.ns")));
}

#[test]
fn what_defaults_add_counts() {
    let mut rules = DocumentRules::new(LIMITS, OnExceeded::Trim);
    rules.add_default("d", "\"0123\"").expect("a default");
    assert_eq!(stored(&rules, r#"{"a":[1,2,3]}"#).0, r#"{"a":[1,2,3],"d":"0123"}"#);
    assert_eq!(refused(&rules, r#"{"a":[1,2,3,4]}"#), ("too_many_leaves", at("d")));
    let of = |bytes: usize| format!(r#"{{"a":[{}]}}"#, "null,".repeat(bytes) + "null");
    assert_eq!(stored(&rules, &of(7)).0.len(), 58);
    assert_eq!(refused(&rules, &of(8)), ("too_large", None));
}

#[test]
fn a_value_that_is_left_out_gives_way_to_the_default() {
    let mut rules = rules(OnExceeded::Drop);
    rules.add_default("a", "1").expect("a default");
    assert_eq!(stored(&rules, r#"{"a":"123456"}"#), (r#"{"a":1}"#.to_owned(), [1, 0, 1]));
}

#[test]
fn a_time_that_is_a_default_or_was_cut_is_the_documents() {
    let mut rules = DocumentRules::new(DocumentLimits::default(), OnExceeded::Reject);
    rules.add_default("ts", "1600000000").expect("a default");
    let (document, _) = rules.read(b"{}").expect("a good document");
    assert_eq!(document.time(crate::TimeNs(i64::MAX)).to_string(), "2020-09-13T12:26:40Z");
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    let mut rules = rules(OnExceeded::Reject);
    assert!(matches!(rules.require(""), Err(RuleError::Path { .. })));
    assert!(matches!(rules.expect_type("a\\", FieldType::Number), Err(RuleError::Path { .. })));
    assert_eq!(rules.add_default("_id", "1"), Err(RuleError::DefaultId));
    rules.expect_type("n", FieldType::Number).expect("a path");
    assert!(matches!(rules.add_default("n", "\"1\""), Err(RuleError::DefaultType { .. })));
    rules.add_default("a.b", "1").expect("a default");
    for clash in ["a", "a.b", "a.b.c"] {
        assert!(matches!(rules.add_default(clash, "1"), Err(RuleError::Clash { .. })), "{clash}");
    }
    rules.add_default("a.c", "1").expect("a default");
}

/// What trimming makes of a value, as an ordinary reader of JSON would do it.
fn trimmed(value: &Value, max: usize) -> Option<Value> {
    match value {
        Value::String(text) => {
            let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            Some(Value::from(&text[..end]))
        }
        Value::Number(_) | Value::Bool(_) => Some(value.clone()).filter(|value| value.to_string().len() <= max),
        Value::Null => Some(Value::Null),
        Value::Array(elements) => Some(elements.iter().filter_map(|element| trimmed(element, max)).collect()),
        Value::Object(members) => Some(Value::Object(
            members.iter().filter_map(|(key, member)| Some((key.clone(), trimmed(member, max)?))).collect(),
        )),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[aé\"\\\\\n😀]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-c.\\\\\"]{1,2}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn trimming_does_what_an_ordinary_reader_would_do(value in any_value(), max in 4usize..20, escape in any::<bool>()) {
        let value = json!({ "doc": value });
        let mut source = value.to_string();
        if escape {
            source = source.replace('é', "\\u00e9").replace('😀', "\\ud83d\\ude00");
        }
        let limits = DocumentLimits { value_bytes_max: max, ..DocumentLimits::default() };
        let (text, _) = stored(&DocumentRules::new(limits, OnExceeded::Trim), &source);
        let read: Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(Some(read), trimmed(&value, max));
    }

    #[test]
    fn what_is_stored_keeps_every_rule_and_is_not_changed_again(
        value in any_value(), on_exceeded in prop_oneof![Just(OnExceeded::Drop), Just(OnExceeded::Trim)],
        value_max in 1usize..12, depth_max in 1usize..5, leaves_max in 1usize..8, bytes_max in 10usize..200,
    ) {
        let limits = DocumentLimits {
            document_bytes_max: bytes_max, value_bytes_max: value_max, depth_max, leaves_max, path_bytes_max: 100,
        };
        let with_fields = |on_exceeded| {
            let mut rules = DocumentRules::new(limits.clone(), on_exceeded);
            rules.limit_field("a", 3).expect("a path");
            rules.expect_type("b", FieldType::Number).expect("a path");
            rules.require("c").expect("a path");
            rules.add_default("c.a", "1").expect("a default");
            rules
        };
        let source = json!({ "a": &value, "b": [1, 2], "d": { "a": &value } }).to_string();
        match with_fields(on_exceeded).read(source.as_bytes()) {
            Ok((document, _)) => {
                let again = with_fields(OnExceeded::Reject).read(document.source().as_bytes());
                prop_assert_eq!(again.as_ref().map(|(again, _)| again.source()), Ok(document.source()), "{}", source);
                prop_assert_eq!(again.map(|(_, amended)| amended), Ok(Amended::default()));
            }
            Err(error) => prop_assert!(matches!(error.code(), "too_large" | "too_many_leaves" | "too_deep" | "missing_field" | "value_too_long"), "{error}: {source}"),
        }
    }

    #[test]
    fn no_text_makes_the_rules_panic(source in "\\{\"[abc_id]{1,3}\":[-0-9.truefalsn\\[\\]{}\", :\\\\ud8é]{0,30}\\}") {
        for on_exceeded in [OnExceeded::Reject, OnExceeded::Drop, OnExceeded::Trim] {
            let mut rules = rules(on_exceeded);
            rules.limit_field("a", 1).expect("a path");
            rules.add_default("b.c", "true").expect("a default");
            let read = rules.read(source.as_bytes());
            prop_assert!(read.is_err() || Document::parse(source.as_bytes(), &DocumentLimits::default()).is_ok());
        }
    }
}

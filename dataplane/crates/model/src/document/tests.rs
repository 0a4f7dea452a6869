//! What a document may be, and what a search sees of it.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn parse(source: &str) -> Result<Document, DocumentError> {
    Document::parse(source.as_bytes(), &DocumentLimits::default())
}

fn leaves(source: &str) -> Vec<(String, String)> {
    let mut leaves = Vec::new();
    walk_leaves(source, |path, value| {
        leaves.push((path.to_owned(), value.to_owned()));
        std::ops::ControlFlow::Continue(())
    });
    leaves
}

/// A document whose objects and arrays are `depth` levels deep, itself included.
fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
}

fn code(source: &str, limits: &DocumentLimits) -> Option<(&'static str, Option<String>)> {
    let error = Document::parse(source.as_bytes(), limits).err()?;
    Some((error.code(), error.field().map(str::to_owned)))
}

#[test]
fn what_came_is_what_is_stored() {
    for source in [
        r#"{"z":1.0,"a":12345678901234567890,"n":null,"e":1E+2,"m":-0,"t":true}"#,
        r#"{"rows":[{"a":1,"b":2},{"a":3}],"empty":{},"none":[],"":""}"#,
        r#"{"text":"\u00e9\/ é \ud83d\ude00 😀\n"}"#,
        "{}",
    ] {
        let document = parse(source).expect("a good document");
        assert_eq!((document.source(), document.lone_surrogates()), (source, 0));
    }
    assert_eq!(parse(" { \"a\" : [ 1 , 2 ] }\r\n").expect("a good document").source(), r#"{"a":[1,2]}"#);
}

#[test]
fn lone_surrogates_are_replaced_and_counted() {
    let document = parse(r#"{"\udc00k":"a\ud800b \ud83d\ude00 \ud83d\ud83d\ude00"}"#).expect("a good document");
    assert_eq!(document.source(), r#"{"\ufffdk":"a\ufffdb \ud83d\ude00 \ufffd\ud83d\ude00"}"#);
    assert_eq!(document.lone_surrogates(), 3);
    assert_eq!(leaves(document.source()), [("\u{fffd}k".to_owned(), "a\u{fffd}b 😀 \u{fffd}😀".to_owned())]);
}

#[test]
fn both_sides_of_every_limit() {
    let limits =
        DocumentLimits { document_bytes_max: 400, value_bytes_max: 5, depth_max: 3, leaves_max: 4, path_bytes_max: 9 };
    let field = |name: &str| Some(name.to_owned());
    let fitting = format!("{{\"a\":\"{}\"}}", " ".repeat(5)) + &" ".repeat(500);
    assert_eq!(code(&fitting, &limits), None);
    assert_eq!(code(&format!("{{{}}}", " ".repeat(398)), &limits), None);
    assert_eq!(code(&format!("{{{}}}", " ".repeat(399)), &limits), Some(("too_large", None)));
    assert_eq!(code(r#"{"x":{"y":"éé\n"}}"#, &limits), None);
    assert_eq!(code(r#"{"x":{"y":"éé\n."}}"#, &limits), Some(("value_too_long", field("x.y"))));
    assert_eq!(code(r#"{"x":123456}"#, &limits), Some(("value_too_long", field("x"))));
    assert_eq!(code(&nested(3), &limits), None);
    assert_eq!(code(&nested(4), &limits), Some(("too_deep", field("a.a.a"))));
    assert_eq!(code(r#"{"x":[[[]]]}"#, &limits), Some(("too_deep", field("x"))));
    assert_eq!(code(r#"{"x":[1,true,"",null,2]}"#, &limits), None);
    assert_eq!(code(r#"{"x":[1,true,"",null,2],"y":3}"#, &limits), Some(("too_many_leaves", field("y"))));
    assert_eq!(code(r#"{"abcd":{"efgh":1}}"#, &limits), None);
    assert_eq!(code(r#"{"abcd":{"efghi":1}}"#, &limits), Some(("path_too_long", field("abcd.efgh"))));
}

#[test]
fn the_default_limits_are_the_designs() {
    let limits = DocumentLimits::default();
    let document = |value: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(value));
    assert_eq!(code(&document(256 << 10), &limits), None);
    assert_eq!(code(&document((256 << 10) + 1), &limits).map(|found| found.0), Some("value_too_long"));
    assert_eq!(code(&document(1 << 20), &limits).map(|found| found.0), Some("too_large"));
    assert_eq!(code(&nested(32), &limits), None);
    assert_eq!(code(&nested(33), &limits).map(|found| found.0), Some("too_deep"));
    let array = |leaves: usize| format!("{{\"a\":[{}]}}", vec!["1"; leaves].join(","));
    assert_eq!(code(&array(1_000), &limits), None);
    assert_eq!(code(&array(1_001), &limits).map(|found| found.0), Some("too_many_leaves"));
}

#[test]
fn no_configuration_lets_nesting_reach_the_stack() {
    let limits = DocumentLimits { depth_max: usize::MAX, ..DocumentLimits::default() };
    assert_eq!(code(&nested(100_000), &limits).map(|found| found.0), Some("too_deep"));
    assert_eq!(leaves(&nested(DEPTH_CEILING)).len(), 1);
    assert_eq!(leaves(&nested(100_000)), []);
}

#[test]
fn a_key_may_occur_once_per_object() {
    assert_eq!(
        code(r#"{"a":{"b":1,"b":2}}"#, &DocumentLimits::default()),
        Some(("duplicate_key", Some("a.b".to_owned())))
    );
    assert_eq!(parse(r#"{"a":1,"\u0061":2}"#), Err(DocumentError::DuplicateKey { field: "a".to_owned() }));
    assert!(parse(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#).is_ok());
    let many = |last: usize| {
        let members: Vec<String> = (0..200).chain([last]).map(|key| format!("\"k{key}\":{key}")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(parse(&many(200)).is_ok());
    for twice in [0, 31, 32, 33, 199] {
        assert_eq!(parse(&many(twice)), Err(DocumentError::DuplicateKey { field: format!("k{twice}") }));
    }
}

#[test]
fn what_is_not_json_is_refused_where_it_breaks() {
    let cases = [
        ("", 0),
        ("{", 1),
        ("{\"a\"}", 4),
        ("{\"a\":}", 5),
        ("{\"a\":1,}", 7),
        ("{a:1}", 1),
        ("{\"a\":01}", 6),
        ("{\"a\":1.}", 7),
        ("{\"a\":.5}", 5),
        ("{\"a\":+1}", 5),
        ("{\"a\":1e}", 7),
        ("{\"a\":tru}", 5),
        ("{\"a\":NaN}", 5),
        ("{\"a\":'x'}", 5),
        ("{\"a\":\"\n\"}", 6),
        ("{\"a\":\"\\x\"}", 6),
        ("{\"a\":\"\\u12g4\"}", 6),
        ("{\"a\":\"\\u+123\"}", 6),
        ("{\"a\":1} x", 7),
        ("{\"a\":[1 2]}", 8),
        ("{\"a\":[1,]}", 8),
        ("{\"a\":\"x", 7),
        ("{\"a\":-}", 6),
        ("{/**/}", 1),
        ("{\"a\":\"\t\"}", 6),
    ];
    for (source, expected) in cases {
        match parse(source) {
            Err(DocumentError::Syntax { offset, .. }) => assert_eq!(offset, expected, "{source}"),
            other => panic!("{source}: {other:?}"),
        }
    }
    let not_utf8 = Document::parse(b"{\"a\":\"\xff\"}", &DocumentLimits::default());
    assert_eq!(not_utf8, Err(DocumentError::Syntax { offset: 6, expected: "valid UTF-8" }));
    for source in ["[]", "1", "\"a\"", "null", "[{\"a\":1}]"] {
        assert_eq!(parse(source), Err(DocumentError::NotAnObject), "{source}");
    }
}

#[test]
fn an_id_is_a_top_level_string_or_integer() {
    let id = |source: &str| parse(source).map(|document| document.id().map(|id| id.to_string()));
    assert_eq!(id(r#"{"_id":"a\u0062"}"#), Ok(Some("ab".to_owned())));
    assert_eq!(id(r#"{"_id":-12345678901234567890}"#), Ok(Some("-12345678901234567890".to_owned())));
    assert_eq!(id(r#"{"x":{"_id":1}}"#), Ok(None));
    assert_eq!(id(&format!("{{\"_id\":\"{}\"}}", "x".repeat(512))).map(|id| id.is_some()), Ok(true));
    let long = format!("{{\"_id\":\"{}\"}}", "x".repeat(513));
    for source in [r#"{"_id":1.0}"#, r#"{"_id":""}"#, r#"{"_id":null}"#, r#"{"_id":[1]}"#, r#"{"_id":true}"#, &long] {
        assert_eq!(id(source).map_err(|error| error.code()), Err("invalid_id"), "{source}");
    }
}

#[test]
fn time_comes_from_the_first_readable_field_and_not_from_the_future() {
    let received = TimeNs::from_rfc3339("2026-11-23T10:00:00Z").expect("well formed");
    let time = |source: &str| parse(source).expect("a good document").time(received).to_string();
    assert_eq!(time(r#"{"ts":1600044263,"@timestamp":"2020-09-14T00:44:24Z"}"#), "2020-09-14T00:44:24Z");
    assert_eq!(time(r#"{"@timestamp":"yesterday","time":1600044263.5}"#), "2020-09-14T00:44:23.5Z");
    assert_eq!(time(r#"{"timestamp":"2020-09-14T02:44:23+02:00"}"#), "2020-09-14T00:44:23Z");
    assert_eq!(time(r#"{"event":{"time":1600044263}}"#), received.to_string());
    assert_eq!(time(r#"{"time":"2026-11-23T11:00:00Z"}"#), "2026-11-23T11:00:00Z");
    assert_eq!(time(r#"{"time":"2026-11-23T11:00:00.000000001Z"}"#), received.to_string());
}

#[test]
fn leaves_are_strings_numbers_and_booleans_by_dotted_path() {
    let source = r#" { "a.b" : { "c" : "x\ty" }, "n":[1.0,[true,{"d":-2e5}],null], "o":{}, "z":"" } "#;
    let expected = [("a\\.b.c", "x\ty"), ("n", "1.0"), ("n", "true"), ("n.d", "-2e5"), ("z", "")];
    assert_eq!(leaves(source), expected.map(|(path, value)| (path.to_owned(), value.to_owned())));
}

#[test]
fn the_walk_stops_when_told() {
    let mut seen = 0;
    walk_leaves(r#"{"a":1,"b":2,"c":3}"#, |_, _| {
        seen += 1;
        if seen == 2 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    });
    assert_eq!(seen, 2);
}

/// The leaves as an ordinary JSON reader finds them.
fn leaves_of_value(path: &str, is_top: bool, value: &Value, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::String(text) => leaves.push((path.to_owned(), text.clone())),
        Value::Array(elements) => elements.iter().for_each(|element| leaves_of_value(path, is_top, element, leaves)),
        Value::Object(members) => {
            for (key, member) in members {
                let key = key.replace('\\', "\\\\").replace('.', "\\.");
                let path = if is_top { key } else { format!("{path}.{key}") };
                leaves_of_value(&path, false, member, leaves);
            }
        }
        other => leaves.push((path.to_owned(), other.to_string())),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key = prop_oneof![any::<String>(), "[a-c.\\\\]{0,3}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_is_taken_and_its_leaves_are_an_ordinary_readers(value in any_value(), pretty in any::<bool>()) {
        let source = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.expect("JSON");
        let document = parse(&source);
        if !value.is_object() {
            prop_assert_eq!(document, Err(DocumentError::NotAnObject));
            return Ok(());
        }
        let document = document.expect("an object is a document");
        prop_assert_eq!(document.source(), serde_json::to_string(&value).expect("JSON"));
        let mut expected = Vec::new();
        leaves_of_value("", true, &value, &mut expected);
        prop_assert_eq!(leaves(document.source()), expected.clone());
        prop_assert_eq!(leaves(&source), expected);
    }

    #[test]
    fn syntax_is_judged_as_an_ordinary_reader_judges_it(source in "\\{\"[a\\\\u0]{0,4}\":[-+0-9.eEtruefalsn\\[\\]{}\", :]{0,9}\\}") {
        let ordinary = serde_json::from_str::<Value>(&source);
        match parse(&source) {
            Ok(_) | Err(DocumentError::NotAnObject | DocumentError::DuplicateKey { .. }) => prop_assert!(ordinary.is_ok(), "{}", source),
            // An ordinary reader refuses numbers that overflow and takes any key; we take any number and check escapes alike.
            Err(_) => prop_assert!(ordinary.is_err(), "{}", source),
        }
    }

    #[test]
    fn the_walk_never_panics(source in any::<String>(), json in "[{}\\[\\]\":,a\\\\é0 tn]{0,40}") {
        leaves(&source);
        leaves(&json);
        let _taken_apart = (body::records(&source), body::records(&json));
        let _read = (parse(&source), parse(&json));
    }
}

//! All that is wrong with a document, told at once.

use super::*;

/// The code and field of everything that is wrong.
fn faults(rules: &DocumentRules, source: &str) -> Vec<(&'static str, Option<String>)> {
    let faults = rules.refusal(&source.into()).faults;
    faults.iter().map(|fault| (fault.code(), fault.field().map(str::to_owned))).collect()
}

#[test]
fn all_that_is_wrong_with_a_document_is_told_at_once() {
    let mut rules = rules(OnExceeded::Reject);
    rules.require("must").expect("a path");
    rules.require("need.this").expect("a path");
    rules.expect_type("n", FieldType::Number).expect("a path");
    rules.limit_field("short", 2).expect("a path");
    let source = r#"{"a":"123456","a":1,"n":"x","short":"abc","d":{"e":{"f":{}}},"must":null,"z":[1,2]}"#;
    let expected = [
        ("too_large", None),
        ("value_too_long", at("a")),
        ("duplicate_key", at("a")),
        ("too_deep", at("d.e.f")),
        ("too_many_leaves", at("z")),
        ("wrong_type", at("n")),
        ("value_too_long", at("short")),
        ("missing_field", at("must")),
    ];
    assert_eq!(faults(&rules, source), expected, "the ninth, `need.this`, is beyond the bound");
    assert_eq!(refused(&rules, source), ("too_large", None), "the first of them is the one that stops the reading");
}

#[test]
fn a_kind_of_fault_is_told_once_for_each_field() {
    let mut rules = rules(OnExceeded::Reject);
    rules.expect_type("n", FieldType::Number).expect("a path");
    rules.limit_field("n", 1).expect("a path");
    assert_eq!(
        faults(&rules, r#"{"n":["a","b",true,123456]}"#),
        [("value_too_long", at("n")), ("wrong_type", at("n"))]
    );
}

#[test]
fn a_field_that_is_wrong_is_not_missing_as_well() {
    let mut rules = rules(OnExceeded::Reject);
    rules.require("a").expect("a path");
    rules.require("d.e").expect("a path");
    assert_eq!(
        faults(&rules, r#"{"a":"123456","d":{"e":{"f":{}}}}"#),
        [("value_too_long", at("a")), ("too_deep", at("d.e.f"))]
    );
}

#[test]
fn behind_an_error_of_syntax_nothing_is_told_and_before_it_everything() {
    let rules = rules(OnExceeded::Reject);
    assert_eq!(faults(&rules, r#"{"a":"123456","b":}"#), [("value_too_long", at("a")), ("syntax", None)]);
    assert_eq!(faults(&rules, "[1]"), [("not_an_object", None)]);
    let abyss = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(faults(&rules, &format!(r#"{{"a":{abyss}}}"#)).last(), Some(&("too_deep", at("a"))));
}

#[test]
fn a_refused_document_is_named_by_its_id() {
    let rules = rules(OnExceeded::Reject);
    let named = rules.refusal(&r#"{"_id":"a-1","a":"123456"}"#.into());
    assert_eq!((named.id.as_deref(), named.faults.len()), (Some("a-1"), 1));
    let nameless = rules.refusal(&r#"{"_id":[],"a":"123456"}"#.into());
    assert_eq!((nameless.id.as_deref(), nameless.faults.len()), (None, 2));
}

#[test]
fn where_values_are_cut_what_cannot_be_healed_is_told() {
    let mut rules = rules(OnExceeded::Trim);
    rules.require("must").expect("a path");
    rules.expect_type("n", FieldType::Boolean).expect("a path");
    let source = r#"{"a":"1234567","_id":"123456","n":1}"#;
    assert_eq!(
        faults(&rules, source),
        [("value_too_long", at("_id")), ("wrong_type", at("n")), ("missing_field", at("must"))]
    );
}

proptest! {
    /// The reading that stops and the one that goes on agree on what is right, and the first fault is among all.
    #[test]
    fn a_document_has_faults_exactly_if_it_is_refused(
        document in proptest::collection::vec(("[a-c]", prop_oneof!["\"[x]{0,8}\"", "[0-9]{1,8}", "\\{\"d\":\\[1,\\{\\}\\]\\}", "null", "-"]), 0..6),
        on_exceeded in prop_oneof![Just(OnExceeded::Reject), Just(OnExceeded::Drop), Just(OnExceeded::Trim)],
    ) {
        let members: Vec<String> = document.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let source = format!("{{{}}}", members.join(","));
        let mut rules = rules(on_exceeded);
        rules.require("a").expect("a path");
        rules.expect_type("b", FieldType::Number).expect("a path");
        let faults = rules.refusal(&source.as_str().into()).faults;
        match rules.read(source.as_bytes()) {
            Ok(_) => prop_assert!(faults.is_empty(), "{faults:?}"),
            Err(error) => {
                let first = faults.iter().any(|fault| fault.code() == error.code() && fault.field() == error.field());
                prop_assert!(first, "{error:?} is not among {faults:?}");
            }
        }
    }
}

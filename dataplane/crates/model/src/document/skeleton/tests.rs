//! Documents come back from their parts, and the parts are what a walk over the leaves sees.

use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::document::walk_leaves;

fn parted(source: &str) -> (Vec<u8>, Vec<String>) {
    let mut parted = Parted::default();
    parted.take(source);
    let leaf = |leaf: &[u8]| String::from_utf8(leaf.to_vec()).expect("values are text");
    (parted.skeleton().to_vec(), parted.leaves(source).map(leaf).collect())
}

fn round_trip(source: &str) -> String {
    let (skeleton, leaves) = parted(source);
    let skeleton = String::from_utf8(skeleton).expect("skeletons are text");
    let (mut back, mut next) = (Vec::new(), leaves.iter());
    put_together(&skeleton, || next.next().expect("a value for each hole").as_bytes(), &mut back);
    assert!(next.next().is_none());
    String::from_utf8(back).expect("text was put together")
}

fn paths(skeleton: &[u8]) -> Result<Vec<String>, BrokenSkeleton> {
    let mut paths = Vec::new();
    let skeleton = std::str::from_utf8(skeleton).expect("skeletons are text");
    hole_paths(skeleton, |path| paths.push(path.to_owned())).map(|()| paths)
}

#[test]
fn the_skeleton_of_a_document() {
    let source = r#"{"a":"x\n\u0041","b\"\u00e9":[1,-1.0,true,null,{},[],{"c.d":""}],"e":{"f":false}}"#;
    let (skeleton, leaves) = parted(source);
    let expected = "{\"a\":\u{1},\"b\\\"\\u00e9\":[\u{2},\u{2},\u{2},null,{},[],{\"c.d\":\u{1}}],\"e\":{\"f\":\u{2}}}";
    assert_eq!(std::str::from_utf8(&skeleton), Ok(expected));
    assert_eq!(leaves, ["x\nA", "1", "-1.0", "true", "", "false"]);
    let found = paths(&skeleton).expect("a good skeleton");
    assert_eq!(found, ["a", "b\"é", "b\"é", "b\"é", "b\"é.c\\.d", "e.f"]);
    assert_eq!(round_trip(source), source.replace("\\u0041", "A"));
}

#[test]
fn escapes_are_written_in_the_shortest_way() {
    let source = r#"{"a":"\/\u002f\u00e9\ud83d\ude00\u0008\f\n\r\t\u0000\u001f\"\\\u007f"}"#;
    assert_eq!(round_trip(source), "{\"a\":\"//é😀\\b\\f\\n\\r\\t\\u0000\\u001f\\\"\\\\\u{7f}\"}");
}

#[test]
fn text_that_is_no_document_is_one_value() {
    for text in
        ["", "x", "{\"a\" :1}", "{\"a\":\"", "{\"a\":\"\u{1}\"}", "{\"a\": 1}", "{\"a\":\"x\\", "nul", "\u{1}\u{2}"]
    {
        let (skeleton, leaves) = parted(text);
        assert_eq!((skeleton.as_slice(), leaves.as_slice()), (WHOLE, [text.to_owned()].as_slice()));
        assert_eq!(paths(&skeleton), Ok(vec![String::new()]));
    }
}

#[test]
fn a_broken_skeleton_is_told_where() {
    let deep = "[".repeat(100_000);
    let deepest = "[".repeat(DEPTH_CEILING) + &"]".repeat(DEPTH_CEILING);
    assert_eq!(paths(deepest.as_bytes()), Ok(vec![]));
    assert_eq!(paths(deep.as_bytes()), Err(BrokenSkeleton { offset: DEPTH_CEILING }));
    let cases =
        [("", 0), ("{", 1), ("{\"a\"}", 4), ("{\"a\":}", 5), ("[null,]", 6), ("{}x", 2), ("{\"a", 1), ("[\u{1}", 2)];
    for (skeleton, offset) in cases {
        assert_eq!(paths(skeleton.as_bytes()), Err(BrokenSkeleton { offset }), "{skeleton}");
    }
}

fn json() -> impl Strategy<Value = Value> {
    let number = "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,3})?";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        number.prop_map(|text| serde_json::from_str(&text).expect("a number")),
        any::<String>().prop_map(Value::from),
        "[a-z\"\\\\\n\t\u{0}-\u{1f}:{},]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |element| {
        prop_oneof![
            prop::collection::vec(element.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), element), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_comes_back(value in json()) {
        let source = serde_json::json!({ "a.b\\": value }).to_string();
        prop_assert_eq!(round_trip(&source), source);
    }

    #[test]
    fn the_holes_are_the_leaves_of_the_walk(value in json()) {
        let source = serde_json::json!({ "x": value }).to_string();
        let mut walked = Vec::new();
        walk_leaves(&source, |path, value| {
            walked.push((path.to_owned(), value.to_owned()));
            ControlFlow::Continue(())
        });
        let (skeleton, leaves) = parted(&source);
        let paths = paths(&skeleton).expect("a good skeleton");
        prop_assert_eq!(paths.into_iter().zip(leaves).collect::<Vec<_>>(), walked);
    }

    #[test]
    fn any_text_comes_back_if_only_in_one_piece(text in "[{}\\[\\],:\"a1tn\u{1}\u{2} é]{0,20}") {
        prop_assert_eq!(round_trip(&text), text);
    }
}

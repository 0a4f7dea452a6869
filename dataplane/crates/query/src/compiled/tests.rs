use super::*;
use crate::{Bound, Bounds, PATTERN_BYTES_MAX, Pattern, REGEX_BYTES_MAX, REGEX_DEPTH_MAX};

fn of_root(root: Node) -> Result<CompiledQuery, QueryError> {
    compile(Query { root, indexes: Vec::new(), time: TimeRange::default() })
}

fn error(pattern: Pattern) -> Option<QueryError> {
    of_root(Node::Match { pattern, field: None, case_sensitive: false }).err()
}

fn leaf(text: &str) -> Node {
    Node::Match { pattern: Pattern::Contains(text.to_owned()), field: None, case_sensitive: false }
}

#[test]
fn patterns_that_cannot_be_asked_are_refused_with_the_limit_named() {
    let text = |text: &str| text.to_owned();
    for empty in [Pattern::Contains(text("")), Pattern::Wildcard(text("")), Pattern::Regex(text(""))] {
        assert_eq!(error(empty), Some(QueryError::Empty));
    }
    for marks in [Pattern::Contains(text("\u{301}\u{300}")), Pattern::Wildcard(text("*\u{301}?"))] {
        assert_eq!(error(marks), Some(QueryError::FoldsToNothing));
    }
    let too_long = QueryError::TooLong { found: PATTERN_BYTES_MAX + 1, max: PATTERN_BYTES_MAX };
    for form in [Pattern::Contains, Pattern::Wildcard, Pattern::Regex, Pattern::Exact] {
        assert_eq!(error(form("x".repeat(PATTERN_BYTES_MAX))), None);
        assert_eq!(error(form("x".repeat(PATTERN_BYTES_MAX + 1))), Some(too_long.clone()));
    }
    assert_eq!(error(Pattern::Wildcard(text(r"a\"))), Some(QueryError::DanglingEscape));
    for all in [Pattern::Wildcard(text("*")), Pattern::Exact(text("")), Pattern::Exact(text("\u{301}"))] {
        assert_eq!(error(all), None);
    }
    assert!(too_long.to_string().contains("4096"));
}

#[test]
fn regular_expressions_are_bounded_and_about_text() {
    let regex = |pattern: &str| error(Pattern::Regex(pattern.to_owned()));
    assert_eq!(regex("(a{1000}){1000}"), Some(QueryError::RegexTooBig { max: REGEX_BYTES_MAX }));
    assert_eq!(regex(r"\w{1000}"), Some(QueryError::RegexTooBig { max: REGEX_BYTES_MAX }));
    assert_eq!(regex(&("(".repeat(101) + &")".repeat(101))), Some(QueryError::RegexTooDeep { max: REGEX_DEPTH_MAX }));
    assert_eq!(regex(r"ab(?-u)\xff"), Some(QueryError::RegexBytes { offset: 2 }));
    assert_eq!(regex(r"a(?i-u:b)"), Some(QueryError::RegexBytes { offset: 1 }));
    assert!(matches!(regex("a[b"), Some(QueryError::RegexSyntax { offset: 1, .. })));
    assert!(matches!(regex(r"(a)\1"), Some(QueryError::RegexSyntax { offset: 3, .. })));
    assert_eq!(regex(r"(?u)\w{1,10}(?i:b)\p{Greek}"), None);
}

#[test]
fn trees_are_bounded_in_nodes_and_depth_and_have_no_empty_branch() {
    let wide = |leaves: usize| Node::Any((0..leaves).map(|_| leaf("x")).collect());
    assert!(of_root(wide(NODES_MAX - 1)).is_ok());
    assert_eq!(of_root(wide(NODES_MAX)).err(), Some(QueryError::TooManyNodes { max: NODES_MAX }));
    let deep = |depth: usize| (1..depth).fold(leaf("x"), |node, _| Node::Not(Box::new(node)));
    assert!(of_root(deep(DEPTH_MAX)).is_ok());
    assert_eq!(of_root(deep(DEPTH_MAX + 1)).err(), Some(QueryError::TooDeep { max: DEPTH_MAX }));
    assert_eq!(of_root(Node::All(Vec::new())).err(), Some(QueryError::NoNodes));
    assert_eq!(of_root(Node::Not(Box::new(Node::Any(Vec::new())))).err(), Some(QueryError::NoNodes));
}

#[test]
fn bounds_that_mean_nothing_are_refused() {
    let range = |bounds| of_root(Node::Range { field: "n".to_owned(), bounds }).err();
    let number = |text: &str| Some(Bound::Number(text.to_owned()));
    let text = |text: &str| Some(Bound::Text(text.to_owned()));
    assert_eq!(range(Bounds::default()), Some(QueryError::NoBounds));
    let mixed = Bounds { gte: number("1"), lt: text("2"), ..Bounds::default() };
    assert_eq!(range(mixed), Some(QueryError::MixedBounds));
    let twice = Bounds { gte: number("1"), gt: number("2"), ..Bounds::default() };
    assert_eq!(range(twice), Some(QueryError::DoubleBound { one: "gt", other: "gte" }));
    let word = Bounds { gte: number("one"), ..Bounds::default() };
    assert_eq!(range(word), Some(QueryError::BadNumber));
}

#[test]
fn what_is_known_of_some_conditions_may_settle_the_tree() {
    let not = |node| Node::Not(Box::new(node));
    let query = of_root(Node::All(vec![leaf("a"), not(Node::Any(vec![leaf("b"), leaf("c")]))])).expect("a good query");
    let verdict = |yes, no| {
        let known = Known { yes, no };
        (query.tree.may_hold(known), query.tree.must_hold(known))
    };
    assert_eq!(verdict(0, 0), (true, false));
    assert_eq!(verdict(0b001, 0), (true, false));
    assert_eq!(verdict(0b011, 0), (false, false));
    assert_eq!(verdict(0, 0b001), (false, false));
    assert_eq!(verdict(0b001, 0b110), (true, true));
    let positive: Vec<bool> = query.conditions.iter().map(|condition| condition.is_positive).collect();
    assert_eq!(positive, [true, false, false]);
}

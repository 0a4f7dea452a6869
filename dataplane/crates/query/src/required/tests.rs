use std::time::{Duration, Instant};

use grepzilla_model::fold::fold;
use grepzilla_storage::block::Spelling;
use memchr::memmem;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::Pattern;
use crate::clock::Clock;
use crate::matcher::Matcher;

use super::*;

fn of(pattern: &str) -> String {
    matcher(Pattern::Regex(pattern.to_owned()), false).required().to_string()
}

fn matcher(pattern: Pattern, case_sensitive: bool) -> Matcher {
    Matcher::new(&pattern, case_sensitive).expect("a good pattern")
}

fn holds(required: &Required, folded: &str) -> bool {
    match required {
        Required::Text(text) => memmem::find(folded.as_bytes(), text).is_some(),
        Required::All(parts) => parts.iter().all(|part| holds(part, folded)),
        Required::Any(parts) => parts.iter().any(|part| holds(part, folded)),
    }
}

#[test]
fn regular_expressions_require_what_people_see_in_them() {
    for (pattern, required) in [
        ("abc", r#""abc""#),
        ("(?-i)Kraków", r#""krakow""#),
        ("user=(root|admin)", r#"("user=admin" | "user=root")"#),
        ("foo.*bar", r#"("foo" & "bar")"#),
        ("x[0-9]yz", r#"("x0yz" | "x1yz" | "x2yz" | "x3yz" | "x4yz" | "x5yz" | "x6yz" | "x7yz" | "x8yz" | "x9yz")"#),
        (r"\d+ error", r#"" error""#),
        ("ab?c", r#"("abc" | "ac")"#),
        ("(ab)*", "everything"),
        ("(ab)+c", r#""abc""#),
        ("a{3}", r#""aaa""#),
        ("a|b*", "everything"),
        ("^$", "everything"),
        ("^GET /", r#""get /""#),
        ("[^\\x00-\\u{10FFFF}]", "nothing"),
    ] {
        assert_eq!(of(pattern), required, "{pattern}");
    }
}

#[test]
fn characters_that_fold_to_nothing_are_not_required() {
    // Without case, ι also means U+0345, which folding drops.
    assert_eq!(of("aιb"), r#"("ab" | "aιb")"#);
    assert_eq!(of("(?-i)aιb"), r#""aιb""#);
    assert_eq!(of("(?-i)a\u{345}b\u{301}"), r#""ab""#);
    assert!(matcher(Pattern::Contains("\u{301}".to_owned()), true).required().to_string() == "everything");
    assert!(matcher(Pattern::Exact(String::new()), false).required().to_string() == "everything");
}

#[test]
fn literals_and_wildcards_require_their_pieces_folded() {
    let required = |pattern, case_sensitive| matcher(pattern, case_sensitive).required().to_string();
    assert_eq!(required(Pattern::Contains("Zażółć".into()), true), r#""zazołc""#);
    assert_eq!(required(Pattern::Wildcard("*Err?r*time out".into()), false), r#"("err" & "time out")"#);
    assert_eq!(required(Pattern::Wildcard("*??*".into()), false), "everything");
    assert_eq!(required(Pattern::Exact("1.0".into()), true), r#""1.0""#);
}

const CHARACTERS: [char; 30] = [
    'a', 'A', 'b', 'B', 'k', 'K', 's', 'S', '\u{17F}', '\u{212A}', 'ι', 'Ι', '\u{345}', '\u{1FBE}', 'ß', 'ẞ', 'σ', 'ς',
    'é', 'e', '\u{301}', 'ﬁ', 'f', 'i', '0', '9', ' ', '\n', 'ꭰ', 'Ꭰ',
];

fn text(random: &mut StdRng, length: usize) -> String {
    (0..random.random_range(0..=length)).map(|_| *CHARACTERS.choose(random).expect("there are some")).collect()
}

/// An expression of parts that often match one of few characters.
fn expression(random: &mut StdRng, depth: usize) -> String {
    let sub = |random: &mut StdRng| expression(random, depth - 1);
    match random.random_range(if depth == 0 { 4..9 } else { 0..9 }) {
        0 => format!("{}{}", sub(random), sub(random)),
        1 => format!("(?:{}|{})", sub(random), sub(random)),
        2 => {
            let counts = ["*", "+", "?", "{2}", "{1,2}", "{2,}", "{0,3}", "{3}?"];
            format!("(?:{}){}", sub(random), counts.choose(random).expect("there are some"))
        }
        3 => format!("(?-i:{})", sub(random)),
        4 => ["^", "$", r"\b", ".", r"\w", r"[^a]", r"\s", r"[a-z]"].choose(random).expect("some").to_string(),
        5 => format!("[{}]", regex_syntax::escape(&(text(random, 3) + "b"))),
        _ => regex_syntax::escape(&text(random, 3)),
    }
}

#[test]
fn whatever_matches_contains_what_is_required() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (mut random, clock) = (StdRng::seed_from_u64(seed), Clock::new(Instant::now() + Duration::from_secs(600)));
    let (mut matched, mut told_apart) = (0, 0);
    for _ in 0..4_000 {
        let case_sensitive = random.random_bool(0.3);
        let pattern = match random.random_range(0..6) {
            0 => Pattern::Contains(text(&mut random, 4)),
            1 => Pattern::Exact(text(&mut random, 2)),
            2 => Pattern::Wildcard(format!("{}*{}?", text(&mut random, 2), text(&mut random, 2))),
            _ => Pattern::Regex(expression(&mut random, 4)),
        };
        let Ok(matcher) = Matcher::new(&pattern, case_sensitive) else { continue };
        for _ in 0..30 {
            let value = text(&mut random, 8);
            let folded = fold(&value);
            let spelled = if matcher.spelling() == Spelling::Folded { &*folded } else { &*value };
            let is_match = matcher.matches(spelled, &clock).expect("in time");
            let may_match = holds(matcher.required(), &folded);
            assert!(may_match || !is_match, "{pattern:?} needs {} of {value:?}", matcher.required());
            matched += usize::from(is_match);
            told_apart += usize::from(!may_match);
        }
    }
    assert!(matched > 10_000 && told_apart > 10_000, "{matched} matched, {told_apart} told apart");
}

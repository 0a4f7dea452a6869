//! Random patterns of every form.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Form;
use crate::alphabet::alike;
use crate::fixtures::{Sample, character};

pub(crate) fn pattern(random: &mut StdRng, samples: &[Sample], form: Form) -> String {
    match form {
        Form::Contains => needle(random, samples),
        Form::Exact => whole(random, samples),
        Form::Wildcard => {
            let needle = needle(random, samples);
            wildcard(random, &needle)
        }
        Form::Regex => {
            let needle = needle(random, samples);
            regex(random, &needle)
        }
    }
}

/// A whole value of at most a hundred characters, perhaps respelled or with one character changed.
fn whole(random: &mut StdRng, samples: &[Sample]) -> String {
    let leaf = samples.choose(random).and_then(|sample| sample.leaves.choose(random));
    let mut value: Vec<char> = leaf.map(|leaf| leaf.written.chars().take(100).collect()).unwrap_or_default();
    respell(random, &mut value);
    value.into_iter().collect()
}

/// Often each character by one that is alike, sometimes one by any other.
fn respell(random: &mut StdRng, text: &mut [char]) {
    match random.random_range(0..4) {
        0 => {
            for place in text {
                *place = *alike(*place).choose(random).expect("it is like itself");
            }
        }
        1 if !text.is_empty() => {
            let place = random.random_range(0..text.len());
            text[place] = character(random);
        }
        _ => {}
    }
}

/// 1 to 40 characters: mostly cut from a value, then perhaps respelled, or with one character changed; or made up.
fn needle(random: &mut StdRng, samples: &[Sample]) -> String {
    let leaf = samples.choose(random).and_then(|sample| sample.leaves.choose(random));
    let value: Vec<char> = leaf.map(|leaf| leaf.written.chars().collect()).unwrap_or_default();
    let length = if random.random_bool(0.5) { random.random_range(1..4) } else { random.random_range(1..41) };
    if value.is_empty() || random.random_bool(0.15) {
        return (0..length).map(|_| character(random)).collect();
    }
    let start = random.random_range(0..value.len());
    let mut cut: Vec<char> = value[start..].iter().copied().take(length).collect();
    respell(random, &mut cut);
    cut.into_iter().collect()
}

/// A wildcard pattern that a text with the needle is likely to match.
fn wildcard(random: &mut StdRng, needle: &str) -> String {
    let mut pattern = String::new();
    for character in needle.chars() {
        match random.random_range(0..12) {
            0 => pattern.push('?'),
            1 => pattern.push('*'),
            2 => pattern.extend(['*', character]),
            _ if matches!(character, '*' | '?' | '\\') || random.random_bool(0.02) => pattern.extend(['\\', character]),
            _ => pattern.push(character),
        }
    }
    pattern
}

/// A regular expression with the needle, or parts of it, among operators of all kinds.
fn regex(random: &mut StdRng, needle: &str) -> String {
    const ATOMS: [&str; 16] = [
        ".",
        r"\w",
        r"\d",
        r"\s",
        "[a-k]",
        "[^a]",
        r"\p{L}",
        r"\pN",
        r"\S",
        "(?s:.)",
        "[[:upper:]]",
        "(?i:e)",
        r"\W",
        "k",
        "s",
        "(?-i:E)",
    ];
    const LOOKS: [&str; 13] = [
        "^",
        "$",
        r"\b",
        r"\B",
        "(?m:^)",
        "(?m:$)",
        r"\A",
        r"\z",
        r"\b{start}",
        r"\b{end}",
        r"\b{start-half}",
        r"\b{end-half}",
        "(?mR:$)",
    ];
    const COUNTS: [&str; 9] = ["*", "+", "?", "{1,3}", "{2}", "*?", "+?", "{0,2}?", "{2,}"];
    let pick = |random: &mut StdRng, from: &[&str]| from.choose(random).expect("there are some").to_string();
    let mut parts: Vec<String> = Vec::new();
    for _ in 0..random.random_range(1..5) {
        let part = match random.random_range(0..10) {
            0..=3 => regex::escape(&needle.chars().take(random.random_range(1..8)).collect::<String>()),
            4..=5 => pick(random, &ATOMS),
            6..=7 => format!("(?:{}){}", pick(random, &ATOMS), pick(random, &COUNTS)),
            8 => pick(random, &LOOKS),
            _ => format!("(?:{}|{})", regex::escape(needle), pick(random, &ATOMS)),
        };
        parts.push(part);
    }
    match random.random_range(0..6) {
        0 => format!("^{}", parts.concat()),
        1 => format!("{}$", parts.concat()),
        2 => parts.join("|"),
        3 => format!("({}){}", parts.concat(), pick(random, &COUNTS)),
        _ => parts.concat(),
    }
}

//! Random questions about random documents.

use grepzilla_model::{IndexName, TimeNs};
use grepzilla_query::{Pattern, Query, TimeRange};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::alphabet::alike;
use crate::fixtures::{INDEXES, PATHS, Sample, character};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Contains,
    Wildcard,
    Regex,
}

/// A question in the naive scan's words.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) form: Form,
    pub(crate) pattern: String,
    pub(crate) case_sensitive: bool,
    pub(crate) field: Option<String>,
    pub(crate) index: Option<&'static str>,
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    pub(crate) newest_first: bool,
    pub(crate) page_size: usize,
}

impl Question {
    pub(crate) fn any(random: &mut StdRng, samples: &[Sample]) -> Question {
        let form = *[Form::Contains, Form::Wildcard, Form::Regex].choose(random).expect("there are forms");
        let needle = needle(random, samples);
        let pattern = match form {
            Form::Contains => needle,
            Form::Wildcard => wildcard(random, &needle),
            Form::Regex => regex(random, &needle),
        };
        let some = |random: &mut StdRng, chance| random.random_bool(chance);
        Question {
            form,
            pattern,
            case_sensitive: some(random, 0.5),
            field: some(random, 0.25).then(|| PATHS.choose(random).expect("there are paths").to_string()),
            index: some(random, 0.2).then(|| INDEXES[random.random_range(0..INDEXES.len())]),
            from: some(random, 0.2).then(|| random.random_range(-25..15)),
            to: some(random, 0.2).then(|| random.random_range(-15..25)),
            newest_first: some(random, 0.6),
            page_size: random.random_range(1..40),
        }
    }

    /// The newest ten documents with this, whatever its case.
    pub(crate) fn contains(needle: &str) -> Question {
        Question {
            form: Form::Contains,
            pattern: needle.to_owned(),
            case_sensitive: false,
            field: None,
            index: None,
            from: None,
            to: None,
            newest_first: true,
            page_size: 10,
        }
    }

    pub(crate) fn query(&self) -> Query {
        let pattern = self.pattern.clone();
        Query {
            pattern: match self.form {
                Form::Contains => Pattern::Contains(pattern),
                Form::Wildcard => Pattern::Wildcard(pattern),
                Form::Regex => Pattern::Regex(pattern),
            },
            case_sensitive: self.case_sensitive,
            field: self.field.clone(),
            indexes: self.index.into_iter().map(|index| IndexName::new(index).expect("a good name")).collect(),
            time: TimeRange { from: self.from.map(TimeNs), to: self.to.map(TimeNs) },
        }
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
    match random.random_range(0..4) {
        0 => {
            for place in &mut cut {
                *place = *alike(*place).choose(random).expect("it is like itself");
            }
        }
        1 => {
            let place = random.random_range(0..cut.len());
            cut[place] = character(random);
        }
        _ => {}
    }
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

//! A pattern by the plainest means there are: one value after the other, without index, blocks or literals looked for first.

use grepzilla_model::fold::fold;
use grepzilla_query::Pattern;
use regex::{Regex, RegexBuilder};

/// More than the engine allows, so that what it takes can be compared.
const REGEX_BYTES_MAX: usize = 64 << 20;

/// A pattern made ready.
pub(crate) enum Naive {
    Contains(String),
    Exact(String),
    Wildcard(Vec<Token>),
    Regex(Box<Regex>),
}

/// A character of a wildcard pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Run,
    One,
    Character(char),
}

impl Naive {
    /// `None`: a regular expression that is none.
    pub(crate) fn new(pattern: &Pattern, case_sensitive: bool) -> Option<Naive> {
        Some(match pattern {
            Pattern::Contains(text) => Naive::Contains(spelled(text, case_sensitive)),
            Pattern::Exact(text) => Naive::Exact(spelled(text, case_sensitive)),
            Pattern::Wildcard(text) => Naive::Wildcard(tokens(text, case_sensitive)),
            Pattern::Regex(text) => {
                let mut builder = RegexBuilder::new(text);
                builder.case_insensitive(!case_sensitive).size_limit(REGEX_BYTES_MAX).nest_limit(1_000);
                Naive::Regex(Box::new(builder.build().ok()?))
            }
        })
    }

    /// Whether a value matches.
    pub(crate) fn matches(&self, value: &str, case_sensitive: bool) -> bool {
        match self {
            Naive::Contains(text) => spelled(value, case_sensitive).contains(text.as_str()),
            Naive::Exact(text) => spelled(value, case_sensitive) == *text,
            Naive::Wildcard(tokens) => wildcard_matches(tokens, &spelled(value, case_sensitive)),
            Naive::Regex(regex) => regex.is_match(value),
        }
    }
}

fn spelled(text: &str, case_sensitive: bool) -> String {
    if case_sensitive { text.to_owned() } else { fold(text).into_owned() }
}

fn tokens(pattern: &str, case_sensitive: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '*' => {
                tokens.push(Token::Run);
                continue;
            }
            '?' => {
                tokens.push(Token::One);
                continue;
            }
            '\\' => characters.next(),
            other => Some(other),
        };
        let literal = literal.map(String::from).unwrap_or_default();
        tokens.extend(spelled(&literal, case_sensitive).chars().map(Token::Character));
    }
    tokens
}

/// Every place of the pattern that may have been reached, moved along the text. It may begin and end anywhere.
fn wildcard_matches(tokens: &[Token], text: &str) -> bool {
    let end = tokens.len();
    let mut places = vec![false; end + 1];
    reach(&mut places, tokens);
    for character in text.chars() {
        if places[end] {
            return true;
        }
        let mut next = vec![false; end + 1];
        for (place, token) in tokens.iter().enumerate().filter(|(place, _)| places[*place]) {
            match token {
                Token::Run => next[place] = true,
                Token::One => next[place + 1] = true,
                Token::Character(wanted) => next[place + 1] |= *wanted == character,
            }
        }
        reach(&mut next, tokens);
        places = next;
    }
    places[end]
}

/// The beginning, and what lies behind a run of nothing.
fn reach(places: &mut [bool], tokens: &[Token]) {
    places[0] = true;
    for (place, token) in tokens.iter().enumerate() {
        places[place + 1] |= places[place] && *token == Token::Run;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_what_they_should() {
        let matches = |pattern: &str, value: &str| {
            let naive = Naive::new(&Pattern::Wildcard(pattern.to_owned()), false).expect("no regular expression");
            naive.matches(value, false)
        };
        for (pattern, value) in [("b?d", "abcde"), ("B*E", "abcde"), ("*", ""), ("a\\*", "xA*y"), ("ss", "straße")] {
            assert!(matches(pattern, value), "{pattern} in {value}");
        }
        for (pattern, value) in [("b?c", "abcde"), ("c*b", "abcde"), ("?", ""), ("a\\*", "ab")] {
            assert!(!matches(pattern, value), "{pattern} in {value}");
        }
    }
}

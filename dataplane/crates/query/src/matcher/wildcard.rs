//! `*` and `?`: segments between the stars, each a sequence of literals and single characters.
//!
//! A segment matches a fixed number of characters, so its leftmost match also ends first, and taking the leftmost match of each segment
//! behind the one before finds a match if there is one. A match is the leftmost that there is, and from there the
//! shortest; it is shown from its first literal to its last.

use std::ops::Range;

use grepzilla_storage::block::{Spelling, ValueRun};
use memchr::memmem::Finder;

use super::literal::{Literal, spelled};
use crate::QueryError;
use crate::clock::{Clock, Expired};

#[derive(Debug)]
pub(super) struct Wildcard {
    segments: Vec<Segment>,
    /// The longest literal of all segments: what every matching value has. `None`: there are only stars and question marks.
    longest: Option<Literal>,
    /// Whether every value that has it matches: there is nothing else but stars.
    is_literal: bool,
}

/// What stands between two stars.
#[derive(Debug)]
struct Segment {
    parts: Vec<Part>,
    /// The longest literal, and the number of characters before it.
    anchor: Option<(Finder<'static>, usize)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// This many characters, whatever they are.
    Any(usize),
}

/// Where a segment matched.
struct SegmentMatch {
    end: usize,
    /// From its first literal to its last.
    literals: Option<Range<usize>>,
}

/// A character of the pattern, escapes resolved.
enum Token {
    Star,
    Question,
    Literal(char),
}

impl Wildcard {
    pub(super) fn new(pattern: &str, spelling: Spelling) -> Result<Wildcard, QueryError> {
        let tokens = tokens(pattern)?;
        let segments = tokens.split(|token| matches!(token, Token::Star)).map(|tokens| Segment::new(tokens, spelling));
        let segments: Vec<Segment> = segments.filter(|segment| !segment.parts.is_empty()).collect();
        let literals = segments.iter().filter_map(|segment| segment.anchor.as_ref()).map(|(literal, _)| literal);
        let longest = literals.max_by_key(|literal| literal.needle().len());
        if longest.is_none() && tokens.iter().any(|token| matches!(token, Token::Literal(_))) {
            return Err(QueryError::FoldsToNothing);
        }
        let parts = segments.iter().map(|segment| segment.parts.as_slice()).collect::<Vec<_>>();
        let is_literal = matches!(parts.as_slice(), [[Part::Literal(_)]]);
        let longest = longest.map(|literal| Literal::new(&String::from_utf8_lossy(literal.needle()), spelling));
        Ok(Wildcard { segments, longest, is_literal })
    }

    pub(super) fn literal(&self) -> Option<&Literal> {
        self.longest.as_ref()
    }

    /// All literals.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        let parts = self.segments.iter().flat_map(|segment| &segment.parts);
        parts.filter_map(|part| match part {
            Part::Literal(literal) => Some(literal.as_str()),
            Part::Any(_) => None,
        })
    }

    pub(super) fn scan(&self, run: &ValueRun<'_>, clock: &Clock, mut found: impl FnMut(usize)) -> Result<(), Expired> {
        let mut lower = String::new();
        let mut verify = |place: usize| {
            if self.is_literal {
                found(place);
                return Ok(());
            }
            let mut value = std::str::from_utf8(&run.bytes()[run.range(place)]).expect("values are text");
            if run.ignores_case() {
                lower.clear();
                lower.push_str(value);
                lower.make_ascii_lowercase();
                value = &lower;
            }
            if self.find(value, 0, clock)?.is_some() {
                found(place);
            }
            Ok(())
        };
        match &self.longest {
            Some(literal) => literal.each_value(run, clock, verify),
            None => (0..run.value_count()).try_for_each(|place| {
                clock.tick()?;
                verify(place)
            }),
        }
    }

    pub(super) fn find(&self, value: &str, from: usize, clock: &Clock) -> Result<Option<Range<usize>>, Expired> {
        let mut at = from;
        let mut shown: Option<Range<usize>> = None;
        for segment in &self.segments {
            let Some(found) = segment.find(value, at, clock)? else { return Ok(None) };
            at = found.end;
            shown = match (shown, found.literals) {
                (Some(shown), Some(literals)) => Some(shown.start..literals.end),
                (shown, literals) => shown.or(literals),
            };
        }
        Ok(Some(shown.unwrap_or(from..from)))
    }
}

impl Segment {
    fn new(tokens: &[Token], spelling: Spelling) -> Segment {
        let mut parts = Vec::new();
        for token in tokens {
            match (token, parts.last_mut()) {
                (Token::Literal(character), Some(Part::Literal(literal))) => literal.push(*character),
                (Token::Literal(character), _) => parts.push(Part::Literal(character.to_string())),
                (_, Some(Part::Any(count))) => *count += 1,
                _ => parts.push(Part::Any(1)),
            }
        }
        for part in &mut parts {
            if let Part::Literal(literal) = part {
                *literal = spelled(literal, spelling);
            }
        }
        parts.retain(|part| *part != Part::Literal(String::new()));
        let anchor = anchor(&parts);
        Segment { parts, anchor }
    }

    /// The leftmost match that begins at `from` or later.
    fn find(&self, value: &str, from: usize, clock: &Clock) -> Result<Option<SegmentMatch>, Expired> {
        let Some((literal, characters_before)) = &self.anchor else { return Ok(self.matches_at(value, from)) };
        let mut at = from;
        while let Some(offset) = literal.find(&value.as_bytes()[at..]) {
            clock.tick()?;
            let anchor = at + offset;
            let start = characters_back(&value[from..anchor], *characters_before);
            if let Some(found) = start.and_then(|start| self.matches_at(value, from + start)) {
                return Ok(Some(found));
            }
            at = anchor + 1;
        }
        Ok(None)
    }

    fn matches_at(&self, value: &str, start: usize) -> Option<SegmentMatch> {
        let (mut end, mut literals) = (start, None::<Range<usize>>);
        for part in &self.parts {
            match part {
                Part::Literal(literal) => {
                    let start = end;
                    end += value[start..].starts_with(literal.as_str()).then_some(literal.len())?;
                    literals = Some(literals.map_or(start, |literals| literals.start)..end);
                }
                Part::Any(count) => end += characters_forward(&value[end..], *count)?,
            }
        }
        Some(SegmentMatch { end, literals })
    }
}

fn anchor(parts: &[Part]) -> Option<(Finder<'static>, usize)> {
    let mut characters_before = 0;
    let mut longest: Option<(&str, usize)> = None;
    for part in parts {
        match part {
            Part::Literal(literal) => {
                if longest.is_none_or(|(longest, _)| longest.len() < literal.len()) {
                    longest = Some((literal, characters_before));
                }
                characters_before += literal.chars().count();
            }
            Part::Any(count) => characters_before += count,
        }
    }
    longest.map(|(literal, before)| (Finder::new(literal).into_owned(), before))
}

/// The offset of the character that stands `count` characters before the end. `None`: the text is shorter.
fn characters_back(text: &str, count: usize) -> Option<usize> {
    if count == 0 {
        return Some(text.len());
    }
    text.char_indices().rev().nth(count - 1).map(|(offset, _)| offset)
}

/// The bytes of the first `count` characters. `None`: the text is shorter.
fn characters_forward(text: &str, count: usize) -> Option<usize> {
    let mut characters = text.chars();
    (0..count).try_for_each(|_| characters.next().map(|_| ()))?;
    Some(text.len() - characters.as_str().len())
}

fn tokens(pattern: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::Star,
            '?' => Token::Question,
            '\\' => Token::Literal(characters.next().ok_or(QueryError::DanglingEscape)?),
            other => Token::Literal(other),
        });
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn clock() -> Clock {
        Clock::new(Instant::now() + Duration::from_secs(60))
    }

    /// What is shown of the first match, as text.
    fn shown<'a>(pattern: &str, value: &'a str) -> Option<&'a str> {
        let wildcard = Wildcard::new(pattern, Spelling::Written).expect("a good pattern");
        wildcard.find(value, 0, &clock()).expect("in time").map(|range| &value[range])
    }

    #[test]
    fn the_leftmost_and_then_shortest_match_is_shown_between_its_literals() {
        assert_eq!(shown("a*b", "xaxxaxbxb"), Some("axxaxb"));
        assert_eq!(shown("*a*b*", "xaxxaxbxb"), Some("axxaxb"));
        assert_eq!(shown("?a?c?", "aabcd"), Some("abc"));
        assert_eq!(shown("a?c", "abbc abc"), Some("abc"));
        assert_eq!(shown("é?x", "aééx"), Some("ééx"));
        assert_eq!(shown("a\n?b", "a\n\nb"), Some("a\n\nb"));
        assert_eq!(shown("??", "ab"), Some(""));
        assert_eq!(shown("*", ""), Some(""));
    }

    #[test]
    fn what_does_not_match_is_not_found() {
        for (pattern, value) in
            [("?a", "a"), ("a?", "a"), ("???", "éé"), ("a*a", "a"), ("a*?a", "aa"), ("ab*b", "ab"), ("a", "A")]
        {
            assert_eq!(shown(pattern, value), None, "{pattern} in {value}");
        }
        assert_eq!(shown("a*?a", "aba"), Some("aba"));
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        assert_eq!(shown(r"\*\?\\\a", r"x*?\ay"), Some(r"*?\a"));
        assert_eq!(shown(r"a\*b", "axb"), None);
    }

    #[test]
    fn folded_wildcards_count_folded_characters() {
        let wildcard = Wildcard::new("S?R\u{301}", Spelling::Folded).expect("a good pattern");
        assert!(wildcard.find("str", 0, &clock()).expect("in time").is_some());
        let marks_are_nothing = Wildcard::new("a\u{301}?\u{301}b", Spelling::Folded).expect("a good pattern");
        assert_eq!(marks_are_nothing.segments[0].parts.len(), 3);
    }
}

//! What is shown of a value that matches, and where it matches.

use std::ops::Range;

use grepzilla_model::fold::FoldMap;
use grepzilla_storage::block::Spelling;

use crate::clock::{Clock, Expired};
use crate::matcher::Matcher;

/// Longer values are shown by a window of this many bytes.
const WINDOW_BYTES: usize = 240;

/// How much of the window stands before the first match.
const LEAD_BYTES: usize = 60;

/// A value or a window of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Preview {
    pub(super) text: String,
    /// Where `text` matches.
    pub(super) highlights: Vec<[usize; 2]>,
}

/// The preview of a value as written; `None`: it does not match.
pub(super) fn preview(matcher: &Matcher, value: &str, clock: &Clock) -> Result<Option<Preview>, Expired> {
    match matcher.spelling() {
        Spelling::Written => shown(value, Matches::new(matcher, value, clock, |range| range)),
        Spelling::Folded => {
            let map = FoldMap::new(value);
            shown(value, Matches::new(matcher, map.folded(), clock, |range| map.written(range)))
        }
    }
}

/// All matches in a value, in its writing; folded matches within one character overlap there.
struct Matches<'a, W> {
    matcher: &'a Matcher,
    text: &'a str,
    from: usize,
    clock: &'a Clock,
    written: W,
}

impl<'a, W: Fn(Range<usize>) -> Range<usize>> Matches<'a, W> {
    fn new(matcher: &'a Matcher, text: &'a str, clock: &'a Clock, written: W) -> Matches<'a, W> {
        Matches { matcher, text, from: 0, clock, written }
    }

    fn next(&mut self) -> Result<Option<Range<usize>>, Expired> {
        if self.from > self.text.len() {
            return Ok(None);
        }
        self.clock.tick()?;
        let Some(found) = self.matcher.find(self.text, self.from, self.clock)? else { return Ok(None) };
        self.from = match found.is_empty() {
            false => found.end,
            true => next_boundary(self.text, found.end + 1),
        };
        Ok(Some((self.written)(found)))
    }
}

fn shown<W>(value: &str, mut matches: Matches<'_, W>) -> Result<Option<Preview>, Expired>
where
    W: Fn(Range<usize>) -> Range<usize>,
{
    let Some(first) = matches.next()? else { return Ok(None) };
    let window = window(value, &first);
    let mut highlights: Vec<[usize; 2]> = Vec::new();
    let mut next = Some(first);
    while let Some(found) = next.filter(|found| found.start < window.end) {
        let (start, end) = (found.start - window.start, found.end.min(window.end) - window.start);
        match highlights.last_mut() {
            Some(last) if start < last[1] => last[1] = last[1].max(end),
            _ if start < end => highlights.push([start, end]),
            _ => {}
        }
        next = matches.next()?;
    }
    Ok(Some(Preview { text: value[window].to_owned(), highlights }))
}

/// The part of a value to show.
fn window(value: &str, first: &Range<usize>) -> Range<usize> {
    if value.len() <= WINDOW_BYTES {
        return 0..value.len();
    }
    let lead = LEAD_BYTES.min(WINDOW_BYTES.saturating_sub(first.len()));
    let start = first.start.saturating_sub(lead).min(value.len() - WINDOW_BYTES);
    let start = boundary_before(value, start);
    start..boundary_before(value, start + WINDOW_BYTES)
}

/// The nearest boundary of a character at or before `at`, which is not behind the text.
fn boundary_before(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The nearest boundary of a character at or behind `at`; behind the text every place is one.
fn next_boundary(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(at.max(text.len()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::Pattern;

    fn of(pattern: Pattern, case_sensitive: bool, value: &str) -> Option<Preview> {
        let matcher = Matcher::new(&pattern, case_sensitive).expect("a good pattern");
        preview(&matcher, value, &Clock::new(Instant::now() + Duration::from_secs(60))).expect("in time")
    }

    fn highlighted(pattern: Pattern, case_sensitive: bool, value: &str) -> Vec<String> {
        let preview = of(pattern, case_sensitive, value).expect("it matches");
        preview.highlights.iter().map(|[start, end]| preview.text[*start..*end].to_owned()).collect()
    }

    fn contains(needle: &str) -> Pattern {
        Pattern::Contains(needle.to_owned())
    }

    #[test]
    fn every_match_is_highlighted_in_whole_characters_as_written() {
        assert_eq!(highlighted(contains("zolc"), false, "Żółć i zólç"), ["zólç"]);
        assert_eq!(highlighted(contains("żołc"), false, "Żółć ŻOŁĆ"), ["Żółć", "ŻOŁĆ"]);
        assert_eq!(highlighted(contains("f"), false, "oﬀ f"), ["ﬀ", "f"]);
        assert_eq!(highlighted(contains("aa"), true, "aaaaa"), ["aa", "aa"]);
        assert_eq!(highlighted(Pattern::Wildcard("a*c".into()), false, "Abc abbC ab"), ["Abc", "abbC"]);
        assert_eq!(highlighted(Pattern::Regex("[0-9]+|^".into()), false, "a1 22"), ["1", "22"]);
        assert_eq!(highlighted(Pattern::Wildcard("*".into()), false, "abc"), [""; 0]);
        assert_eq!(highlighted(Pattern::Regex("^$".into()), false, ""), [""; 0]);
    }

    #[test]
    fn a_long_value_is_shown_by_a_window_around_its_first_match() {
        for lead in [0, 1, 59, 60, 61, 300, 5_000] {
            let value = format!("{}NEEDLE{}", "é".repeat(lead), "ż needle ".repeat(40));
            let preview = of(contains("needle"), false, &value).expect("it matches");
            assert!(preview.text.len() <= WINDOW_BYTES && preview.text.len() > WINDOW_BYTES - 6, "{lead}");
            let texts: Vec<&str> = preview.highlights.iter().map(|[start, end]| &preview.text[*start..*end]).collect();
            assert_eq!(texts[0], "NEEDLE");
            assert!(texts.len() > 10 && texts[1] == "needle");
        }
        let at_the_end = format!("{}x", "a".repeat(1_000));
        assert_eq!(of(contains("x"), false, &at_the_end).expect("it matches").highlights, [[239, 240]]);
    }

    #[test]
    fn a_match_longer_than_the_window_is_cut_with_it() {
        let value = format!("{}{}", "-".repeat(100), "x".repeat(1_000));
        let preview = of(Pattern::Regex("x+".into()), false, &value).expect("it matches");
        assert_eq!((preview.text, preview.highlights), ("x".repeat(240), vec![[0, 240]]));
    }
}

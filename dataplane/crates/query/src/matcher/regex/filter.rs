//! What tells values that may match from those that cannot, faster than the expression itself.

use std::cmp::Reverse;

use grepzilla_storage::block::ValueRun;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::{MatchKind, Span};
use regex_syntax::hir::Hir;

use super::window::Window;
use crate::required::Required;

/// The most texts that are sought at once: a vector compares so many.
const TEXTS_MAX: usize = 48;

/// Texts of this length are rare enough, shorter ones are sought only if there is no long window.
const LONG_TEXT_BYTES: usize = 3;

/// From this length on, a window lets a search skip more than it looks at.
const LONG_WINDOW_BYTES: usize = 4;

#[derive(Debug)]
pub(super) enum Filter {
    /// The folded text of each value that matches has one of some texts.
    Texts(Prefilter),
    /// Each value of ASCII that matches has this.
    Window(Window),
}

impl Filter {
    /// `ascii`: the twin of the expression for ASCII.
    pub(super) fn new(required: &Required, ascii: &Hir) -> Option<Filter> {
        let (texts, window) = (texts(required), Window::of(ascii));
        let bytes = texts.as_ref().map_or(0, |texts| shortest(texts));
        let is_long = |window: &Window| window.len() >= LONG_WINDOW_BYTES;
        match (texts.and_then(|texts| Prefilter::new(MatchKind::LeftmostFirst, &texts)), window) {
            (Some(texts), window) if bytes >= LONG_TEXT_BYTES || !window.as_ref().is_some_and(is_long) => {
                texts.is_fast().then_some(Filter::Texts(texts))
            }
            (_, window) => window.map(Filter::Window),
        }
    }

    /// Whether it looks at folded values.
    pub(super) fn is_of_folded(&self) -> bool {
        matches!(self, Filter::Texts(_))
    }

    /// The place of the first value from a place on that may match. The run is of folded values for texts, else of written ones.
    pub(super) fn find(&self, run: &ValueRun<'_>, from: usize) -> Option<usize> {
        let (bytes, start) = (run.bytes(), run.range(from).start);
        let offset = match self {
            Filter::Texts(texts) => texts.find(bytes, Span { start, end: bytes.len() })?.start,
            Filter::Window(window) => window.find(bytes, start)?,
        };
        Some(run.value_at(offset, from))
    }
}

/// Texts of which each match has one: as long and as few as can be.
fn texts(required: &Required) -> Option<Vec<&[u8]>> {
    match required {
        Required::Text(text) => Some(vec![text]),
        Required::Any(parts) => {
            let texts: Vec<&[u8]> = parts.iter().map(texts).collect::<Option<Vec<_>>>()?.concat();
            (!texts.is_empty() && texts.len() <= TEXTS_MAX).then_some(texts)
        }
        Required::All(parts) => {
            let found = parts.iter().filter_map(texts);
            found.max_by_key(|texts| (shortest(texts).min(LONG_TEXT_BYTES), Reverse(texts.len()), shortest(texts)))
        }
    }
}

fn shortest(texts: &[&[u8]]) -> usize {
    texts.iter().map(|text| text.len()).min().unwrap_or(0)
}

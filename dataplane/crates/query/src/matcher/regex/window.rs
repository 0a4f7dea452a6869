//! Windows: stretches of text that each match of an expression contains, known by the class of each place.
//!
//! An expression without a literal still says a good deal: a match of `[0-9]{5,}-[0-9]{10}` contains five digits, a dash and ten digits in a row.
//! Such a window is sought from its end: a byte that stands nowhere in the window moves the search on by the whole
//! window, so most of the text is never looked at (backward nondeterministic matching with a bit for each place).
//!
//! Of expressions for ASCII only, where a character is a byte.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::rarity;

/// The most places of a window: each has a bit.
const PLACES_MAX: usize = 32;

/// A window must tell as much as this many bits, or it stands everywhere.
const BITS_MIN: f32 = 6.0;

/// Places at the edges of a window that tell less than this are left out.
const EDGE_BITS_MIN: f32 = 0.4;

/// The ASCII bytes that may stand at a place.
type Place = u128;

/// A stretch of text that each match contains.
#[derive(Debug)]
pub(super) struct Window {
    len: usize,
    /// For each byte the places where it may stand: bit 0 is the last place.
    places_of: Box<[u32; 256]>,
}

impl Window {
    /// The window of an expression for ASCII that tells most; `None`: none tells enough.
    pub(super) fn of(hir: &Hir) -> Option<Window> {
        let known = known(hir);
        let best = cut(&known.best);
        if best.is_empty() || bits_of(best) < BITS_MIN {
            return None;
        }
        let mut places_of = Box::new([0; 256]);
        for (from_end, place) in best.iter().rev().enumerate() {
            (0..128).filter(|byte| place & (1 << byte) != 0).for_each(|byte| places_of[byte] |= 1 << from_end);
        }
        Some(Window { len: best.len(), places_of })
    }

    /// How many bytes it is long.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Where the first window begins that begins at `from` or later.
    pub(super) fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let (len, first_place) = (self.len, 1 << (self.len - 1));
        let all_places = u32::MAX >> (PLACES_MAX - len);
        let mut rest = bytes.get(from..)?;
        while rest.len() >= len {
            // Behind each step `alive` has the places where what was read may end a beginning of the window.
            let (mut alive, mut unread, mut step) = (all_places, len, len);
            loop {
                alive &= self.places_of[usize::from(rest[unread - 1])];
                unread -= 1;
                if alive & first_place != 0 {
                    if unread == 0 {
                        return Some(bytes.len() - rest.len());
                    }
                    step = unread;
                }
                alive = alive << 1 & all_places;
                if alive == 0 || unread == 0 {
                    break;
                }
            }
            rest = &rest[step..];
        }
        None
    }
}

/// What is known of the matches of a part of an expression.
#[derive(Debug, Clone, Default)]
struct Known {
    /// All matches are just `begins`, which is `ends` too.
    is_whole: bool,
    /// How each match begins.
    begins: Vec<Place>,
    /// How each match ends.
    ends: Vec<Place>,
    /// What each match contains somewhere.
    best: Vec<Place>,
}

fn known(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::whole(Vec::new()),
        HirKind::Literal(literal) if literal.0.is_ascii() => {
            Known::whole(literal.0.iter().map(|byte| 1 << byte).collect())
        }
        HirKind::Literal(_) => Known::default(),
        HirKind::Class(class) => Known::whole(vec![place(class)]),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Capture(capture) => known(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().map(known).fold(Known::whole(Vec::new()), |before, next| before.then(&next))
        }
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(known).filter(|part| !part.is_impossible());
            parts.reduce(|one, other| one.or(&other)).unwrap_or_else(|| Known::whole(vec![0]))
        }
    }
}

/// The characters of a class that are ASCII.
fn place(class: &Class) -> Place {
    let range = |start: u32, end: u32| (start..=end.min(127)).fold(0, |place, byte| place | 1 << byte);
    match class {
        Class::Unicode(class) => class.iter().fold(0, |place, of| place | range(of.start().into(), of.end().into())),
        Class::Bytes(class) => class.iter().fold(0, |place, of| place | range(of.start().into(), of.end().into())),
    }
}

fn repeated(repetition: &Repetition) -> Known {
    if repetition.min == 0 {
        return Known::default();
    }
    let once = known(&repetition.sub);
    let times = repetition.min.min(PLACES_MAX as u32);
    let mut least = (1..times).fold(once.clone(), |least, _| least.then(&once));
    // More times begin and end as the least do.
    least.is_whole &= repetition.max == Some(times);
    least
}

impl Known {
    fn whole(places: Vec<Place>) -> Known {
        Known { is_whole: true, begins: places.clone(), ends: places.clone(), best: places }.bounded()
    }

    fn then(&self, next: &Known) -> Known {
        let joint = [&self.ends[..], &next.begins].concat();
        let begins = if self.is_whole { joint.clone() } else { self.begins.clone() };
        let ends = if next.is_whole { joint.clone() } else { next.ends.clone() };
        let best = better(better(self.best.clone(), next.best.clone()), joint);
        Known { is_whole: self.is_whole && next.is_whole, begins, ends, best }.bounded()
    }

    fn or(&self, other: &Known) -> Known {
        let is_whole = self.is_whole && other.is_whole && self.begins.len() == other.begins.len();
        let mut ends = united(self.ends.iter().rev(), other.ends.iter().rev());
        ends.reverse();
        Known {
            is_whole,
            begins: united(self.begins.iter(), other.begins.iter()),
            ends,
            best: united(cut(&self.best).iter(), cut(&other.best).iter()),
        }
    }

    /// Whether there is a place where nothing may stand.
    fn is_impossible(&self) -> bool {
        [&self.begins, &self.ends, &self.best].into_iter().flatten().any(|place| *place == 0)
    }

    /// Long ones are known by their edges.
    fn bounded(mut self) -> Known {
        self.is_whole &= self.begins.len() <= 2 * PLACES_MAX;
        self.begins.truncate(2 * PLACES_MAX);
        let skipped = self.ends.len().saturating_sub(2 * PLACES_MAX);
        self.ends.drain(..skipped);
        self
    }
}

fn united<'a>(one: impl Iterator<Item = &'a Place>, other: impl Iterator<Item = &'a Place>) -> Vec<Place> {
    one.zip(other).map(|(one, other)| one | other).collect()
}

fn better(one: Vec<Place>, other: Vec<Place>) -> Vec<Place> {
    if bits_of(cut(&other)) > bits_of(cut(&one)) { other } else { one }
}

/// The part of a stretch that tells most and is no longer than a window may be, without edges that tell nearly nothing.
fn cut(places: &[Place]) -> &[Place] {
    let windows = places.windows(PLACES_MAX.min(places.len()).max(1));
    let best = windows.max_by(|one, other| bits_of(one).total_cmp(&bits_of(other))).unwrap_or(&[]);
    let tells = |place: &Place| bits(*place) >= EDGE_BITS_MIN;
    let (first, last) = (best.iter().position(tells), best.iter().rposition(tells));
    first.zip(last).map_or(&[], |(first, last)| &best[first..=last])
}

fn bits_of(places: &[Place]) -> f32 {
    places.iter().map(|place| bits(*place)).sum()
}

fn bits(place: Place) -> f32 {
    rarity::bits((0..128).filter(|byte| place & (1 << byte) != 0))
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{ascii_twin, parse};
    use super::*;

    fn window(pattern: &str) -> Option<Window> {
        Window::of(&ascii_twin(&parse(pattern, true).expect("a good pattern")))
    }

    #[test]
    fn a_window_is_what_stands_in_a_row_in_every_match() {
        let length = |pattern: &str| window(pattern).map(|window| window.len());
        assert_eq!(length("[0-9]{5,}-[0-9]{10}"), Some(16));
        assert_eq!(length(r"\d{4}-\d{2}T"), Some(8));
        assert_eq!(length("(ab|cd)[0-9]{3}(x|yz)"), Some(6));
        assert_eq!(length("[0-9]{2}.{3}[0-9]{2}"), Some(7));
        assert_eq!(length("[0-9]{100}"), Some(PLACES_MAX));
        assert_eq!(length(r"(\d{6}|é)+"), Some(6));
        for nothing in [".*", r"\w+", "a?", "[0-9]*", ".{20}", "(abc)*", "^$"] {
            assert_eq!(length(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn it_is_found_wherever_it_stands() {
        let window = window("[0-9]{2}-[ab]{3}").expect("it tells enough");
        for (bytes, from, expected) in [
            (&b"12-aba"[..], 0, Some(0)),
            (b"x 112-aba12-bbb", 0, Some(3)),
            (b"x 112-aba12-bbb", 4, Some(9)),
            (b"x 112-aba12-bbb", 10, None),
            (b"12-ab\xFFa12-ab", 0, None),
            (b"12-ab", 0, None),
            (b"", 0, None),
            (b"12-aba", 7, None),
        ] {
            assert_eq!(window.find(bytes, from), expected, "{bytes:?} from {from}");
        }
    }

    #[test]
    fn every_match_contains_it() {
        let patterns = [
            "[0-9]{5,}-[0-9]{10}",
            "(?i)x[yz]{2,4}q",
            "(ab|cde)+[0-9]{2}",
            "([0-9]{2}|[a-c]{3})-[xy]{2,}",
            "^[0-9]{2,3}:([a-f]|[0-9]){4}$",
            r"(\d{1,3}\.){3}\d{1,3}",
            "(a{2,3}b){3,}c",
            "(?:[0-9]{3}-?){2}[ab]{2,9}z",
        ];
        let texts = ["12345678-1234567890", "XYZZQ", "abcdeab12", "12-xyx", "abc-yy", "123:a1b2", "1.22.3.44"];
        let more = ["aabaabaaabc", "123-456abababz", "123456aaz", "98765-00000000001"];
        let mut tried = 0;
        for pattern in patterns {
            let regex = regex::Regex::new(pattern).expect("a good pattern");
            let Some(window) = window(pattern) else { continue };
            for text in texts.iter().chain(&more).filter(|text| regex.is_match(text)) {
                let around = format!("{text}|{text}");
                assert!(window.find(text.as_bytes(), 0).is_some(), "{pattern} in {text}");
                assert!(window.find(around.as_bytes(), 1).is_some(), "{pattern} in {around}");
                tried += 1;
            }
        }
        assert!(tried >= patterns.len(), "{tried}");
    }
}

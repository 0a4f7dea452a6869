//! A text sought without regard to case in ASCII as it was written, so that no folding of it need be made or kept.
//!
//! A stretch of the text with few letters is sought in all its spellings at once; where one stands, the whole text is compared.

use std::ops::Range;

use regex_automata::util::prefilter::Prefilter;
use regex_automata::{MatchKind, Span};

use crate::rarity;

/// More letters than this make so many spellings that they cost more than what they tell apart.
const LETTERS_MAX: usize = 3;

/// See the module.
#[derive(Debug)]
pub(super) struct Caseless {
    /// In lower case.
    text: Box<[u8]>,
    /// Where the stretch begins that is sought.
    stretch: usize,
    spellings: Prefilter,
}

impl Caseless {
    /// From a text that is folded, ASCII and not empty.
    pub(super) fn new(text: &[u8]) -> Caseless {
        let stretch = stretch(text);
        let spellings = Prefilter::new(MatchKind::LeftmostFirst, &spellings_of(&text[stretch.clone()]));
        let spellings = spellings.expect("a few texts can always be sought");
        Caseless { text: text.into(), stretch: stretch.start, spellings }
    }

    /// A place within the first text that stands from `from` on. None may have begun before `from`.
    pub(super) fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut start = from;
        while let Some(found) = self.spellings.find(bytes, Span { start, end: bytes.len() }) {
            if self.is_around(bytes, found.start) {
                return Some(found.start);
            }
            start = found.start + 1;
        }
        None
    }

    /// Whether the text stands where its stretch begins at `place`.
    fn is_around(&self, bytes: &[u8], place: usize) -> bool {
        let start = place.checked_sub(self.stretch);
        let found = start.and_then(|start| bytes.get(start..start + self.text.len()));
        found.is_some_and(|found| found.eq_ignore_ascii_case(&self.text))
    }
}

/// The stretch with few letters that tells most.
fn stretch(text: &[u8]) -> Range<usize> {
    let longest_from = |start: usize| {
        let mut letters = 0;
        let fits = |byte: &&u8| {
            letters += usize::from(byte.is_ascii_alphabetic());
            letters <= LETTERS_MAX
        };
        start..start + text[start..].iter().take_while(fits).count()
    };
    let tells = |stretch: &Range<usize>| text[stretch.clone()].iter().map(|byte| bits(*byte)).sum::<f32>();
    let stretches = (0..text.len()).map(longest_from);
    stretches.max_by(|one, other| tells(one).total_cmp(&tells(other))).unwrap_or(0..0)
}

/// What a byte in either case tells.
fn bits(byte: u8) -> f32 {
    match byte.is_ascii_alphabetic() {
        true => rarity::bits([byte.to_ascii_lowercase(), byte.to_ascii_uppercase()]),
        false => rarity::bits([byte]),
    }
}

/// Every way to write a text in lower case and capitals.
fn spellings_of(text: &[u8]) -> Vec<Vec<u8>> {
    text.iter().fold(vec![Vec::new()], |spellings, byte| {
        let cases = if byte.is_ascii_alphabetic() { vec![*byte, byte.to_ascii_uppercase()] } else { vec![*byte] };
        let with = |case: &u8| spellings.iter().map(|spelling| [&spelling[..], &[*case]].concat()).collect::<Vec<_>>();
        cases.iter().flat_map(with).collect()
    })
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn finds(text: &str, bytes: &str) -> Option<usize> {
        Caseless::new(text.as_bytes()).find(bytes.as_bytes(), 0)
    }

    #[test]
    fn a_text_is_found_in_every_case() {
        for written in ["powershell", "PowerShell", "POWERSHELL", "x POwerSheLL"] {
            assert!(finds("powershell", written).is_some(), "{written}");
        }
        assert_eq!(finds("powershell", "power shell powershel"), None);
        assert_eq!(finds("q", "abcQ"), Some(3));
        assert_eq!(finds(".", "a.b"), Some(1));
        assert_eq!(finds("[a]", "{A}"), None, "only letters have cases");
    }

    #[test]
    fn it_agrees_with_lower_case_wherever_it_looks() {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut found = 0;
        for _ in 0..5_000 {
            let mut text = |length: usize, letters: &[u8]| -> Vec<u8> {
                (0..length).map(|_| letters[rng.random_range(0..letters.len())]).collect()
            };
            let (haystack, needle) = (text(200, b"aAbB-\xFF"), text(4, b"ab-"));
            let caseless = Caseless::new(&needle);
            let mut from = 0;
            for value in haystack.split(|byte| *byte == 0xFF) {
                let end = from + value.len();
                let stands = value.to_ascii_lowercase().windows(needle.len()).any(|at| at == needle);
                let at = caseless.find(&haystack, from);
                assert_eq!(at.is_some_and(|at| at < end), stands, "{haystack:?} {needle:?} from {from}");
                found += usize::from(stands);
                from = end + 1;
            }
        }
        assert!(found > 1_000, "{found}");
    }
}

//! Folding, version 1: the text that matching compares, so that `КоШКи` finds `кошки` and `Zażółć` finds `zazołc`.
//!
//! Each character is folded by itself: compatibility decomposition (NFKD), without the combining marks of U+0300–036F,
//! 1AB0–1AFF, 1DC0–1DFF, 20D0–20FF and FE20–FE2F, full case folding of the rest. Marks of other scripts carry meaning and
//! stay. Because characters do not see their neighbours, `fold(ab) = fold(a) fold(b)`: what is a substring of a text is a
//! substring of the folded text. Folding what is folded changes nothing.
//!
//! The result is frozen: segments carry [`FOLD_VERSION`], and another table would be another version.

mod map;
mod table;

use std::borrow::Cow;
use std::sync::LazyLock;

pub use map::FoldMap;

/// The number of this folding.
pub const FOLD_VERSION: u16 = 1;

/// Folds a text; borrowed when folding changes nothing.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    if folded == text { Cow::Borrowed(text) } else { Cow::Owned(folded) }
}

/// Appends the folding of `text` to `folded`.
pub fn fold_into(text: &str, folded: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let (ascii, other) = rest.split_at(ascii_prefix(rest));
        let start = folded.len();
        folded.push_str(ascii);
        folded[start..].make_ascii_lowercase();
        let mut characters = other.chars();
        while let Some(character) = characters.as_str().chars().next().filter(|character| !character.is_ascii()) {
            characters.next();
            fold_character(character, |text| folded.push_str(text));
        }
        rest = characters.as_str();
    }
}

/// The length of the longest prefix that is ASCII.
fn ascii_prefix(text: &str) -> usize {
    text.bytes().position(|byte| !byte.is_ascii()).unwrap_or(text.len())
}

/// Gives the folding of one character, in one piece; nothing for a character that is dropped.
fn fold_character(character: char, mut emit: impl FnMut(&str)) {
    let code = character as u32;
    if HANGUL.contains(&code) {
        return decompose_hangul(code - HANGUL.start, emit);
    }
    match LOOKUP.folding(code) {
        Some(folding) => emit(folding),
        None => emit(character.to_ascii_lowercase().encode_utf8(&mut [0; 4])),
    }
}

/// The Hangul syllables, whose decomposition is arithmetic.
const HANGUL: std::ops::Range<u32> = 0xAC00..0xD7A4;

fn decompose_hangul(syllable: u32, mut emit: impl FnMut(&str)) {
    let (lead, vowel, tail) = (syllable / 588, syllable % 588 / 28, syllable % 28);
    let mut text = String::with_capacity(9);
    let jamo = [Some(0x1100 + lead), Some(0x1161 + vowel), (tail > 0).then_some(0x11A7 + tail)];
    text.extend(jamo.into_iter().flatten().filter_map(char::from_u32));
    emit(&text);
}

/// The table, laid out for reading: pages of 256 characters, a page without entries taking nothing.
struct Lookup {
    /// For each page its number among the pages that have entries, or [`Lookup::NO_PAGE`].
    pages: Box<[u8]>,
    /// For each character of those pages the position of its entry plus one; 0 when it folds to itself.
    entries: Box<[u16]>,
}

static LOOKUP: LazyLock<Lookup> = LazyLock::new(|| Lookup::new(table::ENTRIES));

impl Lookup {
    const NO_PAGE: u8 = u8::MAX;

    fn new(table: &[(u32, &str)]) -> Lookup {
        let pages_total = table.last().map_or(0, |(code, _)| (code >> 8) as usize + 1);
        let mut pages = vec![Lookup::NO_PAGE; pages_total];
        let mut entries: Vec<u16> = Vec::new();
        for (position, (code, _)) in table.iter().enumerate() {
            let page = &mut pages[(code >> 8) as usize];
            if *page == Lookup::NO_PAGE {
                *page = (entries.len() >> 8) as u8;
                entries.resize(entries.len() + 256, 0);
            }
            entries[(usize::from(*page) << 8) + (code & 0xFF) as usize] = position as u16 + 1;
        }
        Lookup { pages: pages.into(), entries: entries.into() }
    }

    /// The folding of a character beyond ASCII; `None` when it folds to itself.
    fn folding(&self, code: u32) -> Option<&'static str> {
        let page = *self.pages.get((code >> 8) as usize).filter(|page| **page != Lookup::NO_PAGE)?;
        let entry = self.entries[(usize::from(page) << 8) + (code & 0xFF) as usize];
        (entry > 0).then(|| table::ENTRIES[usize::from(entry) - 1].1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    #[test]
    fn text_of_many_scripts_folds_as_people_expect() {
        let cases = [
            ("КоШКи", "кошки"),
            ("Zażółć", "zazołc"),
            ("STRASSE straße", "strasse strasse"),
            ("ﬁn ﬀ", "fin ff"),
            ("ＦＵＬＬ", "full"),
            ("e\u{301}", "e"),
            ("İstanbul", "istanbul"),
            ("ΣΊΣΥΦΟΣ ς", "σισυφοσ σ"),
            ("한", "\u{1112}\u{1161}\u{11ab}"),
            ("हिन्दी", "हिन्दी"),
            ("ｶﾞ", "カ\u{3099}"),
            ("😀 ½", "😀 1\u{2044}2"),
            ("Ǆ №", "dz no"),
        ];
        for (text, folded) in cases {
            assert_eq!(fold(text), folded, "{text:?}");
        }
    }

    #[test]
    fn folding_nothing_new_borrows() {
        assert!(matches!(fold("plain ascii 1"), Cow::Borrowed(_)));
        assert!(matches!(fold("кошки"), Cow::Borrowed(_)));
        assert!(matches!(fold("Plain"), Cow::Owned(_)));
    }

    #[test]
    fn version_1_is_frozen() {
        // The folding of every character there is. Another digest would be another folding, hence another version.
        let mut all = String::new();
        for character in ('\0'..=char::MAX).filter(|character| *character != '\n') {
            fold_into(character.encode_utf8(&mut [0; 4]), &mut all);
            all.push('\n');
        }
        assert_eq!((FOLD_VERSION, xxh3_64(all.as_bytes())), (1, 17_839_807_594_274_321_705));
    }

    #[test]
    fn folding_each_character_twice_is_folding_it_once() {
        for character in '\0'..=char::MAX {
            let once = fold(character.encode_utf8(&mut [0; 4])).into_owned();
            assert_eq!(fold(&once), once, "{character:?}");
        }
    }

    #[test]
    fn the_table_is_ascending_and_beyond_ascii() {
        assert!(table::ENTRIES.is_sorted_by(|one, next| one.0 < next.0));
        assert!(
            table::ENTRIES
                .iter()
                .all(|(code, folding)| *code >= 0x80 && char::from_u32(*code).is_some() && folding.len() < 64)
        );
    }

    proptest! {
        #[test]
        fn folding_is_a_homomorphism(left in any::<String>(), right in any::<String>()) {
            let both = format!("{left}{right}");
            prop_assert_eq!(fold(&both).into_owned(), format!("{}{}", fold(&left), fold(&right)));
        }

        #[test]
        fn folding_ignores_the_case_that_the_standard_library_knows(text in "[a-zA-Zа-яА-Яα-ωΑ-Ω ]{0,20}") {
            prop_assert_eq!(fold(&text.to_uppercase()).into_owned(), fold(&text.to_lowercase()).into_owned());
        }
    }
}

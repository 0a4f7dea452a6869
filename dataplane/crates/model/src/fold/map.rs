//! From a place in folded text back to the place in the text as written, for highlights.

use std::ops::Range;

use super::{fold_character, fold_into};

/// A text's folding, with the way back.
#[derive(Debug, Clone)]
pub struct FoldMap {
    folded: String,
    written_len: usize,
    /// For each folded byte the offset of the character that it comes from. `None`: every byte comes from the same offset.
    origins: Option<Vec<u32>>,
}

impl FoldMap {
    /// Folds a text of less than 4 GiB.
    pub fn new(text: &str) -> FoldMap {
        let mut folded = String::with_capacity(text.len());
        if text.is_ascii() {
            fold_into(text, &mut folded);
            return FoldMap { folded, written_len: text.len(), origins: None };
        }
        let mut origins = Vec::with_capacity(text.len());
        for (offset, character) in text.char_indices() {
            fold_character(character, |folding| folded.push_str(folding));
            let origin = u32::try_from(offset).expect("a value is far smaller than 4 GiB");
            origins.resize(folded.len(), origin);
        }
        FoldMap { folded, written_len: text.len(), origins: Some(origins) }
    }

    /// The folded text.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// The bytes as written, start inclusive and end exclusive, of a range of folded bytes: widened to whole characters,
    /// and over the dropped marks that follow the last one. An empty range stays empty.
    pub fn written(&self, folded: Range<usize>) -> Range<usize> {
        let start = self.origin(folded.start);
        if folded.is_empty() {
            return start..start;
        }
        let last = self.origin(folded.end - 1);
        let end = (folded.end..=self.folded.len()).map(|at| self.origin(at)).find(|origin| *origin > last);
        start..end.expect("the origin behind the last byte is the end of the text")
    }

    fn origin(&self, at: usize) -> usize {
        match &self.origins {
            None => at,
            Some(origins) => origins.get(at).map_or(self.written_len, |origin| *origin as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fold::fold;

    fn written<'a>(text: &'a str, needle: &str) -> &'a str {
        let map = FoldMap::new(text);
        let start = map.folded().find(needle).expect("the needle is there");
        &text[map.written(start..start + needle.len())]
    }

    #[test]
    fn a_match_is_widened_to_whole_characters_and_their_marks() {
        assert_eq!(written("Zażółć!", "zołc"), "żółć");
        assert_eq!(written("a ﬁsh", "i"), "ﬁ");
        assert_eq!(written("cafe\u{301} x", "cafe"), "cafe\u{301}");
        assert_eq!(written("cafe\u{301}", "e"), "e\u{301}");
        assert_eq!(written("Plain", "lai"), "lai");
        assert_eq!(written("straße", "s"), "s");
        assert_eq!(written("한국", "\u{1161}"), "한");
    }

    proptest! {
        #[test]
        fn any_folded_range_comes_from_text_that_folds_to_at_least_it(text in any::<String>(), cut in any::<(u16, u16)>()) {
            let map = FoldMap::new(&text);
            let boundaries: Vec<usize> = map.folded().char_indices().map(|(at, _)| at).chain([map.folded().len()]).collect();
            let (one, other) = (boundaries[cut.0 as usize % boundaries.len()], boundaries[cut.1 as usize % boundaries.len()]);
            let range = one.min(other)..one.max(other);
            let back = &text[map.written(range.clone())];
            prop_assert!(fold(back).contains(&map.folded()[range]));
        }
    }
}

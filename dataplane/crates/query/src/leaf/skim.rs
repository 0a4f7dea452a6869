//! A glance at a document that tells most documents without a match apart before their leaves are read.
//!
//! It is sound where the source spells every text as the leaf does: all ASCII, no `\u` escapes, and a literal without the characters
//! that other escapes stand for. Then a leaf that has the literal shows it in the source too. Elsewhere it says nothing.

use grepzilla_storage::hot::Spelling;
use memchr::memmem::{self, Finder};

use crate::matcher::Matcher;

/// Looks for the literal that every match has, if there is one.
#[derive(Debug)]
pub(super) struct Skim<'a> {
    literal: Option<&'a Finder<'static>>,
    spelling: Spelling,
    /// Room for a source in lower case.
    lower: Vec<u8>,
}

impl<'a> Skim<'a> {
    pub(super) fn new(matcher: &'a Matcher) -> Skim<'a> {
        let is_escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | b'/' | 0..=0x1F);
        let literal = matcher.literal().filter(|literal| !literal.needle().iter().any(is_escaped));
        Skim { literal, spelling: matcher.spelling(), lower: Vec::new() }
    }

    /// Whether the document may match. False is certain.
    pub(super) fn may_match(&mut self, source: &str) -> bool {
        let Some(literal) = self.literal else { return true };
        let source = source.as_bytes();
        if !source.is_ascii() || memmem::find(source, b"\\u").is_some() {
            return true;
        }
        match self.spelling {
            Spelling::Written => literal.find(source).is_some(),
            Spelling::Folded => {
                self.lower.clear();
                self.lower.extend_from_slice(source);
                self.lower.make_ascii_lowercase();
                literal.find(&self.lower).is_some()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pattern;

    fn may_match(needle: &str, case_sensitive: bool, source: &str) -> bool {
        let matcher = Matcher::new(&Pattern::Contains(needle.to_owned()), case_sensitive).expect("a good pattern");
        Skim::new(&matcher).may_match(source)
    }

    #[test]
    fn it_says_no_only_where_the_source_spells_what_the_leaf_has() {
        assert!(!may_match("xyz", false, r#"{"a":"abc\n\"d\\"}"#));
        assert!(!may_match("ABC", true, r#"{"a":"abc"}"#));
        assert!(!may_match("żółć", false, r#"{"a":"abc"}"#));
        for (needle, source) in [
            ("ABC", r#"{"a":"xaBcx"}"#),
            ("xyz", r#"{"a":"\u0078yz"}"#),
            ("k", "{\"a\":\"\u{212A}\"}"),
            ("a/b", r#"{"a":"a\/b"}"#),
            ("a\"b", r#"{"a":"a\"b"}"#),
            ("a\nb", r#"{"a":"a\nb"}"#),
            ("\\", r#"{"a":"\\"}"#),
        ] {
            assert!(may_match(needle, false, source), "{needle} in {source}");
        }
    }
}

//! A glance at a document that tells most documents without a match apart before their leaves are read.
//!
//! It is sound where the source spells every text as the leaf does: all ASCII, no `\u` escapes, and a literal without the characters
//! that other escapes stand for. Then a leaf that has the literal shows it in the source too. Elsewhere it says nothing.

use grepzilla_storage::block::Spelling;
use memchr::memmem::{self, Finder};

use crate::compiled::{Condition, Test};

/// Looks for the literals that every match of a condition has, where there are such.
#[derive(Debug)]
pub(super) struct Skim<'a> {
    literals: Vec<Literal<'a>>,
    needs_lower: bool,
    /// Room for a source in lower case.
    lower: Vec<u8>,
}

#[derive(Debug)]
struct Literal<'a> {
    finder: &'a Finder<'static>,
    spelling: Spelling,
    /// The bit of the condition's number.
    bit: u64,
}

impl<'a> Skim<'a> {
    pub(super) fn new(conditions: &'a [Condition]) -> Skim<'a> {
        let is_escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | b'/' | 0..=0x1F);
        let literal = |(number, condition): (usize, &'a Condition)| {
            let Test::Match(matcher) = &condition.test else { return None };
            let finder = matcher.literal().filter(|finder| !finder.needle().iter().any(is_escaped))?;
            Some(Literal { finder, spelling: matcher.spelling(), bit: 1 << number })
        };
        let literals: Vec<Literal<'a>> = conditions.iter().enumerate().filter_map(literal).collect();
        let needs_lower = literals.iter().any(|literal| literal.spelling == Spelling::Folded);
        Skim { literals, needs_lower, lower: Vec::new() }
    }

    /// The conditions that do not hold for the document, as bits of their numbers; of the others nothing is said.
    pub(super) fn ruled_out(&mut self, source: &str) -> u64 {
        let source = source.as_bytes();
        if self.literals.is_empty() || !source.is_ascii() || memmem::find(source, b"\\u").is_some() {
            return 0;
        }
        if self.needs_lower {
            self.lower.clear();
            self.lower.extend_from_slice(source);
            self.lower.make_ascii_lowercase();
        }
        let is_missing = |literal: &&Literal<'_>| match literal.spelling {
            Spelling::Written => literal.finder.find(source).is_none(),
            Spelling::Folded => literal.finder.find(&self.lower).is_none(),
        };
        self.literals.iter().filter(is_missing).fold(0, |bits, literal| bits | literal.bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pattern;
    use crate::matcher::Matcher;

    fn may_match(needle: &str, case_sensitive: bool, source: &str) -> bool {
        let matcher = Matcher::new(&Pattern::Contains(needle.to_owned()), case_sensitive).expect("a good pattern");
        let condition = Condition { field: None, test: Test::Match(Box::new(matcher)), is_positive: true };
        Skim::new(&[condition]).ruled_out(source) == 0
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

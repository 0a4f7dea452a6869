//! Reading a regular expression, and rewriting it for runs of values and for ASCII.

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{Ast, Flag, Flags, GroupKind, Visitor, visit};
use regex_syntax::hir::translate::TranslatorBuilder;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

use crate::QueryError;
use crate::pattern::REGEX_DEPTH_MAX;

/// Reads a pattern.
pub(super) fn parse(pattern: &str, case_sensitive: bool) -> Result<Hir, QueryError> {
    let ast = ParserBuilder::new().nest_limit(REGEX_DEPTH_MAX).build().parse(pattern).map_err(|error| {
        match error.kind() {
            regex_syntax::ast::ErrorKind::NestLimitExceeded(_) => QueryError::RegexTooDeep { max: REGEX_DEPTH_MAX },
            kind => syntax_error(error.span().start.offset, kind),
        }
    })?;
    visit(&ast, RefuseBytes)?;
    let mut translator = TranslatorBuilder::new().case_insensitive(!case_sensitive).build();
    translator.translate(pattern, &ast).map_err(|error| syntax_error(error.span().start.offset, error.kind()))
}

fn syntax_error(offset: usize, reason: &impl ToString) -> QueryError {
    QueryError::RegexSyntax { offset, reason: reason.to_string() }
}

/// Refuses expressions that turn Unicode off anywhere.
struct RefuseBytes;

impl Visitor for RefuseBytes {
    type Output = ();
    type Err = QueryError;

    fn finish(self) -> Result<(), QueryError> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), QueryError> {
        let (offset, flags): (usize, &Flags) = match ast {
            Ast::Flags(set) => (set.span.start.offset, &set.flags),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) => (group.span.start.offset, flags),
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        match flags.flag_state(Flag::Unicode) {
            Some(false) => Err(QueryError::RegexBytes { offset }),
            _ => Ok(()),
        }
    }
}

/// The expression with the ends of the text rewritten to the ends of a line, for text whose lines end with 0xFF. `None`: it has
/// assertions that would mean something else there, namely those on lines of `\n`, and those that refuse to hold beside
/// bytes that are not text.
pub(super) fn for_lines(hir: &Hir) -> Option<Hir> {
    const ANOTHER_MEANING: [Look; 7] = [
        Look::StartLF,
        Look::EndLF,
        Look::StartCRLF,
        Look::EndCRLF,
        Look::WordUnicodeNegate,
        Look::WordStartHalfUnicode,
        Look::WordEndHalfUnicode,
    ];
    let looks = hir.properties().look_set();
    if ANOTHER_MEANING.into_iter().any(|look| looks.contains(look)) {
        return None;
    }
    Some(rewrite(hir, &|leaf| match leaf {
        HirKind::Look(Look::Start) => Some(Hir::look(Look::StartLF)),
        HirKind::Look(Look::End) => Some(Hir::look(Look::EndLF)),
        _ => None,
    }))
}

/// The expression that matches the same in text that is ASCII.
pub(super) fn ascii_twin(hir: &Hir) -> Hir {
    rewrite(hir, &|leaf| match leaf {
        HirKind::Literal(literal) if !literal.0.is_ascii() => Some(Hir::fail()),
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            class.intersect(&ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7F')]));
            Some(Hir::class(Class::Unicode(class)))
        }
        HirKind::Look(look) => Some(Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => *other,
        })),
        _ => None,
    })
}

/// The expression with each leaf for which `replace` gives something replaced, and without captures.
fn rewrite(hir: &Hir, replace: &impl Fn(&HirKind) -> Option<Hir>) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(|part| rewrite(part, replace)).collect();
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let sub = Box::new(rewrite(&repetition.sub, replace));
            Hir::repetition(Repetition { sub, ..repetition.clone() })
        }
        HirKind::Capture(capture) => rewrite(&capture.sub, replace),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
        leaf => replace(leaf).unwrap_or_else(|| hir.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_meaning_between_values_is_not_rewritten() {
        for pattern in ["(?m)^a", "(?m)a$", "(?mR)a$", r"a\B", r"\b{start-half}a"] {
            assert!(for_lines(&parse(pattern, true).expect("a good pattern")).is_none(), "{pattern}");
        }
        for pattern in ["^a$", r"\ba\b", r"\Aa\z", r"\b{start}a"] {
            assert!(for_lines(&parse(pattern, true).expect("a good pattern")).is_some(), "{pattern}");
        }
    }

    #[test]
    fn the_ascii_twin_knows_ascii_only() {
        let twin = |pattern: &str| ascii_twin(&parse(pattern, false).expect("a good pattern")).to_string();
        assert_eq!(twin("k"), "[Kk]");
        assert_eq!(twin("a|é"), twin("a"));
        assert_eq!(twin("é"), Hir::fail().to_string());
        assert!(
            ascii_twin(&parse(r"\w\b.\B", true).expect("a good pattern")).properties().look_set().contains_word_ascii()
        );
    }
}

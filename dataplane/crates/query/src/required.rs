//! What the folded text of every value that matches contains: the question that a pattern puts to a gram index.
//!
//! It may promise less than is so, never more. Folding goes character by character and drops some characters, so what is adjacent in a match
//! is adjacent in its folded text, and a literal's folding stands in it as a whole. Classes of characters are folded member by
//! member: the ι of a regular expression that ignores case also means U+0345, which folds to nothing, so it may be missing.

mod regex;

use grepzilla_model::fold::fold;
use memchr::memmem;
use regex_syntax::hir::Hir;

/// Texts that a folded text must contain, as bytes; not necessarily whole characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Required {
    /// This; it is not empty.
    Text(Vec<u8>),
    /// All of these; of none of them: nothing is required.
    All(Vec<Required>),
    /// One of these; of none of them: no text matches.
    Any(Vec<Required>),
}

/// More texts than this are not worth looking up.
const TEXTS_MAX: usize = 512;

impl Required {
    /// Of a value that contains each of these literals, as it is written or folded.
    pub(crate) fn by_literals<'a>(literals: impl IntoIterator<Item = &'a str>) -> Required {
        Required::all(literals.into_iter().map(|literal| Required::text(fold(literal).as_bytes())))
    }

    /// Of a value that a regular expression matches.
    pub(crate) fn by_regex(hir: &Hir) -> Required {
        let required = regex::required(hir);
        if required.text_count() > TEXTS_MAX { Required::everything() } else { required }
    }

    /// Nothing is required.
    fn everything() -> Required {
        Required::All(Vec::new())
    }

    fn text(text: &[u8]) -> Required {
        if text.is_empty() { Required::everything() } else { Required::Text(text.to_owned()) }
    }

    fn all(parts: impl IntoIterator<Item = Required>) -> Required {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Required::All(parts) => parts.into_iter().for_each(|part| add(&mut all, part)),
                Required::Any(parts) if parts.is_empty() => return Required::Any(parts),
                part => add(&mut all, part),
            }
        }
        let is_within = |text: &[u8], other: &Required| match other {
            Required::Text(other) => other.len() > text.len() && memmem::find(other, text).is_some(),
            _ => false,
        };
        let is_needed = |part: &Required| match part {
            Required::Text(text) => !all.iter().any(|other| is_within(text, other)),
            _ => true,
        };
        let mut all: Vec<Required> = all.iter().filter(|part| is_needed(part)).cloned().collect();
        if all.len() == 1 { all.remove(0) } else { Required::All(all) }
    }

    fn any(parts: impl IntoIterator<Item = Required>) -> Required {
        let mut any = Vec::new();
        for part in parts {
            match part {
                Required::Any(parts) => parts.into_iter().for_each(|part| add(&mut any, part)),
                Required::All(parts) if parts.is_empty() => return Required::everything(),
                part => add(&mut any, part),
            }
        }
        if any.len() == 1 { any.remove(0) } else { Required::Any(any) }
    }

    fn text_count(&self) -> usize {
        match self {
            Required::Text(_) => 1,
            Required::All(parts) | Required::Any(parts) => parts.iter().map(Required::text_count).sum(),
        }
    }
}

/// Adds what is not there yet.
fn add(parts: &mut Vec<Required>, part: Required) {
    if !parts.contains(&part) {
        parts.push(part);
    }
}

impl std::fmt::Display for Required {
    /// For people: `("abc" & ("d" | "e"))`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (parts, sign) = match self {
            Required::Text(text) => return write!(f, "{:?}", String::from_utf8_lossy(text)),
            Required::All(parts) if parts.is_empty() => return f.write_str("everything"),
            Required::Any(parts) if parts.is_empty() => return f.write_str("nothing"),
            Required::All(parts) => (parts, " & "),
            Required::Any(parts) => (parts, " | "),
        };
        f.write_str("(")?;
        for (place, part) in parts.iter().enumerate() {
            let sign = if place == 0 { "" } else { sign };
            write!(f, "{sign}{part}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests;

//! The query as it is asked, and as it is run.

use grepzilla_model::{IndexName, TimeNs};

use crate::QueryError;
use crate::matcher::Matcher;

/// The longest pattern of any form, in bytes.
pub const PATTERN_BYTES_MAX: usize = 4_096;

/// The most memory that a compiled regular expression may take, in bytes.
pub const REGEX_BYTES_MAX: usize = 4 << 20;

/// The deepest nesting of a regular expression.
pub const REGEX_DEPTH_MAX: u32 = 100;

/// What to look for in a leaf's value. A match never goes beyond one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// A literal, anywhere in the value.
    Contains(String),
    /// `*` is any run of characters, `?` is one character, and `\` takes the meaning from the next character. Anywhere in the
    /// value, line breaks being characters like others. Without case, `?` is one character of the folded text.
    Wildcard(String),
    /// The syntax of Rust's `regex`, on the text as written: without case it ignores case, but not diacritics. `^` and `$`
    /// stand for the ends of the value.
    Regex(String),
}

/// A span of document times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// Inclusive. `None`: from the beginning.
    pub from: Option<TimeNs>,
    /// Exclusive. `None`: without end.
    pub to: Option<TimeNs>,
}

impl TimeRange {
    pub(crate) fn contains(&self, time: TimeNs) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What to look for.
    pub pattern: Pattern,
    /// Whether upper and lower case differ, and for literals and wildcards diacritics and compatibility forms too.
    pub case_sensitive: bool,
    /// The dotted path of the leaves to look at: exactly this path, not what begins with it, an array's elements included.
    /// `None`: all leaves.
    pub field: Option<String>,
    /// The indexes to look at; empty: all.
    pub indexes: Vec<IndexName>,
    /// The documents' times.
    pub time: TimeRange,
}

/// A query that was checked and is ready to run, as often and on as many threads as one likes.
#[derive(Debug)]
pub struct CompiledQuery {
    pub(crate) matcher: Matcher,
    pub(crate) field: Option<String>,
    pub(crate) indexes: Vec<IndexName>,
    pub(crate) time: TimeRange,
}

impl CompiledQuery {
    pub(crate) fn has_index(&self, index: &IndexName) -> bool {
        self.indexes.is_empty() || self.indexes.contains(index)
    }

    pub(crate) fn has_field(&self, path: &str) -> bool {
        self.field.as_deref().is_none_or(|field| field == path)
    }
}

/// Checks a query and prepares it.
pub fn compile(query: Query) -> Result<CompiledQuery, QueryError> {
    let matcher = Matcher::new(&query.pattern, query.case_sensitive)?;
    Ok(CompiledQuery { matcher, field: query.field, indexes: query.indexes, time: query.time })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(pattern: Pattern) -> Option<QueryError> {
        let query =
            Query { pattern, case_sensitive: false, field: None, indexes: Vec::new(), time: TimeRange::default() };
        compile(query).err()
    }

    #[test]
    fn patterns_that_cannot_be_asked_are_refused_with_the_limit_named() {
        let text = |text: &str| text.to_owned();
        for empty in [Pattern::Contains(text("")), Pattern::Wildcard(text("")), Pattern::Regex(text(""))] {
            assert_eq!(error(empty), Some(QueryError::Empty));
        }
        for marks in [Pattern::Contains(text("\u{301}\u{300}")), Pattern::Wildcard(text("*\u{301}?"))] {
            assert_eq!(error(marks), Some(QueryError::FoldsToNothing));
        }
        let too_long = QueryError::TooLong { found: PATTERN_BYTES_MAX + 1, max: PATTERN_BYTES_MAX };
        for form in [Pattern::Contains, Pattern::Wildcard, Pattern::Regex] {
            assert_eq!(error(form("x".repeat(PATTERN_BYTES_MAX))), None);
            assert_eq!(error(form("x".repeat(PATTERN_BYTES_MAX + 1))), Some(too_long.clone()));
        }
        assert_eq!(error(Pattern::Wildcard(text(r"a\"))), Some(QueryError::DanglingEscape));
        assert_eq!(error(Pattern::Wildcard(text("*"))), None);
        assert!(too_long.to_string().contains("4096"));
    }

    #[test]
    fn regular_expressions_are_bounded_and_about_text() {
        let regex = |pattern: &str| error(Pattern::Regex(pattern.to_owned()));
        assert_eq!(regex("(a{1000}){1000}"), Some(QueryError::RegexTooBig { max: REGEX_BYTES_MAX }));
        assert_eq!(regex(r"\w{1000}"), Some(QueryError::RegexTooBig { max: REGEX_BYTES_MAX }));
        assert_eq!(
            regex(&("(".repeat(101) + &")".repeat(101))),
            Some(QueryError::RegexTooDeep { max: REGEX_DEPTH_MAX })
        );
        assert_eq!(regex(r"ab(?-u)\xff"), Some(QueryError::RegexBytes { offset: 2 }));
        assert_eq!(regex(r"a(?i-u:b)"), Some(QueryError::RegexBytes { offset: 1 }));
        assert!(matches!(regex("a[b"), Some(QueryError::RegexSyntax { offset: 1, .. })));
        assert!(matches!(regex(r"(a)\1"), Some(QueryError::RegexSyntax { offset: 3, .. })));
        assert_eq!(regex(r"(?u)\w{1,10}(?i:b)\p{Greek}"), None);
    }
}

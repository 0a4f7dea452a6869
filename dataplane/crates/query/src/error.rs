//! Why a query was refused.

/// A query that cannot be asked. [`QueryError::code`] is part of the HTTP interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nothing to look for.
    #[error("the pattern is empty")]
    Empty,
    /// A tree with too many nodes.
    #[error("the query has more than {max} nodes")]
    TooManyNodes {
        /// The limit.
        max: usize,
    },
    /// A tree that is too deep.
    #[error("the query is nested deeper than {max} levels")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// `all` or `any` of nothing.
    #[error("`all` and `any` need at least one condition")]
    NoNodes,
    /// A range of everything.
    #[error("a range needs at least one of `gt`, `gte`, `lt` and `lte`")]
    NoBounds,
    /// A range of two kinds of values.
    #[error("the bounds of a range must be all numbers or all strings")]
    MixedBounds,
    /// A range with two bounds on one side.
    #[error("a range takes one of `{one}` and `{other}`, not both")]
    DoubleBound {
        /// The exclusive bound.
        one: &'static str,
        /// The inclusive bound.
        other: &'static str,
    },
    /// A bound that is no JSON number.
    #[error("a bound of the range is not a JSON number")]
    BadNumber,
    /// Only marks that matching ignores.
    #[error(
        "the pattern has only characters that matching ignores, so it would match everything; use case_sensitive to find them"
    )]
    FoldsToNothing,
    /// Too long.
    #[error("the pattern has {found} bytes, at most {max} are allowed")]
    TooLong {
        /// Its bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A wildcard pattern that ends with a single backslash.
    #[error("the pattern ends with a backslash that escapes nothing; write `\\\\` for a backslash")]
    DanglingEscape,
    /// Not a regular expression.
    #[error("not a valid regular expression at byte {offset}: {reason}")]
    RegexSyntax {
        /// Where in the pattern.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A regular expression that would not be about text.
    #[error("the flag `u` cannot be turned off: values are searched as text, never as bytes (byte {offset})")]
    RegexBytes {
        /// Where in the pattern.
        offset: usize,
    },
    /// A regular expression nested too deeply.
    #[error("the regular expression is nested deeper than {max} levels")]
    RegexTooDeep {
        /// The limit.
        max: u32,
    },
    /// A regular expression that takes too much memory when compiled.
    #[error("the regular expression takes more than {max} bytes when compiled; smaller repetition counts help")]
    RegexTooBig {
        /// The limit.
        max: usize,
    },
}

impl QueryError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            QueryError::Empty => "empty_pattern",
            QueryError::TooManyNodes { .. } => "query_too_large",
            QueryError::TooDeep { .. } => "query_too_deep",
            QueryError::NoNodes => "empty_query",
            QueryError::NoBounds | QueryError::MixedBounds | QueryError::DoubleBound { .. } | QueryError::BadNumber => {
                "bad_range"
            }
            QueryError::FoldsToNothing => "folds_to_nothing",
            QueryError::TooLong { .. } => "pattern_too_long",
            QueryError::DanglingEscape => "dangling_escape",
            QueryError::RegexSyntax { .. } => "regex_syntax",
            QueryError::RegexBytes { .. } => "regex_bytes",
            QueryError::RegexTooDeep { .. } => "regex_too_deep",
            QueryError::RegexTooBig { .. } => "regex_too_big",
        }
    }
}

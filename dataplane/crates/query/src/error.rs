//! Why a query was refused.

/// A query that cannot be asked. [`QueryError::code`] is part of the HTTP interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nothing to look for.
    #[error("the pattern is empty")]
    Empty,
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

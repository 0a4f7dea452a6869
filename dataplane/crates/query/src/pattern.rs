//! What to look for in a value.

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
    /// The whole value, numbers and booleans as their JSON text: `1` is not `1.0`. It may be empty.
    Exact(String),
    /// `*` is any run of characters, `?` is one character, and `\` takes the meaning from the next character. Anywhere in the
    /// value, line breaks being characters like others. Without case, `?` is one character of the folded text.
    Wildcard(String),
    /// The syntax of Rust's `regex`, on the text as written: without case it ignores case, but not diacritics. `^` and `$`
    /// stand for the ends of the value.
    Regex(String),
}

impl Pattern {
    /// As it was given.
    pub fn text(&self) -> &str {
        let (Pattern::Contains(text) | Pattern::Exact(text) | Pattern::Wildcard(text) | Pattern::Regex(text)) = self;
        text
    }
}

//! Why a document was refused.

use super::FieldType;

/// A document that does not enter. [`DocumentError::code`] and [`DocumentError::field`] are part of the HTTP interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More bytes than allowed.
    #[error("the document has {found} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Nested too deeply.
    #[error("`{field}` is nested deeper than {max} levels")]
    TooDeep {
        /// Where.
        field: String,
        /// The limit.
        max: usize,
    },
    /// Too many strings, numbers and booleans.
    #[error("the document has more than {max} leaves, `{field}` is the first too many")]
    TooManyLeaves {
        /// The first that is too many.
        field: String,
        /// The limit.
        max: usize,
    },
    /// One value is too long.
    #[error("the value of `{field}` has {found} bytes, at most {max} are allowed")]
    ValueTooLong {
        /// Whose value.
        field: String,
        /// Its bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A leaf's path is too long.
    #[error("the path that begins with `{field}` has {found} bytes, at most {max} are allowed")]
    PathTooLong {
        /// How the path begins.
        field: String,
        /// Its bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// An object has a key twice.
    #[error("the key `{field}` occurs twice in one object")]
    DuplicateKey {
        /// The path of the second.
        field: String,
    },
    /// JSON, but not an object.
    #[error("a document must be a JSON object")]
    NotAnObject,
    /// Not JSON.
    #[error("not valid JSON at byte {offset}: expected {expected}")]
    Syntax {
        /// Where reading failed, in bytes from the document's first one that is not white space.
        offset: usize,
        /// What would have been right.
        expected: &'static str,
    },
    /// An `_id` that cannot be one.
    #[error("`_id` must be {expected}")]
    InvalidId {
        /// What it must be.
        expected: &'static str,
    },
    /// A field that documents of the index must have.
    #[error("the field `{field}` is missing, and documents of this index must have it")]
    MissingField {
        /// The field.
        field: String,
    },
    /// A value of another type than the index wants.
    #[error("the field `{field}` must be {expected}, not {found}")]
    WrongType {
        /// The field.
        field: String,
        /// What it must be.
        expected: FieldType,
        /// What it is.
        found: &'static str,
    },
}

impl DocumentError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            DocumentError::TooLarge { .. } => "too_large",
            DocumentError::TooDeep { .. } => "too_deep",
            DocumentError::TooManyLeaves { .. } => "too_many_leaves",
            DocumentError::ValueTooLong { .. } => "value_too_long",
            DocumentError::PathTooLong { .. } => "path_too_long",
            DocumentError::DuplicateKey { .. } => "duplicate_key",
            DocumentError::NotAnObject => "not_an_object",
            DocumentError::Syntax { .. } => "syntax",
            DocumentError::InvalidId { .. } => "invalid_id",
            DocumentError::MissingField { .. } => "missing_field",
            DocumentError::WrongType { .. } => "wrong_type",
        }
    }

    /// The dotted path of the field at fault; `None`: the document as a whole.
    pub fn field(&self) -> Option<&str> {
        match self {
            DocumentError::TooDeep { field, .. }
            | DocumentError::TooManyLeaves { field, .. }
            | DocumentError::ValueTooLong { field, .. }
            | DocumentError::PathTooLong { field, .. }
            | DocumentError::DuplicateKey { field }
            | DocumentError::MissingField { field }
            | DocumentError::WrongType { field, .. } => Some(field),
            DocumentError::InvalidId { .. } => Some("_id"),
            DocumentError::TooLarge { .. } | DocumentError::NotAnObject | DocumentError::Syntax { .. } => None,
        }
    }
}

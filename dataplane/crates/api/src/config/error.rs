//! Why a configuration cannot be used.

use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not this configuration.
    #[error("the configuration is malformed: {reason}")]
    Malformed {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// A figure is outside its bounds.
    #[error("{field} is {found}, but must be from {min} to {max}")]
    OutOfRange {
        /// The field.
        field: String,
        /// Its value.
        found: u64,
        /// The smallest value.
        min: u64,
        /// The largest value.
        max: u64,
    },
    /// A list needs at least one entry.
    #[error("{field} must not be empty")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// The rules of an index cannot be kept or cannot be meant.
    #[error("indexes.{index}: {reason}")]
    Index {
        /// The entry.
        index: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The root of the keys is not a path.
    #[error("cluster.root is {found:?}, but must begin with / and not end with it")]
    Root {
        /// What was there.
        found: String,
    },
}

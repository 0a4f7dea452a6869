//! One shard on one disk.
pub mod disk;
mod error;
pub use error::{AppendError, Corruption, OpenError};
pub mod hot;

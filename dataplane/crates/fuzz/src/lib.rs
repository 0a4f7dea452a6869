//! What the fuzz targets check: each function takes any bytes, and panics if a promise of the engine is broken.
//!
//! The bytes are read as choices, so that every input means something: which valid file to begin with, what becomes of it,
//! what is asked of it. `dataplane/fuzz` hands in bytes that reach new code; the test of this crate hands in those that
//! are kept there, so that no input of the corpus loses its meaning unnoticed.
//!
//! The fourth target, of requests, is beside the code that it calls, in the node.

mod asking;
mod choices;
mod edits;
mod envelope;
mod naive;
mod pattern;
mod segment_file;
mod segment_open;
mod wal_files;
mod wal_recovery;
mod worlds;

pub use pattern::pattern;
pub use segment_open::segment_open;
pub use wal_recovery::wal_recovery;

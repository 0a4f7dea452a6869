//! The shard seen from outside: what it promises about acknowledged batches, whatever the disk does.

mod acknowledged;
mod fixtures;

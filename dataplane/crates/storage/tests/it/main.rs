//! The shard seen from outside: what it promises about acknowledged batches, whatever the disk does.

mod acknowledged;
mod crash;
mod damage;
mod files;
mod fixtures;
mod flush;
mod full;
mod group;
mod idempotency;
mod matrix;
mod quarantine;
mod retention;
mod trace;
mod versions;

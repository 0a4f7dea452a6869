//! Segments from blocks to files and back: whole, damaged, interrupted.

mod damage;
mod fixtures;
mod golden;
mod round_trip;

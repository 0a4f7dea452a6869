//! Segments from blocks to files and back: whole, damaged, interrupted.

mod damage;
mod fixtures;
mod golden;
mod inspect;
mod round_trip;

//! The query engine from outside: compared with a naive scan, page by page, and against the clock.

mod alphabet;
mod cursor;
mod deadline;
mod fixtures;
mod lives;
mod naive;
mod oracle;
mod questions;
mod since;

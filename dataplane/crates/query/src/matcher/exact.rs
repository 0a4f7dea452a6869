//! A whole value.

use std::ops::Range;

use grepzilla_storage::block::{Spelling, ValueRun};
use memchr::memmem::Finder;

use super::literal::{Literal, spelled};
use crate::clock::{Clock, Expired};

/// The byte behind each value of a run.
const END: u8 = 0xFF;

#[derive(Debug)]
pub(super) struct Exact {
    literal: Literal,
    /// The literal between the end of the value before and its own.
    enclosed: Finder<'static>,
}

impl Exact {
    pub(super) fn new(text: &str, spelling: Spelling) -> Exact {
        let literal = spelled(text, spelling);
        let enclosed = [&[END], literal.as_bytes(), &[END]].concat();
        Exact { literal: Literal::new(&literal, spelling), enclosed: Finder::new(&enclosed).into_owned() }
    }

    /// It may be empty.
    pub(super) fn literal(&self) -> &Literal {
        &self.literal
    }

    pub(super) fn scan(&self, run: &ValueRun<'_>, clock: &Clock, mut found: impl FnMut(usize)) -> Result<(), Expired> {
        let (bytes, needle) = (run.bytes(), self.literal.finder().needle());
        if run.ignores_case() {
            return self.literal.each_value(run, clock, |place| {
                if run.range(place).len() == needle.len() {
                    found(place);
                }
                Ok(())
            });
        }
        if run.value_count() > 0 && bytes[run.range(0)] == *needle {
            found(0);
        }
        // The end of a value is the beginning of the next one, so it is looked at again.
        let (mut at, mut place) = (0, 0);
        while let Some(offset) = self.enclosed.find(&bytes[at..]) {
            clock.tick()?;
            let start = at + offset + 1;
            place = run.value_at(start, place);
            found(place);
            at = start + needle.len();
        }
        Ok(())
    }

    pub(super) fn is_match(&self, value: &str) -> bool {
        value.as_bytes() == self.literal.finder().needle()
    }

    pub(super) fn find(&self, value: &str, from: usize) -> Option<Range<usize>> {
        (from == 0 && self.is_match(value)).then_some(0..value.len())
    }
}

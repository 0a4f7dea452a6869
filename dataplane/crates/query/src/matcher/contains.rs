//! A literal anywhere in a value.

use std::ops::Range;

use grepzilla_model::fold::fold;
use grepzilla_storage::block::{Spelling, ValueRun};
use memchr::memmem::Finder;

use crate::QueryError;
use crate::clock::{Clock, Expired};

#[derive(Debug)]
pub(super) struct Contains {
    finder: Finder<'static>,
}

impl Contains {
    pub(super) fn new(needle: &str, spelling: Spelling) -> Result<Contains, QueryError> {
        let needle = spelled(needle, spelling);
        if needle.is_empty() {
            return Err(QueryError::FoldsToNothing);
        }
        Ok(Contains { finder: Finder::new(&needle).into_owned() })
    }

    pub(super) fn literal(&self) -> &Finder<'static> {
        &self.finder
    }

    pub(super) fn scan(&self, run: &ValueRun<'_>, clock: &Clock, mut found: impl FnMut(usize)) -> Result<(), Expired> {
        each_value_with(&self.finder, run, clock, |place| {
            found(place);
            Ok(())
        })
    }

    pub(super) fn find(&self, value: &str, from: usize) -> Option<Range<usize>> {
        let start = from + self.finder.find(value.as_bytes().get(from..)?)?;
        Some(start..start + self.finder.needle().len())
    }
}

/// A literal as the values that it is compared with are spelled.
pub(super) fn spelled(literal: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::Written => literal.to_owned(),
        Spelling::Folded => fold(literal).into_owned(),
    }
}

/// One pass over the whole run; `found` gets the place of each value that has the literal, once.
/// A literal is text, so no match crosses the byte 0xFF between two values.
pub(super) fn each_value_with(
    literal: &Finder<'_>,
    run: &ValueRun<'_>,
    clock: &Clock,
    mut found: impl FnMut(usize) -> Result<(), Expired>,
) -> Result<(), Expired> {
    let bytes = run.bytes();
    let (mut at, mut place) = (0, 0);
    while let Some(offset) = literal.find(&bytes[at..]) {
        clock.tick()?;
        place = run.value_at(at + offset, place);
        found(place)?;
        at = run.range(place).end + 1;
    }
    Ok(())
}

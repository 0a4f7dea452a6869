//! A literal anywhere in a value.

use std::ops::Range;

use grepzilla_storage::block::{Spelling, ValueRun};

use super::literal::{Literal, spelled};
use crate::QueryError;
use crate::clock::{Clock, Expired};

#[derive(Debug)]
pub(super) struct Contains {
    literal: Literal,
}

impl Contains {
    pub(super) fn new(needle: &str, spelling: Spelling) -> Result<Contains, QueryError> {
        let needle = spelled(needle, spelling);
        if needle.is_empty() {
            return Err(QueryError::FoldsToNothing);
        }
        Ok(Contains { literal: Literal::new(&needle, spelling) })
    }

    pub(super) fn literal(&self) -> &Literal {
        &self.literal
    }

    pub(super) fn scan(&self, run: &ValueRun<'_>, clock: &Clock, mut found: impl FnMut(usize)) -> Result<(), Expired> {
        self.literal.each_value(run, clock, |place| {
            found(place);
            Ok(())
        })
    }

    pub(super) fn find(&self, value: &str, from: usize) -> Option<Range<usize>> {
        let finder = self.literal.finder();
        let start = from + finder.find(value.as_bytes().get(from..)?)?;
        Some(start..start + finder.needle().len())
    }
}

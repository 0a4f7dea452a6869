//! A literal, and how it is sought in values.

use grepzilla_model::fold::fold;
use grepzilla_storage::block::{Spelling, ValueRun};
use memchr::memmem::Finder;

use super::caseless::Caseless;
use crate::clock::{Clock, Expired};

/// See the module.
#[derive(Debug)]
pub(super) struct Literal {
    finder: Finder<'static>,
    /// For values that are to be read without regard to case, all of which have letters. `None`: it is empty, or not ASCII, and so
    /// is none of them and stands in none.
    caseless: Option<Caseless>,
}

impl Literal {
    /// Of a text that is spelled already.
    pub(super) fn new(text: &str, spelling: Spelling) -> Literal {
        let caseless = match spelling {
            Spelling::Folded if !text.is_empty() && text.is_ascii() => Some(Caseless::new(text.as_bytes())),
            _ => None,
        };
        Literal { finder: Finder::new(text).into_owned(), caseless }
    }

    /// Finds it in a text of its spelling.
    pub(super) fn finder(&self) -> &Finder<'static> {
        &self.finder
    }

    /// One pass over the whole run; `found` gets the place of each value that has the literal, once.
    /// A literal is text, so no match crosses the byte 0xFF between two values.
    pub(super) fn each_value(
        &self,
        run: &ValueRun<'_>,
        clock: &Clock,
        mut found: impl FnMut(usize) -> Result<(), Expired>,
    ) -> Result<(), Expired> {
        let (mut at, mut place) = (0, 0);
        while let Some(offset) = self.find_in(run, at) {
            clock.tick()?;
            place = run.value_at(offset, place);
            found(place)?;
            at = run.range(place).end + 1;
        }
        Ok(())
    }

    /// A place within the first value that has it and begins at `from` or later.
    fn find_in(&self, run: &ValueRun<'_>, from: usize) -> Option<usize> {
        if run.ignores_case() {
            return self.caseless.as_ref()?.find(run.bytes(), from);
        }
        Some(from + self.finder.find(&run.bytes()[from..])?)
    }
}

/// A text as the values that it is compared with are spelled.
pub(super) fn spelled(text: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::Written => text.to_owned(),
        Spelling::Folded => fold(text).into_owned(),
    }
}

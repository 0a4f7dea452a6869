//! The four pattern forms behind one face: which value runs to read, which values match, and where.

mod caseless;
mod contains;
mod exact;
mod literal;
mod regex;
mod wildcard;

use std::ops::Range;

use grepzilla_storage::block::{Spelling, Unit, UnitValues};
use memchr::memmem::Finder;

use crate::QueryError;
use crate::clock::{Clock, Expired};
use crate::pattern::{PATTERN_BYTES_MAX, Pattern};
use crate::required::Required;
use contains::Contains;
use exact::Exact;
use literal::Literal;
use regex::Regex;
use wildcard::Wildcard;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Matcher {
    form: Form,
    spelling: Spelling,
    required: Required,
}

#[derive(Debug)]
enum Form {
    Contains(Contains),
    Exact(Box<Exact>),
    Wildcard(Wildcard),
    Regex(Box<Regex>),
}

impl Matcher {
    pub(crate) fn new(pattern: &Pattern, case_sensitive: bool) -> Result<Matcher, QueryError> {
        let text = pattern.text();
        if text.is_empty() && !matches!(pattern, Pattern::Exact(_)) {
            return Err(QueryError::Empty);
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(QueryError::TooLong { found: text.len(), max: PATTERN_BYTES_MAX });
        }
        let spelling = if case_sensitive { Spelling::Written } else { Spelling::Folded };
        let (form, spelling, required) = match pattern {
            Pattern::Contains(needle) => {
                let form = Form::Contains(Contains::new(needle, spelling)?);
                (form, spelling, Required::by_literals([needle.as_str()]))
            }
            Pattern::Exact(text) => {
                let form = Form::Exact(Box::new(Exact::new(text, spelling)));
                (form, spelling, Required::by_literals([text.as_str()]))
            }
            Pattern::Wildcard(text) => {
                let wildcard = Wildcard::new(text, spelling)?;
                let required = Required::by_literals(wildcard.literals());
                (Form::Wildcard(wildcard), spelling, required)
            }
            Pattern::Regex(text) => {
                let (regex, required) = Regex::new(text, case_sensitive)?;
                (Form::Regex(Box::new(regex)), Spelling::Written, required)
            }
        };
        Ok(Matcher { form, spelling, required })
    }

    /// What the folded text of every value that matches contains.
    pub(crate) fn required(&self) -> &Required {
        &self.required
    }

    /// The spelling of all values that are given to the other functions.
    pub(crate) fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// A literal that every match has, spelled as the values are.
    pub(crate) fn literal(&self) -> Option<&Finder<'static>> {
        match &self.form {
            Form::Contains(contains) => Some(contains.literal().finder()),
            Form::Exact(exact) => Some(exact.literal().finder()),
            Form::Wildcard(wildcard) => wildcard.literal().map(Literal::finder),
            Form::Regex(_) => None,
        }
    }

    /// Calls `found` with the number of each of these values of a unit that matches, ascending, each once. Gives the bytes of all of
    /// them. `room` is for text in lower case, of one unit after the other.
    pub(crate) fn scan(
        &self,
        unit: &Unit,
        values: &UnitValues,
        room: &mut Vec<u8>,
        clock: &Clock,
        mut found: impl FnMut(usize),
    ) -> Result<u64, Expired> {
        // ASCII folds to ASCII, so a literal that is not need not be sought there.
        let is_beyond_ascii = self.literal().is_some_and(|literal| !literal.needle().is_ascii());
        let beyond_ascii = is_beyond_ascii.then(|| unit.beyond_ascii(values));
        let values = beyond_ascii.as_ref().unwrap_or(values);
        let mut bytes = 0;
        if let Form::Regex(regex) = &self.form {
            regex.scan(unit, values, room, clock, &mut found)?;
        }
        for run in unit.runs(self.spelling, values) {
            bytes += run.bytes().len() as u64;
            let found = |place| found(run.number(place));
            match &self.form {
                Form::Contains(contains) => contains.scan(&run, clock, found)?,
                Form::Exact(exact) => exact.scan(&run, clock, found)?,
                Form::Wildcard(wildcard) => wildcard.scan(&run, clock, found)?,
                Form::Regex(_) => {}
            }
        }
        Ok(bytes)
    }

    /// Whether one value matches.
    pub(crate) fn matches(&self, value: &str, clock: &Clock) -> Result<bool, Expired> {
        match &self.form {
            Form::Contains(contains) => Ok(contains.find(value, 0).is_some()),
            Form::Exact(exact) => Ok(exact.is_match(value)),
            Form::Wildcard(wildcard) => Ok(wildcard.find(value, 0, clock)?.is_some()),
            Form::Regex(regex) => regex.matches(value, clock),
        }
    }

    /// The first match in `value` that begins at `from` or later, `from` being the end of the match before.
    pub(crate) fn find(&self, value: &str, from: usize, clock: &Clock) -> Result<Option<Range<usize>>, Expired> {
        match &self.form {
            Form::Contains(contains) => Ok(contains.find(value, from)),
            Form::Exact(exact) => Ok(exact.find(value, from)),
            Form::Wildcard(wildcard) => wildcard.find(value, from, clock),
            Form::Regex(regex) => regex.find(value, from, clock),
        }
    }
}

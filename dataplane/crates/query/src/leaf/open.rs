//! Whether a query asks for one open document: a walk over its leaves until the tree is settled.

use std::ops::ControlFlow;
use std::time::Instant;

use grepzilla_model::document::walk_leaves;
use grepzilla_model::fold::fold_into;
use grepzilla_storage::block::Spelling;

use super::skim::Skim;
use crate::CompiledQuery;
use crate::clock::{Clock, Expired};
use crate::compiled::{Condition, Known, Test};

/// Reads documents one after the other.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    query: &'a CompiledQuery,
    clock: Clock,
    skim: Skim<'a>,
    /// Room for a folded value.
    folded: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(query: &'a CompiledQuery, deadline: Instant) -> Reader<'a> {
        Reader { query, clock: Clock::new(deadline), skim: Skim::new(&query.conditions), folded: String::new() }
    }

    /// Whether the query holds for a document.
    pub(super) fn holds(&mut self, source: &str) -> Result<bool, Expired> {
        self.clock.tick()?;
        let (query, clock) = (self.query, &self.clock);
        let tree = &query.tree;
        let mut known = Known { yes: 0, no: self.skim.ruled_out(source) };
        if !tree.may_hold(known) || tree.must_hold(known) {
            return Ok(tree.may_hold(known));
        }
        let mut outcome = Ok(());
        walk_leaves(source, |path, value| {
            let mut leaf = Leaf { path, value, folded: &mut self.folded, is_folded: false, clock };
            for (number, condition) in query.conditions.iter().enumerate() {
                let bit = 1 << number;
                match (known.yes | known.no) & bit == 0 && outcome.is_ok() {
                    true => match leaf.meets(condition) {
                        Ok(meets) => known.yes |= if meets { bit } else { 0 },
                        Err(expired) => outcome = Err(expired),
                    },
                    false => continue,
                }
            }
            let is_settled = outcome.is_err() || tree.must_hold(known) || !tree.may_hold(known);
            if is_settled { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        outcome?;
        // What no leaf met and was not ruled out before does not hold now.
        Ok(tree.must_hold(Known { no: !known.yes, ..known }))
    }
}

/// One leaf of a document.
struct Leaf<'a> {
    path: &'a str,
    value: &'a str,
    /// Room for the folded value.
    folded: &'a mut String,
    is_folded: bool,
    clock: &'a Clock,
}

impl Leaf<'_> {
    fn meets(&mut self, condition: &Condition) -> Result<bool, Expired> {
        if !condition.has_field(self.path) {
            return Ok(false);
        }
        let clock = self.clock;
        match &condition.test {
            Test::Match(matcher) if matcher.spelling() == Spelling::Folded => matcher.matches(self.folded(), clock),
            Test::Match(matcher) => matcher.matches(self.value, clock),
            Test::Exists => Ok(true),
            Test::Range(range) => Ok(range.has(self.value)),
        }
    }

    fn folded(&mut self) -> &str {
        if !self.is_folded {
            self.folded.clear();
            fold_into(self.value, self.folded);
            self.is_folded = true;
        }
        self.folded
    }
}

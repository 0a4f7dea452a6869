//! Which documents of a sealed block a query asks for: sets of documents, combined as the tree says.

use grepzilla_storage::block::{Block, Spelling, UnitValues};

use super::scan::IN_MEMORY;
use crate::CompiledQuery;
use crate::bits::Bits;
use crate::clock::{Clock, Expired};
use crate::compiled::{Condition, Test, Tree};
use crate::matcher::Matcher;

/// A query on its way through one block.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    query: &'a CompiledQuery,
    block: &'a Block,
    clock: &'a Clock,
    bytes_read: u64,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(query: &'a CompiledQuery, block: &'a Block, clock: &'a Clock) -> Evaluation<'a> {
        Evaluation { query, block, clock, bytes_read: 0 }
    }

    /// Bytes of values that were searched.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The documents for which the whole query holds.
    pub(super) fn documents(&mut self) -> Result<Bits, Expired> {
        self.tree(&self.query.tree)
    }

    fn tree(&mut self, tree: &Tree) -> Result<Bits, Expired> {
        match tree {
            Tree::Condition(number) => self.condition(&self.query.conditions[*number]),
            Tree::All(nodes) => {
                let mut documents = self.every();
                for node in nodes {
                    if documents.is_empty() {
                        break;
                    }
                    documents.intersect(&self.tree(node)?);
                }
                Ok(documents)
            }
            Tree::Any(nodes) => {
                let mut documents = Bits::none(self.block.document_count());
                for node in nodes {
                    documents.unite(&self.tree(node)?);
                }
                Ok(documents)
            }
            Tree::Not(node) => {
                let mut documents = self.tree(node)?;
                documents.invert();
                Ok(documents)
            }
        }
    }

    fn every(&self) -> Bits {
        let mut documents = Bits::none(self.block.document_count());
        documents.invert();
        documents
    }

    fn condition(&mut self, condition: &Condition) -> Result<Bits, Expired> {
        self.clock.look()?;
        let field = condition.field.as_deref();
        match &condition.test {
            Test::Match(matcher) => self.matching(matcher, field),
            Test::Exists => self.having(field, |_| true),
            Test::Range(range) => self.having(field, |value| range.has(value)),
        }
    }

    fn matching(&mut self, matcher: &Matcher, field: Option<&str>) -> Result<Bits, Expired> {
        let mut documents = Bits::none(self.block.document_count());
        for (unit_no, values) in self.units(field) {
            let (unit, mut matching) = (self.block.unit(unit_no).expect(IN_MEMORY), Vec::new());
            for run in unit.runs(matcher.spelling(), values) {
                self.bytes_read += run.bytes().len() as u64;
                matcher.scan(&run, self.clock, |place| matching.push(run.number(place) as u32))?;
            }
            self.add_holders(unit_no, &matching, &mut documents);
        }
        Ok(documents)
    }

    /// The documents with a value in a column that passes.
    fn having(&mut self, field: Option<&str>, passes: impl Fn(&str) -> bool) -> Result<Bits, Expired> {
        let mut documents = Bits::none(self.block.document_count());
        for (unit_no, values) in self.units(field) {
            let (unit, mut passing) = (self.block.unit(unit_no).expect(IN_MEMORY), Vec::new());
            for run in unit.runs(Spelling::Written, values) {
                self.bytes_read += run.bytes().len() as u64;
                for place in 0..run.value_count() {
                    self.clock.tick()?;
                    let value = std::str::from_utf8(&run.bytes()[run.range(place)]).expect("values are text");
                    if passes(value) {
                        passing.push(run.number(place) as u32);
                    }
                }
            }
            self.add_holders(unit_no, &passing, &mut documents);
        }
        Ok(documents)
    }

    /// The units to search, and which of their values.
    fn units(&self, field: Option<&str>) -> Vec<(usize, UnitValues)> {
        let Some(field) = field else {
            return (0..self.block.unit_count()).map(|unit| (unit, UnitValues::All)).collect();
        };
        let columns = self.block.columns().expect(IN_MEMORY);
        let column = columns.find(field).into_iter();
        column.map(|column| (columns.unit_of(column), columns.values_of(column))).collect()
    }

    fn add_holders(&self, unit: usize, values: &[u32], documents: &mut Bits) {
        let held = self.block.documents_with(unit, values, &mut |document| documents.insert(document));
        held.expect(IN_MEMORY);
    }
}

//! Which documents of a sealed block a query asks for: sets of documents, combined as the tree says.

use grepzilla_storage::ReadError;
use grepzilla_storage::block::{Block, ColumnNo, UnitValues};

use super::plan::Plan;
use super::stop::Stop;
use crate::CompiledQuery;
use crate::bits::Bits;
use crate::clock::Clock;
use crate::compiled::{Test, Tree};
use crate::matcher::Matcher;
use crate::range::Range;

/// A query on its way through one block.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    query: &'a CompiledQuery,
    block: &'a Block,
    clock: &'a Clock,
    room: &'a mut Vec<u8>,
    candidates: Option<Candidates<'a>>,
    bytes_read: u64,
}

/// What the index of grams says about a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidates<'a> {
    pub(super) plan: &'a Plan,
    /// The number in the segment of the block's first unit.
    pub(super) first_unit: usize,
}

impl<'a> Evaluation<'a> {
    /// Without `candidates` all units are read.
    pub(super) fn new(
        query: &'a CompiledQuery,
        block: &'a Block,
        candidates: Option<Candidates<'a>>,
        clock: &'a Clock,
        room: &'a mut Vec<u8>,
    ) -> Evaluation<'a> {
        Evaluation { query, block, clock, room, candidates, bytes_read: 0 }
    }

    /// Bytes of values that were searched.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The documents for which the whole query holds.
    pub(super) fn documents(&mut self) -> Result<Bits, Stop> {
        self.tree(&self.query.tree)
    }

    fn tree(&mut self, tree: &Tree) -> Result<Bits, Stop> {
        match tree {
            Tree::Condition(number) => self.condition(*number),
            Tree::All(nodes) => {
                let mut documents = self.tree(&nodes[0])?;
                for node in &nodes[1..] {
                    if documents.is_empty() {
                        break;
                    }
                    documents.intersect(&self.tree(node)?);
                }
                Ok(documents)
            }
            Tree::Any(nodes) => {
                let mut documents = self.none();
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

    fn none(&self) -> Bits {
        Bits::none(self.block.document_count())
    }

    fn condition(&mut self, number: usize) -> Result<Bits, Stop> {
        self.clock.look()?;
        let condition = &self.query.conditions[number];
        let field = condition.field.as_deref();
        match &condition.test {
            Test::Match(matcher) => self.matching(number, matcher, field),
            Test::Exists => self.having(field),
            Test::Range(range) => self.within(range, field),
        }
    }

    fn matching(&mut self, condition: usize, matcher: &Matcher, field: Option<&str>) -> Result<Bits, Stop> {
        let (block, mut documents, mut values) = (self.block, self.none(), Vec::new());
        let is_candidate =
            |unit: usize| self.candidates.is_none_or(|known| known.plan.has_unit(condition, known.first_unit + unit));
        if !(0..block.unit_count()).any(is_candidate) {
            return Ok(documents);
        }
        for (number, which) in self.units(field)?.into_iter().filter(|(number, _)| is_candidate(*number)) {
            let unit = block.unit(number)?;
            values.clear();
            self.bytes_read += matcher.scan(&unit, &which, self.room, self.clock, |value| values.push(value as u32))?;
            block.documents_with(number, &values, &mut |word, bits| documents.insert_word(word, bits))?;
        }
        Ok(documents)
    }

    /// The units to search, and which of their values.
    fn units(&self, field: Option<&str>) -> Result<Vec<(usize, UnitValues)>, ReadError> {
        match field {
            None => Ok((0..self.block.unit_count()).map(|unit| (unit, UnitValues::All)).collect()),
            Some(field) => {
                let columns = self.block.columns()?;
                let column = columns.find(field).into_iter();
                Ok(column.map(|column| (columns.unit_of(column), columns.values_of(column))).collect())
            }
        }
    }

    fn column(&self, field: Option<&str>) -> Result<Option<ColumnNo>, ReadError> {
        let columns = self.block.columns()?;
        Ok(field.and_then(|field| columns.find(field)))
    }

    fn having(&self, field: Option<&str>) -> Result<Bits, Stop> {
        let mut documents = self.none();
        if let Some(column) = self.column(field)? {
            self.block.documents_having(column, &mut |word, bits| documents.insert_word(word, bits))?;
        }
        Ok(documents)
    }

    fn within(&mut self, range: &Range, field: Option<&str>) -> Result<Bits, Stop> {
        let (block, mut documents) = (self.block, self.none());
        let Some(column) = self.column(field)? else { return Ok(documents) };
        let (columns, mut values) = (block.columns()?, Vec::new());
        let number = columns.unit_of(column);
        let unit = block.unit(number)?;
        for run in unit.written_runs(&columns.values_of(column)) {
            self.bytes_read += run.bytes().len() as u64;
            for place in 0..run.value_count() {
                self.clock.tick()?;
                let value = std::str::from_utf8(&run.bytes()[run.range(place)]).expect("values are text");
                if range.has(value) {
                    values.push(run.number(place) as u32);
                }
            }
        }
        block.documents_with(number, &values, &mut |word, bits| documents.insert_word(word, bits))?;
        Ok(documents)
    }
}

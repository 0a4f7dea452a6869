//! Which documents of a sealed block a query asks for: sets of documents, combined as the tree says.

use grepzilla_storage::hot::{SealedBlock, Spelling};

use crate::CompiledQuery;
use crate::bits::Bits;
use crate::clock::{Clock, Expired};
use crate::compiled::{Condition, Test, Tree};
use crate::matcher::Matcher;

/// A query on its way through one block.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    query: &'a CompiledQuery,
    block: &'a SealedBlock,
    clock: &'a Clock,
    bytes_read: u64,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(query: &'a CompiledQuery, block: &'a SealedBlock, clock: &'a Clock) -> Evaluation<'a> {
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
        let (block, mut documents) = (self.block, Bits::none(self.block.document_count()));
        for run in block.values(matcher.spelling(), field) {
            self.bytes_read += run.bytes().len() as u64;
            matcher.scan(&run, self.clock, |place| {
                block
                    .documents_of(run.number(place))
                    .iter()
                    .for_each(|document| documents.insert(usize::from(*document)));
            })?;
        }
        Ok(documents)
    }

    /// The documents with a value in a column that passes.
    fn having(&mut self, field: Option<&str>, passes: impl Fn(&str) -> bool) -> Result<Bits, Expired> {
        let (block, mut documents) = (self.block, Bits::none(self.block.document_count()));
        for run in block.values(Spelling::Written, field) {
            self.bytes_read += run.bytes().len() as u64;
            for place in 0..run.value_count() {
                self.clock.tick()?;
                let value = std::str::from_utf8(&run.bytes()[run.range(place)]).expect("values are text");
                if passes(value) {
                    let holders = block.documents_of(run.number(place));
                    holders.iter().for_each(|document| documents.insert(usize::from(*document)));
                }
            }
        }
        Ok(documents)
    }
}

//! A block: documents of one index by column, made once and then only read.
//!
//! A document is its *shape*, which is its JSON text with the leaf values cut out, and its *values*. Shapes are numbered in a table that
//! many blocks share. A path that occurs in the block has a *column*: its distinct values, and for each occurrence the rank of
//! its value, a *code*. The values of one or more columns stand together in a *unit*, which a search reads as a whole. So a search
//! looks at each distinct value once, and at codes only to name documents.
//!
//! ```text
//! {"user":"ann","tags":["a","b"]}        shapes   {"user":␁,"tags":[␁,␁]}   {"user":␁}
//! {"user":"bob"}                         columns  tags: a b                 user: ann bob
//! {"user":"ann","tags":["b","b"]}        codes    tags: 0 1 1 1             user: 0 1 0     shapes: 0 1 0
//! ```
//!
//! A block lives in memory (the hot tier) or in a segment, which reads a part when it is asked for; [`BlockParts`] is what both have.
//! Left to others: which documents count, and which blocks to look at.

mod builder;
mod codes;
mod columns;
mod error;
mod growing;
mod holders;
mod in_memory;
mod shapes;
mod sources;
mod span;
mod stamps;
mod unit;

use std::fmt;
use std::sync::Arc;

use grepzilla_model::{IndexName, TimeNs};

use crate::ReadError;

pub use builder::{BlockBuilder, UnitLayout};
pub use codes::{CodeList, CodeLists, Codes};
pub use columns::{Column, ColumnNo, Columns};
pub use error::Malformed;
pub use shapes::{PathNo, Shape, ShapeInterner, ShapeNo, ShapeTable};
pub use sources::Sources;
pub use span::{Span, Stamp};
pub use stamps::Stamps;
pub use unit::{GROUPS, Spelling, Unit, UnitValues, ValueRun};

use holders::Holders;

/// The most documents of a block: they are numbered by 16 bits.
pub const DOCUMENTS_MAX: usize = 1 << 16;

/// The path of the explicit id.
const ID_PATH: &str = "_id";

/// What is known of a block without reading any part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// Whose documents these are.
    pub index: IndexName,
    /// Their bounds.
    pub span: Span,
    /// When the last of them was received.
    pub received_max: TimeNs,
    /// How many there are: 1 to [`DOCUMENTS_MAX`].
    pub document_count: usize,
    /// The number of units.
    pub unit_count: usize,
    /// The bytes of all documents, an escape in a value being counted as the character that it stands for.
    pub source_bytes: u64,
}

/// Where the parts of a block are. Asked for the same part twice, it gives the same; parts of one block fit together, which their
/// constructors check.
pub trait BlockParts: fmt::Debug + Send + Sync {
    /// A unit by its number, below [`BlockFacts::unit_count`].
    fn unit(&self, unit: usize) -> Result<Arc<Unit>, ReadError>;

    /// The columns, with the table of shapes.
    fn columns(&self) -> Result<Arc<Columns>, ReadError>;

    /// The codes.
    fn codes(&self) -> Result<Arc<Codes>, ReadError>;

    /// The stamps.
    fn stamps(&self) -> Result<Arc<Stamps>, ReadError>;

    /// Bytes of memory that the block holds as long as it lives. A cache accounts for its own.
    fn memory_bytes(&self) -> usize;
}

/// A block that does not change any more. Its documents are numbered in the order of their positions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Block {
    facts: Arc<BlockFacts>,
    parts: Arc<dyn BlockParts>,
}

impl Block {
    /// A block whose parts are at hand or can be read.
    pub fn new(facts: BlockFacts, parts: Arc<dyn BlockParts>) -> Block {
        Block { facts: Arc::new(facts), parts }
    }

    /// What is known without reading.
    pub fn facts(&self) -> &BlockFacts {
        &self.facts
    }

    /// Whose documents these are.
    pub fn index(&self) -> &IndexName {
        &self.facts.index
    }

    /// Their bounds.
    pub fn span(&self) -> Span {
        self.facts.span
    }

    /// When the last of them was received.
    pub fn received_max(&self) -> TimeNs {
        self.facts.received_max
    }

    /// How many there are; at least one, at most 65,536.
    pub fn document_count(&self) -> usize {
        self.facts.document_count
    }

    /// See [`BlockFacts::source_bytes`].
    pub fn source_bytes(&self) -> u64 {
        self.facts.source_bytes
    }

    /// The number of units, whose numbers are local to the block.
    pub fn unit_count(&self) -> usize {
        self.facts.unit_count
    }

    /// A unit.
    pub fn unit(&self, unit: usize) -> Result<Arc<Unit>, ReadError> {
        self.parts.unit(unit)
    }

    /// The columns.
    pub fn columns(&self) -> Result<Arc<Columns>, ReadError> {
        self.parts.columns()
    }

    /// The codes.
    pub fn codes(&self) -> Result<Arc<Codes>, ReadError> {
        self.parts.codes()
    }

    /// The stamps.
    pub fn stamps(&self) -> Result<Arc<Stamps>, ReadError> {
        self.parts.stamps()
    }

    /// Calls `mark` with the documents that hold one of the values of `unit` with these numbers, which ascend: with the number of a
    /// document divided by 64, and a bit for each of the 64 documents from there on. Words and documents may come more than once.
    pub fn documents_with(
        &self,
        unit: usize,
        values: &[u32],
        mark: &mut dyn FnMut(usize, u64),
    ) -> Result<(), ReadError> {
        if values.is_empty() {
            return Ok(());
        }
        let (columns, codes) = (self.columns()?, self.codes()?);
        columns.for_columns_of(unit, values, |column, wanted| {
            Holders::new(&columns, &codes, column).of_codes(wanted, mark);
        });
        Ok(())
    }

    /// Calls `mark` with the documents that have a leaf of the column, as [`Block::documents_with`] does.
    pub fn documents_having(&self, column: ColumnNo, mark: &mut dyn FnMut(usize, u64)) -> Result<(), ReadError> {
        let (columns, codes) = (self.columns()?, self.codes()?);
        Holders::new(&columns, &codes, column).all(mark);
        Ok(())
    }

    /// Reads what it takes to put documents together.
    pub fn sources(&self) -> Result<Sources, ReadError> {
        let units = (0..self.unit_count()).map(|unit| self.unit(unit)).collect::<Result<Vec<_>, ReadError>>()?;
        Ok(Sources::new(self.columns()?, self.codes()?, units))
    }

    /// A document's explicit `_id`.
    pub fn id(&self, document: usize) -> Result<Option<Arc<str>>, ReadError> {
        let columns = self.columns()?;
        let Some(column) = columns.find(ID_PATH) else { return Ok(None) };
        let codes = self.codes()?;
        let Some(code) = Holders::new(&columns, &codes, column).first_code(document) else { return Ok(None) };
        let unit = self.unit(columns.unit_of(column))?;
        let id = String::from_utf8_lossy(unit.value(columns.number(column, code)));
        Ok(Some(id.into()))
    }

    /// Bytes of memory that the block holds as long as it lives.
    pub fn memory_bytes(&self) -> usize {
        size_of::<BlockFacts>() + self.parts.memory_bytes()
    }

    /// Whether the other is the same block, not just an equal one.
    fn is(&self, other: &Block) -> bool {
        Arc::ptr_eq(&self.parts, &other.parts)
    }
}

#[cfg(test)]
mod tests;

//! From open documents to blocks, with a table of shapes for each index that was sealed lately.

use std::collections::HashMap;

use grepzilla_model::IndexName;

use super::OpenDocument;
use crate::block::{Block, BlockBuilder, ShapeInterner, UnitLayout};

/// Seals the blocks of all indexes.
#[derive(Debug)]
pub(super) struct Sealer {
    builder: BlockBuilder,
    tables: HashMap<IndexName, Table>,
    tables_max: usize,
    blocks: u64,
}

/// The shapes of an index.
#[derive(Debug)]
struct Table {
    shapes: ShapeInterner,
    /// The number of the last block that it was used for.
    last_block: u64,
}

impl Sealer {
    /// `tables_max`: of how many indexes the tables are kept; others begin anew. At least 1.
    pub(super) fn new(tables_max: usize) -> Sealer {
        Sealer { builder: BlockBuilder::new(UnitLayout::One), tables: HashMap::new(), tables_max, blocks: 0 }
    }

    /// Seals at least one and at most 65,536 documents of one index.
    pub(super) fn seal<'a>(&mut self, index: &IndexName, documents: impl Iterator<Item = &'a OpenDocument>) -> Block {
        let known = self.tables.remove(index).map(|table| table.shapes).filter(|shapes| !shapes.is_full());
        self.builder.swap_shapes(known.unwrap_or_default());
        for document in documents {
            self.builder.add(document.source(), document.stamp, document.bucket, document.received);
        }
        let block = self.builder.finish(index);
        let shapes = self.builder.swap_shapes(ShapeInterner::default());
        self.keep(index, shapes);
        block
    }

    fn keep(&mut self, index: &IndexName, shapes: ShapeInterner) {
        self.blocks += 1;
        if self.tables.len() == self.tables_max {
            let oldest = self.tables.iter().min_by_key(|(_, table)| table.last_block).map(|(index, _)| index.clone());
            oldest.map(|index| self.tables.remove(&index));
        }
        self.tables.insert(index.clone(), Table { shapes, last_block: self.blocks });
    }
}

//! A block whose documents go into another one: shapes and values are translated once, then moved by number.

use std::sync::Arc;

use grepzilla_model::document::skeleton::{TEXT_HOLE, WORD_HOLE};

use super::gather::Gather;
use crate::ReadError;
use crate::block::sources::Cursor;
use crate::block::{Block, ColumnNo, Columns, ShapeInterner, ShapeNo, Stamps, Unit};

/// Not translated yet.
const UNKNOWN: u32 = u32::MAX;

/// The block, and what is known of its numbers in the other one.
#[derive(Debug)]
pub(super) struct Incoming {
    block: Block,
    columns: Arc<Columns>,
    units: Vec<Arc<Unit>>,
    stamps: Arc<Stamps>,
    cursor: Cursor,
    /// For each shape of the block, by its place there, its number in the other table and the bytes of a document besides its values.
    shapes: Vec<Option<(ShapeNo, u64)>>,
    /// For each column and code the number of the gathered value.
    values: Vec<Vec<u32>>,
}

impl Incoming {
    pub(super) fn new(block: &Block) -> Result<Incoming, ReadError> {
        let (columns, codes) = (block.columns()?, block.codes()?);
        let units = (0..block.unit_count()).map(|unit| block.unit(unit)).collect::<Result<Vec<_>, ReadError>>()?;
        let codes_of = |column| vec![UNKNOWN; columns.value_count(ColumnNo(column)) as usize];
        Ok(Incoming {
            block: block.clone(),
            stamps: block.stamps()?,
            units,
            shapes: vec![None; codes.shapes().len()],
            values: (0..columns.len() as u32).map(codes_of).collect(),
            cursor: Cursor::new(Arc::clone(&columns), codes),
            columns,
        })
    }

    pub(super) fn is_of(&self, block: &Block) -> bool {
        self.block.is(block)
    }

    pub(super) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// The other block begins anew: it has no values yet, but the same table.
    pub(super) fn forget_values(&mut self) {
        self.values.iter_mut().for_each(|values| values.fill(UNKNOWN));
    }

    /// Gives a document to what is gathered; gives the bytes of its source.
    pub(super) fn add(&mut self, document: usize, shapes: &mut ShapeInterner, gather: &mut Gather) -> u64 {
        self.cursor.seek(document);
        let skeleton = self.columns.shapes().shape(self.cursor.shape()).expect("checked with the codes").skeleton();
        let (shape, mut bytes) = *self.shapes[self.cursor.place_of_shape()].get_or_insert_with(|| {
            let shape = shapes.intern(skeleton.as_bytes()).expect("the skeleton is one of a table");
            (shape, bytes_besides_values(skeleton))
        });
        let place = gather.place_of(shape, shapes.table());
        gather.add_by(place, |gather, other| {
            let (column, code) = self.cursor.next();
            let number = self.columns.number(column, code);
            let text = self.units[self.columns.unit_of(column)].value(number);
            bytes += text.len() as u64;
            let known = &mut self.values[column.0 as usize][code as usize];
            if *known == UNKNOWN {
                *known = gather.value_number(other, text);
            }
            *known
        });
        bytes
    }
}

/// What a document has besides its values, quotes included.
fn bytes_besides_values(skeleton: &str) -> u64 {
    let extra = |byte: u8| match byte {
        TEXT_HOLE => 2,
        WORD_HOLE => 0,
        _ => 1,
    };
    skeleton.bytes().map(extra).sum()
}

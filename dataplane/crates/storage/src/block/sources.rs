//! The documents of a block, put together on demand.

mod cursor;

use std::sync::Arc;

use grepzilla_model::document::skeleton::put_together;

use super::{Codes, Columns, Unit};

pub(super) use cursor::Cursor;

/// Puts documents of one block together. Fastest when they are asked for in ascending order.
#[derive(Debug)]
pub struct Sources {
    cursor: Cursor,
    units: Vec<Arc<Unit>>,
}

impl Sources {
    /// `units`: all of the block.
    pub(super) fn new(columns: Arc<Columns>, codes: Arc<Codes>, units: Vec<Arc<Unit>>) -> Sources {
        Sources { cursor: Cursor::new(columns, codes), units }
    }

    /// A document as it was stored, but for the spelling of escapes in values, which is the shortest.
    pub fn source(&mut self, document: usize) -> String {
        self.cursor.seek(document);
        let columns = Arc::clone(self.cursor.columns());
        let shape = columns.shapes().shape(self.cursor.shape()).expect("checked when the codes were made");
        let mut source = Vec::with_capacity(2 * shape.skeleton().len());
        let next = || {
            let (column, code) = self.cursor.next();
            self.units[columns.unit_of(column)].value(columns.number(column, code))
        };
        put_together(shape.skeleton(), next, &mut source);
        String::from_utf8(source).expect("skeleton and values are text")
    }
}

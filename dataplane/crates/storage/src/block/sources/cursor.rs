//! A walk over the documents of a block that knows the next occurrence of every path.

use std::sync::Arc;

use crate::block::{Codes, ColumnNo, Columns, ShapeNo};

/// Stands before a document, or among its holes.
#[derive(Debug)]
pub(in super::super) struct Cursor {
    columns: Arc<Columns>,
    codes: Arc<Codes>,
    /// For each shape of the block the column of each hole.
    holes: Vec<Box<[ColumnNo]>>,
    /// For each column the occurrences before the hole.
    before: Vec<u32>,
    document: usize,
    hole: usize,
}

impl Cursor {
    /// Before the first document.
    pub(in super::super) fn new(columns: Arc<Columns>, codes: Arc<Codes>) -> Cursor {
        const CHECKED: &str = "checked when the codes were made";
        let column_of = columns.by_path();
        let table = columns.shapes();
        let holes_of = |shape: &ShapeNo| {
            let paths = table.shape(*shape).expect(CHECKED).paths();
            paths.iter().map(|path| column_of[path.0 as usize].expect(CHECKED)).collect()
        };
        let holes = codes.shapes().iter().map(holes_of).collect();
        let before = vec![0; columns.len()];
        Cursor { columns, codes, holes, before, document: 0, hole: 0 }
    }

    pub(in super::super) fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// Goes to the first hole of a document.
    pub(in super::super) fn seek(&mut self, document: usize) {
        let shapes = self.codes.document_shapes();
        if self.hole > 0 {
            let holes = &self.holes[shapes.get(self.document) as usize];
            holes[self.hole..].iter().for_each(|column| self.before[column.0 as usize] += 1);
            (self.document, self.hole) = (self.document + 1, 0);
        }
        if document < self.document {
            self.before.fill(0);
            self.document = 0;
        }
        // Documents of one shape are passed by at once, because a block has few shapes.
        let mut passed = vec![0; self.holes.len()];
        (self.document..document).for_each(|document| passed[shapes.get(document) as usize] += 1);
        for (holes, passed) in self.holes.iter().zip(passed).filter(|(_, passed)| *passed > 0) {
            holes.iter().for_each(|column| self.before[column.0 as usize] += passed);
        }
        self.document = document;
    }

    /// The shape of the document.
    pub(in super::super) fn shape(&self) -> ShapeNo {
        self.codes.shapes()[self.place_of_shape()]
    }

    /// The place of the document's shape among those of the block.
    pub(in super::super) fn place_of_shape(&self) -> usize {
        self.codes.document_shapes().get(self.document) as usize
    }

    /// The column and the code of the hole, of which there is one; goes past it.
    pub(in super::super) fn next(&mut self) -> (ColumnNo, u32) {
        let column = self.holes[self.place_of_shape()][self.hole];
        let before = &mut self.before[column.0 as usize];
        let code = self.codes.column(column).get(*before as usize);
        *before += 1;
        self.hole += 1;
        (column, code)
    }
}

//! From the occurrences of a path to the documents that have them.

use super::{Codes, ColumnNo, Columns};

/// The way of one column: occurrences are numbered in the order of documents, and a document has as many as its shape has holes.
pub(super) struct Holders<'a> {
    columns: &'a Columns,
    codes: &'a Codes,
    column: ColumnNo,
}

impl<'a> Holders<'a> {
    pub(super) fn new(columns: &'a Columns, codes: &'a Codes, column: ColumnNo) -> Holders<'a> {
        Holders { columns, codes, column }
    }

    /// Calls `mark` with the documents that have one of these codes, which ascend: 64 documents at a time, see [`Block::documents_with`].
    ///
    /// [`Block::documents_with`]: super::Block::documents_with
    pub(super) fn of_codes(&self, codes: &[u32], mark: &mut dyn FnMut(usize, u64)) {
        let list = self.codes.column(self.column);
        if self.columns.is_dense(self.column) {
            return list.words_of(codes, mark);
        }
        let (counts, shapes) = (self.counts(), self.codes.document_shapes());
        let (mut document, mut end) = (0, counts[shapes.get(0) as usize]);
        list.positions_of(codes, |occurrence| {
            while end <= occurrence {
                document += 1;
                end += counts[shapes.get(document) as usize];
            }
            mark(document / 64, 1 << (document % 64));
        });
    }

    /// Calls `mark` with the documents that have the path.
    pub(super) fn all(&self, mark: &mut dyn FnMut(usize, u64)) {
        let counts = self.counts();
        self.codes.document_shapes().each(|document, shape| {
            if counts[shape as usize] > 0 {
                mark(document / 64, 1 << (document % 64));
            }
        });
    }

    /// The code of the first occurrence in a document.
    pub(super) fn first_code(&self, document: usize) -> Option<u32> {
        let list = self.codes.column(self.column);
        if self.columns.is_dense(self.column) {
            return Some(list.get(document));
        }
        let (counts, shapes) = (self.counts(), self.codes.document_shapes());
        let before: usize = (0..document).map(|document| counts[shapes.get(document) as usize]).sum();
        (counts[shapes.get(document) as usize] > 0).then(|| list.get(before))
    }

    /// For each shape of the block the number of holes with the column's path.
    fn counts(&self) -> Vec<usize> {
        let (table, path) = (self.columns.shapes(), self.columns.path_no(self.column));
        let count = |shape| table.shape(shape).map_or(0, |shape| shape.count(path) as usize);
        self.codes.shapes().iter().map(|shape| count(*shape)).collect()
    }
}

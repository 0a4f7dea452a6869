//! Which value each occurrence of a path has, and which shape each document.
//!
//! For each column a list of codes, in the order of documents and within a document of holes. A code is the rank of a value in its column,
//! so a search compares small numbers. Lists lie one behind the other in one buffer, little-endian, one, two or four bytes a
//! code as the number of values asks for; a list of one value, and a list that is each value once in order, take no bytes.

mod list;

use super::{ColumnNo, Columns, Malformed, ShapeNo};

pub use list::{CodeList, CodeLists};

/// The codes of a block.
#[derive(Debug)]
pub struct Codes {
    /// The shapes that its documents have; a document's code is the place of its shape here.
    shapes: Box<[ShapeNo]>,
    document_count: usize,
    /// The documents' shapes, then one list for each column.
    lists: CodeLists,
}

impl Codes {
    /// From the distinct shapes of the block's documents, and as lists the place of each document's shape among them, then the codes of each
    /// column. All is checked against the columns and the table, so that what is made of it is right or `Malformed`.
    pub fn new(columns: &Columns, shapes: Vec<ShapeNo>, lists: CodeLists) -> Result<Codes, Malformed> {
        let check = |holds, expected| Malformed::unless(holds, "the codes", expected);
        check(lists.len() == columns.len() + 1, "a list for each column")?;
        let document_count = lists.get(0).len();
        check(document_count > 0 && document_count <= super::DOCUMENTS_MAX, "1 to 65,536 documents")?;
        check(lists.get(0).fits(shapes.len() as u32), "shapes that there are")?;
        let codes = Codes { shapes: shapes.into(), document_count, lists };
        let numbers = || (0..columns.len() as u32).map(ColumnNo);
        check(numbers().all(|column| codes.column(column).fits(columns.value_count(column))), "values that there are")?;
        codes.check_occurrences(columns)?;
        Ok(codes)
    }

    /// The same from what is known to be right.
    pub(super) fn trusted(shapes: Vec<ShapeNo>, lists: CodeLists) -> Codes {
        Codes { shapes: shapes.into(), document_count: lists.get(0).len(), lists }
    }

    /// The number of documents.
    pub fn document_count(&self) -> usize {
        self.document_count
    }

    /// The codes of a column, one for each occurrence of its path.
    pub fn column(&self, column: ColumnNo) -> CodeList<'_> {
        self.lists.get(column.0 as usize + 1)
    }

    /// For each document the place of its shape in [`Codes::shapes`].
    pub fn document_shapes(&self) -> CodeList<'_> {
        self.lists.get(0)
    }

    /// The shapes that the documents have.
    pub fn shapes(&self) -> &[ShapeNo] {
        &self.shapes
    }

    /// The lists as they are given to [`Codes::new`].
    pub fn lists(&self) -> &CodeLists {
        &self.lists
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Codes>() + size_of_val(&*self.shapes) + self.lists.memory_bytes()
    }

    /// Whether each list has as many codes as its path has holes in all documents.
    fn check_occurrences(&self, columns: &Columns) -> Result<(), Malformed> {
        let check = |holds, expected| Malformed::unless(holds, "the codes", expected);
        let table = columns.shapes();
        let column_of = columns.by_path();
        let mut documents = vec![0u64; self.shapes.len()];
        self.document_shapes().each(|_, shape| documents[shape as usize] += 1);
        let mut occurrences = vec![0u64; columns.len()];
        let mut last_shape = vec![usize::MAX; columns.len()];
        let mut is_dense = vec![true; columns.len()];
        let mut dense_documents = vec![0u64; columns.len()];
        for (place, (shape, documents)) in self.shapes.iter().zip(documents).enumerate() {
            let shape = table.shape(*shape);
            check(shape.is_some(), "shapes of the table")?;
            for path in shape.into_iter().flat_map(|shape| shape.paths()) {
                let column = column_of[path.0 as usize].map(|column| column.0 as usize);
                check(column.is_some(), "a column for each path")?;
                let Some(column) = column else { continue };
                occurrences[column] += documents;
                is_dense[column] &= last_shape[column] != place;
                dense_documents[column] += documents;
                last_shape[column] = place;
            }
        }
        for (number, column) in (0..columns.len() as u32).map(ColumnNo).enumerate() {
            check(occurrences[number] == self.column(column).len() as u64, "a code for each hole")?;
            let is_dense = is_dense[number] && dense_documents[number] == self.document_count as u64;
            check(is_dense == columns.is_dense(column), "dense columns where there are")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! The shape tables of a segment: blocks of the hot tier share tables that go on growing, and those of merged segments have
//! others, so each block's shapes and paths get the numbers that they have in this segment.

use grepzilla_model::IndexName;

use crate::block::{Codes, Columns, PathNo, ShapeInterner, ShapeNo, ShapeTable};

/// Tables that grow.
#[derive(Debug, Default)]
pub(super) struct ShapeTables {
    tables: Vec<(IndexName, ShapeInterner)>,
}

/// The numbers of one block's shapes and paths in the segment.
#[derive(Debug)]
pub(super) struct Numbers {
    /// The shape table.
    pub(super) table: u32,
    /// For each shape of the block.
    pub(super) shapes: Vec<ShapeNo>,
    /// By the number that the path has in the block's own table.
    paths: Vec<Option<PathNo>>,
}

impl Numbers {
    pub(super) fn path(&self, path: PathNo) -> PathNo {
        self.paths[path.0 as usize].expect("every column's path is in a shape of the block")
    }
}

impl ShapeTables {
    pub(super) fn renumber(&mut self, index: &IndexName, columns: &Columns, codes: &Codes) -> Numbers {
        let place = self.place(index);
        let interner = &mut self.tables[place].1;
        let own = columns.shapes();
        let (mut shapes, mut paths) = (Vec::with_capacity(codes.shapes().len()), vec![None; own.path_count()]);
        for shape in codes.shapes() {
            let shape = own.shape(*shape).expect("a block's shapes are in its table");
            let number = interner.intern(shape.skeleton().as_bytes()).expect("the skeleton was good in its own table");
            let renumbered = interner.table().shape(number).expect("it was numbered just now");
            for (path, number) in shape.paths().iter().zip(renumbered.paths()) {
                paths[path.0 as usize] = Some(*number);
            }
            shapes.push(number);
        }
        Numbers { table: place as u32, shapes, paths }
    }

    /// The table that an index's blocks go to. A full one is followed by another, so that a reader of one block need not
    /// read what thousands of others have.
    fn place(&mut self, index: &IndexName) -> usize {
        let place = self.tables.iter().rposition(|(name, interner)| name == index && !interner.is_full());
        place.unwrap_or_else(|| {
            self.tables.push((index.clone(), ShapeInterner::default()));
            self.tables.len() - 1
        })
    }

    /// All tables in the order of their numbers.
    pub(super) fn into_tables(self) -> impl Iterator<Item = (IndexName, std::sync::Arc<ShapeTable>)> {
        self.tables.into_iter().map(|(index, interner)| (index, std::sync::Arc::clone(interner.table())))
    }
}

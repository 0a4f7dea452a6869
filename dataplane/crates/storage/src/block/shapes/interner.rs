//! The growing side of a table: gives each skeleton its number.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use grepzilla_model::document::skeleton::BrokenSkeleton;
use hashbrown::HashTable;

use super::{PathNo, Shape, ShapeNo, ShapeTable, hole_paths};

/// A table with more shapes is not used for new blocks.
const SHAPES_MAX: usize = 4_096;

/// A table of more bytes is not used for new blocks.
const BYTES_MAX: usize = 4 << 20;

/// Grows a table. The only one who does.
#[derive(Debug, Default)]
pub struct ShapeInterner {
    table: Arc<ShapeTable>,
    hasher: RandomState,
    by_skeleton: HashTable<ShapeNo>,
    by_path: HashTable<PathNo>,
    /// The paths in the order of their texts, as many as there were when they were last asked for.
    in_order: Vec<PathNo>,
    memory_bytes: usize,
}

impl ShapeInterner {
    /// The number of a skeleton, now and from then on.
    pub fn intern(&mut self, skeleton: &[u8]) -> Result<ShapeNo, BrokenSkeleton> {
        let hash = self.hasher.hash_one(skeleton);
        let is_same = |shape: &ShapeNo| skeleton_of(&self.table, *shape) == skeleton;
        match self.by_skeleton.find(hash, is_same) {
            Some(shape) => Ok(*shape),
            None => self.add(skeleton, hash),
        }
    }

    /// The table, for those who read.
    pub fn table(&self) -> &Arc<ShapeTable> {
        &self.table
    }

    /// Whether new blocks should begin another table, because this one has grown too large to be held for the sake of a few blocks.
    pub fn is_full(&self) -> bool {
        self.table.shape_count() > SHAPES_MAX || self.memory_bytes > BYTES_MAX
    }

    /// Bytes of memory of the table.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// All paths in the order of their texts.
    pub(in super::super) fn paths_in_order(&mut self) -> &[PathNo] {
        let (known, total) = (self.in_order.len(), self.table.path_count());
        if known < total {
            self.in_order.extend((known..total).map(|path| PathNo(path as u32)));
            // The sorting notices that most of it is in order.
            self.in_order.sort_by(|one, other| self.table.path(*one).cmp(&self.table.path(*other)));
        }
        &self.in_order
    }

    /// The table alone.
    pub(super) fn into_table(self) -> ShapeTable {
        Arc::into_inner(self.table).expect("nobody else has the table yet")
    }

    fn add(&mut self, skeleton: &[u8], hash: u64) -> Result<ShapeNo, BrokenSkeleton> {
        let broken = |error: std::str::Utf8Error| BrokenSkeleton { offset: error.valid_up_to() };
        let skeleton = std::str::from_utf8(skeleton).map_err(broken)?;
        let mut paths = Vec::new();
        // Checked first, so that a broken skeleton leaves no paths behind.
        hole_paths(skeleton, |_| {})?;
        hole_paths(skeleton, |path| paths.push(self.path(path)))?;
        self.memory_bytes += size_of::<Shape>() + skeleton.len() + size_of_val(&*paths) + 2 * size_of::<ShapeNo>();
        let shape = Shape { skeleton: skeleton.into(), paths: paths.into() };
        let number = ShapeNo(u32::try_from(self.table.shapes.push(shape)).expect("the list counts by u32"));
        let (table, hasher) = (&self.table, &self.hasher);
        self.by_skeleton.insert_unique(hash, number, |shape| hasher.hash_one(skeleton_of(table, *shape)));
        Ok(number)
    }

    fn path(&mut self, text: &str) -> PathNo {
        let (table, hasher) = (&self.table, &self.hasher);
        let text_of = |path: &PathNo| table.path(*path).expect("the path was numbered here");
        let hash = hasher.hash_one(text);
        if let Some(path) = self.by_path.find(hash, |path| text_of(path) == text) {
            return *path;
        }
        self.memory_bytes += size_of::<Box<str>>() + text.len() + 3 * size_of::<PathNo>();
        let path = PathNo(u32::try_from(table.paths.push(text.into())).expect("the list counts by u32"));
        self.by_path.insert_unique(hash, path, |path| hasher.hash_one(text_of(path)));
        path
    }
}

fn skeleton_of(table: &ShapeTable, shape: ShapeNo) -> &[u8] {
    table.shape(shape).expect("the shape was numbered here").skeleton.as_bytes()
}

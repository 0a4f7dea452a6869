//! The shapes and paths that the blocks of one index share.
//!
//! A shape is the skeleton of a document with the path of each of its holes. Shapes and paths are numbered in the order in which they
//! were first seen, a shape's new paths in the order of its holes; so the skeletons in order say everything, and a table is kept
//! on disk as nothing else. A table only grows: a block holds on to it and reads the numbers that it knows, while others are added.

mod interner;

use grepzilla_model::document::skeleton::hole_paths;

use super::Malformed;
use super::growing::GrowingList;

pub use interner::ShapeInterner;

/// The number of a path in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathNo(pub u32);

/// The number of a shape in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShapeNo(pub u32);

/// A document without its values.
#[derive(Debug)]
pub struct Shape {
    skeleton: Box<str>,
    /// By hole.
    paths: Box<[PathNo]>,
}

impl Shape {
    /// The text with a byte for each hole: see [`grepzilla_model::document::skeleton`].
    pub fn skeleton(&self) -> &str {
        &self.skeleton
    }

    /// The path of each hole, in order.
    pub fn paths(&self) -> &[PathNo] {
        &self.paths
    }

    /// How many holes have this path.
    pub(super) fn count(&self, path: PathNo) -> u32 {
        self.paths.iter().map(|found| u32::from(*found == path)).sum()
    }
}

/// Shapes and paths by number.
#[derive(Debug, Default)]
pub struct ShapeTable {
    paths: GrowingList<Box<str>>,
    shapes: GrowingList<Shape>,
}

impl ShapeTable {
    /// The table of these skeletons, which are distinct and in order.
    pub fn from_skeletons<'a>(skeletons: impl IntoIterator<Item = &'a str>) -> Result<ShapeTable, Malformed> {
        let mut interner = ShapeInterner::default();
        for (position, skeleton) in skeletons.into_iter().enumerate() {
            let shape = interner.intern(skeleton.as_bytes()).ok();
            let is_next = shape.is_some_and(|shape| shape.0 as usize == position);
            Malformed::unless(is_next, "the shape table", "well-formed and distinct skeletons")?;
        }
        Ok(interner.into_table())
    }

    /// A path's text; `None` for a number that nothing has.
    pub fn path(&self, path: PathNo) -> Option<&str> {
        self.paths.get(path.0 as usize).map(|path| &**path)
    }

    /// The number of paths.
    pub fn path_count(&self) -> usize {
        self.paths.len()
    }

    /// A shape; `None` for a number that nothing has.
    pub fn shape(&self, shape: ShapeNo) -> Option<&Shape> {
        self.shapes.get(shape.0 as usize)
    }

    /// The number of shapes.
    pub fn shape_count(&self) -> usize {
        self.shapes.len()
    }

    /// All shapes in order.
    pub fn shapes(&self) -> impl Iterator<Item = &Shape> {
        (0..self.shape_count()).filter_map(|number| self.shapes.get(number))
    }
}

#[cfg(test)]
mod tests;

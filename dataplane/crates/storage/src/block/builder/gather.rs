//! The values of a block's documents: columns, their distinct values, and the value of each occurrence, in order of appearance.
//!
//! Documents of one index resemble each other, so the value that the column had last is tried before anything is hashed.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use grepzilla_model::fold::fold_into;
use hashbrown::HashTable;

use crate::block::unit::group;
use crate::block::{PathNo, ShapeNo, ShapeTable};

/// No column, no place, no value.
const NONE: u32 = u32::MAX;

/// What was gathered.
#[derive(Debug, Default)]
pub(super) struct Gather {
    hasher: RandomState,
    /// The shapes of the block; the column of each of their holes.
    shapes: Vec<LocalShape>,
    /// For each shape of the table its place in `shapes`.
    place_of_shape: Vec<u32>,
    /// The place of each document's shape.
    document_shapes: Vec<u32>,
    columns: Vec<Gathered>,
    /// The columns in use; the others are kept for their room.
    column_count: usize,
    /// For each path of the table its column.
    column_of_path: Vec<u32>,
    values: Vec<Value>,
    by_text: HashTable<u32>,
    /// The texts of the values, one behind the other.
    texts: Vec<u8>,
    /// Room for a folding.
    folding: String,
}

#[derive(Debug)]
struct LocalShape {
    shape: ShapeNo,
    columns: Box<[u32]>,
}

/// A column.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) path: PathNo,
    last_value: u32,
    /// The value of each occurrence.
    pub(super) occurrences: Vec<u32>,
}

/// A distinct value of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    start: u32,
    end: u32,
    pub(super) column: u32,
    pub(super) group: u8,
}

impl Gather {
    /// Forgets everything but the room for it.
    pub(super) fn clear(&mut self) {
        self.shapes.drain(..).for_each(|local| self.place_of_shape[local.shape.0 as usize] = NONE);
        self.columns[..self.column_count].iter().for_each(|column| self.column_of_path[column.path.0 as usize] = NONE);
        self.column_count = 0;
        self.document_shapes.clear();
        self.values.clear();
        self.by_text.clear();
        self.texts.clear();
    }

    /// The place of a shape among those of the block.
    pub(super) fn place_of(&mut self, shape: ShapeNo, table: &ShapeTable) -> u32 {
        match self.place_of_shape.get(shape.0 as usize) {
            Some(place) if *place != NONE => *place,
            _ => self.new_shape(shape, table),
        }
    }

    /// Takes the values of the next document in, one for each hole of the shape at a place.
    pub(super) fn add<'a>(&mut self, place: u32, mut leaves: impl Iterator<Item = &'a [u8]>) {
        self.add_by(place, |gather, column| {
            gather.value_number(column, leaves.next().expect("a document has a value for each hole"))
        });
    }

    /// The same of values whose numbers are given for each hole's column.
    pub(super) fn add_by(&mut self, place: u32, mut value_of: impl FnMut(&mut Gather, u32) -> u32) {
        self.document_shapes.push(place);
        let shapes = std::mem::take(&mut self.shapes);
        for column in &shapes[place as usize].columns {
            let value = value_of(self, *column);
            self.columns[*column as usize].occurrences.push(value);
        }
        self.shapes = shapes;
    }

    /// The number of a value of a column.
    pub(super) fn value_number(&mut self, column: u32, text: &[u8]) -> u32 {
        let last = self.columns[column as usize].last_value;
        if self.values.get(last as usize).is_some_and(|last| self.text(last) == text) {
            return last;
        }
        let hash = hash_of(&self.hasher, column, text);
        let is_same = |value: &u32| {
            let value = &self.values[*value as usize];
            value.column == column && self.text(value) == text
        };
        let found = self.by_text.find(hash, is_same).copied();
        let value = found.unwrap_or_else(|| self.new_value(column, text, hash));
        self.columns[column as usize].last_value = value;
        value
    }

    /// The places of the shapes of the documents.
    pub(super) fn document_shapes(&self) -> &[u32] {
        &self.document_shapes
    }

    /// The shapes of the block by place.
    pub(super) fn shapes(&self) -> impl Iterator<Item = (ShapeNo, &[u32])> {
        self.shapes.iter().map(|local| (local.shape, &*local.columns))
    }

    pub(super) fn columns(&self) -> &[Gathered] {
        &self.columns[..self.column_count]
    }

    /// The column of a path, if it occurs.
    pub(super) fn column_of(&self, path: PathNo) -> Option<u32> {
        self.column_of_path.get(path.0 as usize).copied().filter(|column| *column != NONE)
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(super) fn text(&self, value: &Value) -> &[u8] {
        &self.texts[value.start as usize..value.end as usize]
    }

    fn new_shape(&mut self, shape: ShapeNo, table: &ShapeTable) -> u32 {
        let place = self.shapes.len() as u32;
        let paths = table.shape(shape).expect("the shape is of the table").paths();
        let columns = paths.iter().map(|path| self.column(*path)).collect();
        self.shapes.push(LocalShape { shape, columns });
        set(&mut self.place_of_shape, shape.0, place);
        place
    }

    fn column(&mut self, path: PathNo) -> u32 {
        if let Some(column) = self.column_of(path) {
            return column;
        }
        let column = self.column_count;
        match self.columns.get_mut(column) {
            Some(room) => {
                (room.path, room.last_value) = (path, NONE);
                room.occurrences.clear();
            }
            None => self.columns.push(Gathered { path, last_value: NONE, occurrences: Vec::new() }),
        }
        self.column_count += 1;
        set(&mut self.column_of_path, path.0, column as u32);
        column as u32
    }

    fn new_value(&mut self, column: u32, text: &[u8], hash: u64) -> u32 {
        const SMALL: &str = "a block is far smaller than 4 GiB";
        let number = u32::try_from(self.values.len()).expect(SMALL);
        let start = u32::try_from(self.texts.len()).expect(SMALL);
        self.texts.extend_from_slice(text);
        let end = u32::try_from(self.texts.len()).expect(SMALL);
        let group = self.group_of(text) as u8;
        self.values.push(Value { start, end, column, group });
        let (hasher, values, texts) = (&self.hasher, &self.values, &self.texts);
        self.by_text.insert_unique(hash, number, |value| {
            let value = &values[*value as usize];
            hash_of(hasher, value.column, &texts[value.start as usize..value.end as usize])
        });
        number
    }

    fn group_of(&mut self, text: &[u8]) -> usize {
        if text.is_ascii() {
            return group(true, has_ascii_uppercase(text));
        }
        self.folding.clear();
        fold_into(std::str::from_utf8(text).expect("values are text"), &mut self.folding);
        group(false, self.folding.as_bytes() != text)
    }
}

/// Sets an entry of a list that is as long as it must be.
fn set(list: &mut Vec<u32>, position: u32, entry: u32) {
    let position = position as usize;
    if list.len() <= position {
        list.resize(position + 1, NONE);
    }
    list[position] = entry;
}

/// Looks at many bytes at once, which `any` does not.
fn has_ascii_uppercase(text: &[u8]) -> bool {
    let in_chunk = |chunk: &[u8]| chunk.iter().fold(false, |found, byte| found | byte.is_ascii_uppercase());
    let (chunks, rest) = text.as_chunks::<16>();
    chunks.iter().any(|chunk| in_chunk(chunk)) || in_chunk(rest)
}

fn hash_of(hasher: &RandomState, column: u32, text: &[u8]) -> u64 {
    let mut hash = hasher.build_hasher();
    hash.write_u32(column);
    hash.write(text);
    hash.finish()
}

//! The leaves of a block's documents: columns, their distinct values, and who holds them, in order of appearance.
//!
//! Documents of one index resemble each other, so before anything is hashed the column that followed last time and the value that the
//! column had last are tried.

use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use grepzilla_model::document::walk_leaves;
use hashbrown::HashTable;

/// What was gathered.
#[derive(Debug, Default)]
pub(super) struct Gather {
    hasher: RandomState,
    columns: Vec<Column>,
    columns_by_path: HashTable<u32>,
    values: Vec<Value>,
    values_by_text: HashTable<u32>,
    /// The texts of the values, one behind the other.
    texts: String,
    /// Value and document, by document.
    holdings: Vec<(u32, u16)>,
}

#[derive(Debug)]
struct Column {
    path: String,
    /// The column that followed the last time.
    next: u32,
    last_value: Option<u32>,
}

#[derive(Debug)]
struct Value {
    column: u32,
    start: u32,
    end: u32,
    holder_count: u32,
    last_holder: Option<u16>,
}

impl Gather {
    /// Forgets everything but the room for it.
    pub(super) fn clear(&mut self) {
        self.columns.clear();
        self.columns_by_path.clear();
        self.values.clear();
        self.values_by_text.clear();
        self.texts.clear();
        self.holdings.clear();
    }

    /// Takes the leaves of the next document in.
    pub(super) fn add(&mut self, document: u16, source: &str) {
        let mut previous = None;
        walk_leaves(source, |path, text| {
            let column = self.column_number(previous, path);
            previous = Some(column);
            let value = self.value_number(column, text);
            self.hold(value, document);
            ControlFlow::Continue(())
        });
    }

    /// The rank of each column by its path.
    pub(super) fn column_ranks(&self) -> Vec<usize> {
        let columns = &self.columns;
        let mut by_path: Vec<usize> = (0..columns.len()).collect();
        by_path.sort_unstable_by(|one, other| columns[*one].path.cmp(&columns[*other].path));
        let mut ranks = vec![0; columns.len()];
        for (rank, column) in by_path.into_iter().enumerate() {
            ranks[column] = rank;
        }
        ranks
    }

    pub(super) fn path(&self, column: usize) -> &str {
        &self.columns[column].path
    }

    pub(super) fn value_count(&self) -> usize {
        self.values.len()
    }

    pub(super) fn value_text(&self, value: usize) -> &str {
        self.text(&self.values[value])
    }

    pub(super) fn column_of(&self, value: usize) -> usize {
        self.values[value].column as usize
    }

    /// In how many documents a value is.
    pub(super) fn holder_count(&self, value: usize) -> usize {
        self.values[value].holder_count as usize
    }

    /// Each value with each of its documents, documents ascending.
    pub(super) fn holdings(&self) -> impl Iterator<Item = (usize, u16)> {
        self.holdings.iter().map(|(value, document)| (*value as usize, *document))
    }

    fn text(&self, value: &Value) -> &str {
        &self.texts[value.start as usize..value.end as usize]
    }

    fn column_number(&mut self, previous: Option<u32>, path: &str) -> u32 {
        let expected = previous.map_or(0, |column| self.columns[column as usize].next);
        if self.columns.get(expected as usize).is_some_and(|column| column.path == path) {
            return expected;
        }
        let (hasher, columns) = (&self.hasher, &mut self.columns);
        let hash = hasher.hash_one(path);
        let is_same = |column: &u32| columns[*column as usize].path == path;
        let found = match self.columns_by_path.find(hash, is_same) {
            Some(column) => *column,
            None => {
                let column = columns.len() as u32;
                columns.push(Column { path: path.to_owned(), next: 0, last_value: None });
                let rehash = |column: &u32| hasher.hash_one(columns[*column as usize].path.as_str());
                self.columns_by_path.insert_unique(hash, column, rehash);
                column
            }
        };
        if let Some(previous) = previous {
            columns[previous as usize].next = found;
        }
        found
    }

    fn value_number(&mut self, column: u32, text: &str) -> u32 {
        let last = self.columns[column as usize].last_value;
        if let Some(last) = last.filter(|last| self.text(&self.values[*last as usize]) == text) {
            return last;
        }
        let hash = hash_of(&self.hasher, column, text);
        let is_same = |value: &u32| {
            let value = &self.values[*value as usize];
            value.column == column && self.text(value) == text
        };
        let found = self.values_by_text.find(hash, is_same).copied();
        let value = found.unwrap_or_else(|| self.new_value(column, text, hash));
        self.columns[column as usize].last_value = Some(value);
        value
    }

    fn new_value(&mut self, column: u32, text: &str, hash: u64) -> u32 {
        let (number, start) = (self.values.len() as u32, self.texts.len() as u32);
        self.texts.push_str(text);
        let end = u32::try_from(self.texts.len()).expect("a block is far smaller than 4 GiB");
        self.values.push(Value { column, start, end, holder_count: 0, last_holder: None });
        let (hasher, values, texts) = (&self.hasher, &self.values, &self.texts);
        self.values_by_text.insert_unique(hash, number, |value| {
            let value = &values[*value as usize];
            hash_of(hasher, value.column, &texts[value.start as usize..value.end as usize])
        });
        number
    }

    fn hold(&mut self, value: u32, document: u16) {
        let entry = &mut self.values[value as usize];
        // An array may hold a value twice.
        if entry.last_holder != Some(document) {
            entry.last_holder = Some(document);
            entry.holder_count += 1;
            self.holdings.push((value, document));
        }
    }
}

fn hash_of(hasher: &RandomState, column: u32, text: &str) -> u64 {
    let mut hash = hasher.build_hasher();
    hash.write_u32(column);
    hash.write(text.as_bytes());
    hash.finish()
}

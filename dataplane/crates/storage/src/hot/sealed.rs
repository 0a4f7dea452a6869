//! A full block: its distinct values by column, the documents of each value, and the sources, compressed.

use std::ops::Range;
use std::sync::Arc;

use grepzilla_model::IndexName;

use super::dictionary::{Dictionary, GROUPS};
use super::{Span, Spelling, Stamp, ValueRun};

/// A block that does not change any more. Its documents are numbered in order of arrival.
#[derive(Debug)]
pub struct SealedBlock {
    pub(super) index: IndexName,
    pub(super) span: Span,
    pub(super) stamps: Box<[Stamp]>,
    /// Explicit ids by document; empty when no document has one.
    pub(super) ids: Box<[Option<Arc<str>>]>,
    pub(super) columns: Columns,
    pub(super) dictionary: Dictionary,
    pub(super) postings: Postings,
    pub(super) frame: SourceFrame,
}

impl SealedBlock {
    /// Whose documents these are.
    pub fn index(&self) -> &IndexName {
        &self.index
    }

    /// Their bounds.
    pub fn span(&self) -> Span {
        self.span
    }

    /// How many there are; at least one, at most 65,536.
    pub fn document_count(&self) -> usize {
        self.stamps.len()
    }

    /// Where a document stands.
    pub fn stamp(&self, document: usize) -> Stamp {
        self.stamps[document]
    }

    /// A document's explicit `_id`.
    pub fn id(&self, document: usize) -> Option<&Arc<str>> {
        self.ids.get(document).and_then(Option::as_ref)
    }

    /// The distinct values of the leaf path `field`, or of all; empty runs are left out.
    pub fn values<'a>(&'a self, spelling: Spelling, field: Option<&str>) -> impl Iterator<Item = ValueRun<'a>> {
        let numbers = match field {
            None => self.dictionary.groups(),
            Some(path) => self.columns.values_of(path),
        };
        let runs = numbers.into_iter().enumerate().filter(|(_, numbers)| !numbers.is_empty());
        runs.map(move |(group, numbers)| self.dictionary.run(group, numbers, spelling))
    }

    /// The documents, ascending and each once, that hold the value of this number.
    pub fn documents_of(&self, number: usize) -> &[u16] {
        self.postings.of(number)
    }

    /// Unpacks the sources of the block.
    pub fn sources(&self) -> Sources<'_> {
        Sources { text: self.frame.unpack(), ends: &self.frame.ends }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        let ids: usize = self.ids.iter().flatten().map(|id| id.len() + 2 * size_of::<usize>()).sum();
        let fixed = size_of::<SealedBlock>() + size_of_val(&*self.stamps) + size_of_val(&*self.ids) + ids;
        let parts = self.columns.memory_bytes() + self.dictionary.memory_bytes() + self.postings.memory_bytes();
        (fixed + parts + self.frame.memory_bytes()) as u64
    }
}

/// The leaf paths of a block, ascending, and where the values of each stand.
#[derive(Debug)]
pub(super) struct Columns {
    /// All paths, one behind the other.
    pub(super) paths: Box<str>,
    /// Where each path ends in `paths`.
    pub(super) path_ends: Box<[u32]>,
    /// For each column, and once more behind the last, the number of its first value in each group.
    pub(super) starts: Box<[[u32; GROUPS]]>,
}

impl Columns {
    fn values_of(&self, path: &str) -> [Range<usize>; GROUPS] {
        match self.find(path) {
            Some(column) => {
                let (starts, ends) = (self.starts[column], self.starts[column + 1]);
                std::array::from_fn(|group| starts[group] as usize..ends[group] as usize)
            }
            None => std::array::from_fn(|_| 0..0),
        }
    }

    fn find(&self, path: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.path_ends.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.path(middle).cmp(path) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn path(&self, column: usize) -> &str {
        let start = if column == 0 { 0 } else { self.path_ends[column - 1] as usize };
        &self.paths[start..self.path_ends[column] as usize]
    }

    fn memory_bytes(&self) -> usize {
        self.paths.len() + size_of_val(&*self.path_ends) + size_of_val(&*self.starts)
    }
}

/// For each value the documents that hold it. The inverse of a code per document and of the same size, but what a search
/// touches are the documents of the values that match, not all documents of a column.
#[derive(Debug)]
pub(super) struct Postings {
    /// Where each value's documents begin, and once more where the last one's end.
    pub(super) starts: Box<[u32]>,
    pub(super) documents: Box<[u16]>,
}

impl Postings {
    fn of(&self, number: usize) -> &[u16] {
        &self.documents[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.documents)
    }
}

/// The sources one behind the other as one zstd frame.
#[derive(Debug)]
pub(super) struct SourceFrame {
    pub(super) packed: Box<[u8]>,
    /// Where each document ends in the unpacked text.
    pub(super) ends: Box<[u32]>,
}

impl SourceFrame {
    fn unpack(&self) -> String {
        let len = self.ends.last().map_or(0, |end| *end as usize);
        let bytes = zstd::bulk::decompress(&self.packed, len).expect("the frame was packed in this memory");
        String::from_utf8(bytes).expect("text was packed")
    }

    fn memory_bytes(&self) -> usize {
        self.packed.len() + size_of_val(&*self.ends)
    }
}

/// The unpacked sources of a block.
#[derive(Debug)]
pub struct Sources<'a> {
    text: String,
    ends: &'a [u32],
}

impl Sources<'_> {
    /// A document as it was stored.
    pub fn source(&self, document: usize) -> &str {
        let start = if document == 0 { 0 } else { self.ends[document - 1] as usize };
        &self.text[start..self.ends[document] as usize]
    }

    /// The bytes that were unpacked.
    pub fn bytes_total(&self) -> usize {
        self.text.len()
    }
}

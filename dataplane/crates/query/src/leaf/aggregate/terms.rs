//! Documents by the values of a field, each document once for each different value that it has there.
//!
//! Counts are exact unless the different values take more memory than [`TERMS_BYTES_MAX`]; then values that come later are not told
//! apart, and how many they may be is said. What is sent to the root is cut in the same honest way.

use std::collections::HashMap;
use std::ops::ControlFlow;

use grepzilla_model::document::walk_leaves;
use grepzilla_storage::ReadError;
use grepzilla_storage::block::{Block, Codes, ColumnNo, Columns};

use crate::bits::Bits;

/// The memory for the different values of one shard, in bytes.
pub const TERMS_BYTES_MAX: usize = 64 << 20;

/// The most values that one shard answers.
pub const TERMS_SENT_MAX: usize = 50_000;

/// The most bytes of values that one shard answers.
const TERMS_SENT_BYTES_MAX: usize = 4 << 20;

/// What a value takes beside its text.
const TERM_BYTES: usize = 48;

/// A value and how many documents have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermCount {
    /// The value as written.
    pub term: String,
    /// How many documents have it.
    pub count: u64,
}

/// The values of one shard, the most frequent first, ties by text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The values.
    pub counts: Vec<TermCount>,
    /// How many more documents than is said a value may have; 0: the counts are exact.
    pub unseen_max: u64,
    /// How many documents, besides `unseen_max`, a value may have that is not there; 0: all are there.
    pub omitted_max: u64,
}

/// Counts by value.
#[derive(Debug)]
pub(super) struct TermTable {
    field: String,
    counts: HashMap<Box<str>, u64>,
    bytes: usize,
    unseen: u64,
}

impl TermTable {
    pub(super) fn new(field: &str) -> TermTable {
        TermTable { field: field.to_owned(), counts: HashMap::new(), bytes: 0, unseen: 0 }
    }

    pub(super) fn add_block(&mut self, block: &Block, documents: &Bits) -> Result<(), ReadError> {
        let columns = block.columns()?;
        let Some(column) = columns.find(&self.field) else { return Ok(()) };
        let codes = block.codes()?;
        let unit = block.unit(columns.unit_of(column))?;
        let counts = counts_by_code(&columns, &codes, column, documents);
        for (code, count) in (0..).zip(counts).filter(|(_, count)| *count > 0) {
            let value = unit.value(columns.number(column, code));
            self.add(std::str::from_utf8(value).expect("values are text"), u64::from(count));
        }
        Ok(())
    }

    pub(super) fn add_open(&mut self, source: &str) {
        let (field, mut values) = (std::mem::take(&mut self.field), Vec::new());
        walk_leaves(source, |path, value| {
            if path == field && !values.iter().any(|seen| seen == value) {
                values.push(value.to_owned());
            }
            ControlFlow::Continue(())
        });
        self.field = field;
        values.iter().for_each(|value| self.add(value, 1));
    }

    pub(super) fn merge(&mut self, other: TermTable) {
        self.unseen += other.unseen;
        other.counts.iter().for_each(|(term, count)| self.add(term, *count));
    }

    fn add(&mut self, term: &str, count: u64) {
        if let Some(counted) = self.counts.get_mut(term) {
            *counted += count;
        } else if self.bytes + term.len() + TERM_BYTES <= TERMS_BYTES_MAX {
            self.bytes += term.len() + TERM_BYTES;
            self.counts.insert(term.into(), count);
        } else {
            self.unseen += count;
        }
    }

    pub(super) fn finish(self) -> Terms {
        let mut counts: Vec<(Box<str>, u64)> = self.counts.into_iter().collect();
        counts.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let mut bytes = 0;
        let fits = |(term, _): &&(Box<str>, u64)| {
            bytes += term.len();
            bytes <= TERMS_SENT_BYTES_MAX
        };
        let kept = counts.iter().take(TERMS_SENT_MAX).take_while(fits).count();
        let omitted_max = counts.get(kept).map_or(0, |(_, count)| *count);
        counts.truncate(kept);
        let counts = counts.into_iter().map(|(term, count)| TermCount { term: term.into(), count }).collect();
        Terms { counts, unseen_max: self.unseen, omitted_max }
    }
}

/// How many of the documents have the value of each code.
fn counts_by_code(columns: &Columns, codes: &Codes, column: ColumnNo, documents: &Bits) -> Vec<u32> {
    let mut counts = vec![0; columns.value_count(column) as usize];
    let list = codes.column(column);
    if columns.is_dense(column) {
        documents.iter().for_each(|document| counts[list.get(document) as usize] += 1);
        return counts;
    }
    let (shapes, path) = (columns.shapes(), columns.path_no(column));
    let holes_of =
        |shape| shapes.shape(shape).map_or(0, |shape| shape.paths().iter().filter(|of| **of == path).count());
    let holes: Vec<usize> = codes.shapes().iter().map(|shape| holes_of(*shape)).collect();
    // For each value the last document that it was counted for, plus one.
    let mut counted = vec![0; counts.len()];
    let mut next = 0;
    codes.document_shapes().each(|document, shape| {
        let first = next;
        next += holes[shape as usize];
        if documents.contains(document) {
            for occurrence in first..next {
                let code = list.get(occurrence) as usize;
                if counted[code] != document + 1 {
                    counted[code] = document + 1;
                    counts[code] += 1;
                }
            }
        }
    });
    counts
}

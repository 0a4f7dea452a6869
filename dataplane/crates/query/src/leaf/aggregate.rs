//! What is counted of the documents that match: by time, and by the values of a field.

mod histogram;
mod terms;

use grepzilla_storage::block::{Block, Stamp};

use super::stop::Stop;
use crate::bits::Bits;

pub use histogram::{BUCKETS_MAX, Histogram};
pub use terms::{TERMS_BYTES_MAX, TERMS_SENT_MAX, TermCount, Terms};

use terms::TermTable;

/// What is to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aggregations<'a> {
    /// Documents by time: the length of a bucket in nanoseconds, which is positive.
    pub histogram: Option<i64>,
    /// Documents by the values at this path.
    pub terms: Option<&'a str>,
}

impl Aggregations<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.histogram.is_none() && self.terms.is_none()
    }
}

/// What has been counted.
#[derive(Debug)]
pub(super) struct Aggregates {
    histogram: Option<Histogram>,
    terms: Option<TermTable>,
}

impl Aggregates {
    pub(super) fn new(asked: &Aggregations<'_>) -> Aggregates {
        Aggregates { histogram: asked.histogram.map(Histogram::new), terms: asked.terms.map(TermTable::new) }
    }

    /// Counts documents of a block.
    pub(super) fn add_block(&mut self, block: &Block, documents: &Bits) -> Result<(), Stop> {
        if let Some(histogram) = &mut self.histogram {
            let stamps = block.stamps()?;
            documents.iter().for_each(|document| histogram.add(stamps.times()[document]));
        }
        match &mut self.terms {
            Some(terms) if !documents.is_empty() => Ok(terms.add_block(block, documents)?),
            _ => Ok(()),
        }
    }

    /// Counts an open document.
    pub(super) fn add_open(&mut self, stamp: Stamp, source: &str) {
        if let Some(histogram) = &mut self.histogram {
            histogram.add(stamp.time);
        }
        if let Some(terms) = &mut self.terms {
            terms.add_open(source);
        }
    }

    /// Takes over what another part of the same search counted.
    pub(super) fn merge(&mut self, other: Aggregates) {
        if let (Some(histogram), Some(other)) = (&mut self.histogram, other.histogram) {
            histogram.merge(other);
        }
        if let (Some(terms), Some(other)) = (&mut self.terms, other.terms) {
            terms.merge(other);
        }
    }

    pub(super) fn finish(self) -> (Option<Histogram>, Option<Terms>) {
        (self.histogram, self.terms.map(TermTable::finish))
    }
}

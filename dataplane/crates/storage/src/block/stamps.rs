//! Where the documents of a block stand: time, position, term and bucket of each.

use grepzilla_model::{Bucket, Epoch, SeqNo, TimeNs};

use super::{Malformed, Span, Stamp};

/// The stamps of a block's documents, by document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamps {
    times: Box<[TimeNs]>,
    seqs: Box<[SeqNo]>,
    buckets: Box<[Bucket]>,
    /// The first document of each term and the term, ascending.
    epochs: Box<[(u32, Epoch)]>,
}

impl Stamps {
    /// Of at least one document: as many times, positions and buckets, positions ascending without repetition, and for each run of
    /// documents with one term its first document and the term, the first run beginning with document 0.
    pub fn new(
        times: Vec<TimeNs>,
        seqs: Vec<SeqNo>,
        buckets: Vec<Bucket>,
        epochs: Vec<(u32, Epoch)>,
    ) -> Result<Stamps, Malformed> {
        let check = |holds, expected| Malformed::unless(holds, "the stamps", expected);
        check(!times.is_empty() && times.len() <= super::DOCUMENTS_MAX, "1 to 65,536 documents")?;
        check(times.len() == seqs.len() && times.len() == buckets.len(), "the same number of each")?;
        check(seqs.is_sorted_by(|one, next| one < next), "ascending positions")?;
        check(epochs.first().is_some_and(|(document, _)| *document == 0), "the term of the first document")?;
        check(epochs.is_sorted_by(|one, next| one.0 < next.0), "ascending terms")?;
        check(epochs.last().is_some_and(|(document, _)| (*document as usize) < times.len()), "terms of documents")?;
        Ok(Stamps { times: times.into(), seqs: seqs.into(), buckets: buckets.into(), epochs: epochs.into() })
    }

    /// The number of documents.
    pub fn document_count(&self) -> usize {
        self.times.len()
    }

    /// Where a document stands.
    pub fn stamp(&self, document: usize) -> Stamp {
        Stamp { time: self.times[document], seq: self.seqs[document], epoch: self.epoch(document) }
    }

    /// Where a document belongs.
    pub fn bucket(&self, document: usize) -> Bucket {
        self.buckets[document]
    }

    /// The document at a position.
    pub fn find(&self, seq: SeqNo) -> Option<usize> {
        self.seqs.binary_search(&seq).ok()
    }

    /// The times by document.
    pub fn times(&self) -> &[TimeNs] {
        &self.times
    }

    /// The positions by document, ascending.
    pub fn seqs(&self) -> &[SeqNo] {
        &self.seqs
    }

    /// The buckets by document.
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// The first document of each run of documents with one term, and the term.
    pub fn epochs(&self) -> &[(u32, Epoch)] {
        &self.epochs
    }

    /// The bounds of all documents.
    pub fn span(&self) -> Span {
        let bounds = || {
            self.times
                .iter()
                .fold((TimeNs(i64::MAX), TimeNs(i64::MIN)), |(min, max), time| (min.min(*time), max.max(*time)))
        };
        let (time_min, time_max) = bounds();
        Span { time_min, time_max, seq_min: self.seqs[0], seq_max: self.seqs[self.seqs.len() - 1] }
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.times) + size_of_val(&*self.seqs) + size_of_val(&*self.buckets) + size_of_val(&*self.epochs)
    }

    fn epoch(&self, document: usize) -> Epoch {
        let run = self.epochs.partition_point(|(first, _)| *first as usize <= document);
        self.epochs[run - 1].1
    }
}

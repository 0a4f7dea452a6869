//! Which documents of the hot tier, or of one segment, were superseded, and at which position.

use std::collections::BTreeMap;
use std::ops::Bound;

use grepzilla_model::SeqNo;
use parking_lot::RwLock;

/// Notes of superseded documents. They are only ever added, and one that is added later is of a later position than any
/// view that was taken before, so views share them.
#[derive(Debug, Default)]
pub(crate) struct Superseded {
    notes: RwLock<BTreeMap<SeqNo, SeqNo>>,
}

impl Superseded {
    /// Notes that the document at `seq` was superseded at `by`. The first note of a document counts. Answers whether this
    /// is it.
    pub(crate) fn note(&self, seq: SeqNo, by: SeqNo) -> bool {
        debug_assert!(seq < by, "a newer version comes later");
        let mut notes = self.notes.write();
        let len = notes.len();
        notes.entry(seq).or_insert(by);
        notes.len() > len
    }

    /// Where the document at `seq` was superseded.
    pub(crate) fn at(&self, seq: SeqNo) -> Option<SeqNo> {
        self.notes.read().get(&seq).copied()
    }

    /// Whether any document from `first` to `last` was.
    pub(crate) fn any_in(&self, first: SeqNo, last: SeqNo) -> bool {
        self.notes.read().range(first..=last).next().is_some()
    }

    /// How many were.
    pub(crate) fn len(&self) -> usize {
        self.notes.read().len()
    }

    /// Copies of the notes of documents up to `upto`, and of those behind it.
    pub(crate) fn split(&self, upto: SeqNo) -> (Superseded, Superseded) {
        let notes = self.notes.read();
        let copied = |range: (Bound<SeqNo>, Bound<SeqNo>)| {
            let notes = notes.range(range).map(|(seq, by)| (*seq, *by)).collect();
            Superseded { notes: RwLock::new(notes) }
        };
        let upto_it = copied((Bound::Unbounded, Bound::Included(upto)));
        (upto_it, copied((Bound::Excluded(upto), Bound::Unbounded)))
    }

    /// The documents that were superseded at `upto` or before, by position.
    pub(crate) fn noted_by(&self, upto: SeqNo) -> Vec<(SeqNo, SeqNo)> {
        let notes = self.notes.read();
        notes.iter().filter(|(_, by)| **by <= upto).map(|(seq, by)| (*seq, *by)).collect()
    }
}

impl FromIterator<(SeqNo, SeqNo)> for Superseded {
    fn from_iter<I: IntoIterator<Item = (SeqNo, SeqNo)>>(notes: I) -> Superseded {
        Superseded { notes: RwLock::new(notes.into_iter().collect()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_note_of_a_document_counts_and_splitting_loses_none() {
        let superseded = Superseded::default();
        for (seq, by) in [(3, 5), (3, 9), (5, 9), (7, 8)] {
            superseded.note(SeqNo(seq), SeqNo(by));
        }
        assert_eq!((superseded.at(SeqNo(3)), superseded.at(SeqNo(4))), (Some(SeqNo(5)), None));
        assert!(superseded.any_in(SeqNo(4), SeqNo(5)) && !superseded.any_in(SeqNo(4), SeqNo(4)));
        assert_eq!(superseded.noted_by(SeqNo(8)), [(SeqNo(3), SeqNo(5)), (SeqNo(7), SeqNo(8))]);
        let (before, behind) = superseded.split(SeqNo(5));
        assert_eq!((before.len(), behind.len()), (2, 1));
        assert_eq!(behind.at(SeqNo(7)), Some(SeqNo(8)));
    }
}

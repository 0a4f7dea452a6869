//! Which documents of the hot tier, or of one segment, were superseded, and at which position.

use std::collections::BTreeMap;

use grepzilla_model::SeqNo;
use parking_lot::RwLock;

/// Notes of superseded documents. They are only ever added, and one that is added later is of a later position than any
/// view that was taken before, so views share them.
#[derive(Debug, Default)]
pub(crate) struct Superseded {
    notes: RwLock<BTreeMap<SeqNo, SeqNo>>,
}

impl Superseded {
    /// Notes that the document at `seq` was superseded at `by`. The first time that it was counts.
    pub(crate) fn note(&self, seq: SeqNo, by: SeqNo) {
        debug_assert!(seq < by, "a newer version comes later");
        let mut notes = self.notes.write();
        let first = notes.entry(seq).or_insert(by);
        *first = by.min(*first);
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

    /// How many were at a position up to this one.
    pub(crate) fn count_upto(&self, upto: SeqNo) -> usize {
        self.notes.read().values().filter(|by| **by <= upto).count()
    }

    /// The notes of documents from `first` to `last`.
    pub(crate) fn within(&self, first: SeqNo, last: SeqNo) -> BTreeMap<SeqNo, SeqNo> {
        self.notes.read().range(first..=last).map(|(seq, by)| (*seq, *by)).collect()
    }

    /// A copy of the notes of documents behind a position.
    pub(crate) fn behind(&self, upto: SeqNo) -> Superseded {
        self.within(upto.plus(1), SeqNo(u64::MAX)).into_iter().collect()
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
    fn the_first_time_that_a_document_was_superseded_counts_and_a_copy_loses_none() {
        let superseded = Superseded::default();
        for (seq, by) in [(3, 9), (3, 5), (3, 7), (5, 9), (7, 8)] {
            superseded.note(SeqNo(seq), SeqNo(by));
        }
        assert_eq!((superseded.at(SeqNo(3)), superseded.at(SeqNo(4))), (Some(SeqNo(5)), None));
        assert!(superseded.any_in(SeqNo(4), SeqNo(5)) && !superseded.any_in(SeqNo(4), SeqNo(4)));
        assert_eq!(superseded.within(SeqNo(3), SeqNo(5)).len(), 2);
        let behind = superseded.behind(SeqNo(5));
        assert_eq!((behind.len(), behind.at(SeqNo(7)), superseded.len()), (1, Some(SeqNo(8)), 3));
    }
}

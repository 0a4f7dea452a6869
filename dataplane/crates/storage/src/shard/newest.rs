//! The newest version of each explicit `_id` whose record no segment holds yet.

use foldhash::fast::FixedState;
use grepzilla_model::{IndexName, RecordKind, SeqNo};
use hashbrown::HashMap;
use xxhash_rust::xxh3::Xxh3;

/// The last record with an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) seq: SeqNo,
    pub(super) kind: RecordKind,
}

/// Those of the hot tier. By a hash of 128 bits: two ids with one hash are not to be expected before the end of time.
#[derive(Debug, Default)]
pub(super) struct NewestIds {
    by_hash: HashMap<u128, Newest, FixedState>,
}

impl NewestIds {
    /// Puts a record in the place of the one before, which it answers.
    pub(super) fn replace(&mut self, index: &IndexName, id: &str, newest: Newest) -> Option<Newest> {
        self.by_hash.insert(hash(index, id), newest)
    }

    /// The last record with an id.
    pub(super) fn find(&self, index: &IndexName, id: &str) -> Option<Newest> {
        self.by_hash.get(&hash(index, id)).copied()
    }

    /// Forgets what a segment holds.
    pub(super) fn forget_upto(&mut self, upto: SeqNo) {
        self.by_hash.retain(|_, newest| newest.seq > upto);
    }
}

fn hash(index: &IndexName, id: &str) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(index.as_str().as_bytes());
    // The separator cannot occur in an index name.
    hasher.update(&[0]);
    hasher.update(id.as_bytes());
    hasher.digest128()
}

//! What a shard holds, and which versions of it count: the same whether a record comes from a client or from the log.

use std::sync::Arc;

use grepzilla_model::{Batch, Epoch, IndexName, Record, RecordKind, SeqNo, ShardId};
use parking_lot::Mutex;

use super::newest::{Newest, NewestIds};
use crate::hot::{HotOptions, HotStats, HotTier};
use crate::view::{StoredDocument, Superseded, View};

/// The hot tier and the versions of its documents. Locks are taken in the order of the fields.
#[derive(Debug)]
pub(super) struct Contents {
    ids: Mutex<NewestIds>,
    shown: Mutex<Shown>,
    hot: HotTier,
}

/// What a view is made of, beside the hot tier. Held while the two change together.
#[derive(Debug, Default)]
struct Shown {
    hot_superseded: Arc<Superseded>,
}

impl Contents {
    pub(super) fn new(shard: ShardId, options: HotOptions) -> Contents {
        Contents { ids: Mutex::default(), shown: Mutex::default(), hot: HotTier::new(shard, options) }
    }

    /// Makes a batch visible, all at once; called in order, by one thread.
    pub(super) fn add(&self, epoch: Epoch, first: SeqNo, batch: Batch) {
        // A note that is made before the batch is visible is of a position that no view has reached.
        let mut ids = self.ids.lock();
        for (seq, record) in (first.0..).map(SeqNo).zip(&batch.records) {
            self.supersede(&mut ids, seq, record);
        }
        self.hot.insert(epoch, first, batch.received, batch.records);
    }

    fn supersede(&self, ids: &mut NewestIds, seq: SeqNo, record: &Record) {
        let Some(id) = &record.id else { return };
        let before = ids.replace(&record.index, id, Newest { seq, kind: record.kind });
        if let Some(Newest { seq: before, kind: RecordKind::Put }) = before {
            self.shown.lock().hot_superseded.note(before, seq);
        }
    }

    /// One moment.
    pub(super) fn view(&self) -> View {
        let shown = self.shown.lock();
        View::new(self.hot.view(), Arc::clone(&shown.hot_superseded))
    }

    /// The newest version of a document.
    pub(super) fn get(&self, index: &IndexName, id: &str) -> Option<StoredDocument> {
        let (newest, view) = {
            let ids = self.ids.lock();
            (ids.find(index, id), self.view())
        };
        match newest {
            Some(Newest { seq, kind: RecordKind::Put }) => view.document(seq),
            Some(Newest { kind: RecordKind::Tombstone, .. }) | None => None,
        }
    }

    /// The document at a position, if it is the newest version.
    pub(super) fn get_at(&self, epoch: Epoch, seq: SeqNo) -> Option<StoredDocument> {
        let view = self.view();
        let found = view.document(seq).filter(|found| found.stamp.epoch == epoch);
        found.filter(|_| !view.is_superseded(seq, view.upto()))
    }

    pub(super) fn hot_stats(&self) -> HotStats {
        self.hot.stats()
    }

    /// How many documents are superseded.
    pub(super) fn superseded(&self) -> usize {
        self.shown.lock().hot_superseded.len()
    }
}

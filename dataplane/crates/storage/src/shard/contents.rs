//! What a shard holds, and which versions of it count: the same whether a record comes from a client or from the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use grepzilla_model::{Batch, Epoch, IndexName, Record, RecordKind, SegmentEntry, SeqNo};
use parking_lot::Mutex;

use super::damage::Damage;
use super::list::{LiveSegment, SegmentList};
use super::newest::{Newest, NewestIds};
use super::options::ShardOptions;
use super::retention::Hidden;
use crate::ReadError;
use crate::block::Block;
use crate::hot::{HotStats, HotTier};
use crate::replica::ReplicaFolder;
use crate::segment::Segment;
use crate::view::{StoredDocument, Superseded, View, newest_in};

/// The hot tier, the segments, and the versions of their documents. Locks are taken in the order of the fields.
#[derive(Debug)]
pub(super) struct Contents {
    ids: Mutex<NewestIds>,
    shown: Mutex<Shown>,
    hot: HotTier,
    /// Whether a segment is missing; it never stops being so.
    is_damaged: AtomicBool,
    folder: Arc<ReplicaFolder>,
}

/// What a view is made of, beside the hot tier. Held while the two change together.
#[derive(Debug, Default)]
struct Shown {
    hot_superseded: Arc<Superseded>,
    list: Arc<SegmentList>,
    hidden: Arc<Hidden>,
}

/// A segment that is to count.
#[derive(Debug)]
pub(super) struct NewSegment {
    pub(super) segment: Arc<Segment>,
    pub(super) entry: SegmentEntry,
    /// Documents known to be superseded, by position; more than it holds do no harm.
    pub(super) notes: Vec<(SeqNo, SeqNo)>,
}

impl Contents {
    pub(super) fn new(folder: Arc<ReplicaFolder>, options: &ShardOptions) -> Contents {
        let hot = HotTier::new(folder.owner().shard, options.hot.clone());
        let hidden = Arc::new(Hidden::new(Arc::clone(&options.retention), options.cursor_ttl));
        let shown = Mutex::new(Shown { hidden, ..Shown::default() });
        Contents { ids: Mutex::default(), shown, hot, is_damaged: AtomicBool::new(false), folder }
    }

    /// Makes a batch visible, all at once; called in order, by one thread. A segment in which an older version might stand
    /// and that cannot be read is not shown any more, so that no older version is seen beside a newer one.
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
        let before = match ids.replace(&record.index, id, Newest { seq, kind: record.kind }) {
            Some(Newest { seq: before, kind: RecordKind::Put }) => Some(before),
            Some(Newest { kind: RecordKind::Tombstone, .. }) => None,
            None => self.newest_flushed(&record.index, id),
        };
        if let Some(before) = before {
            self.shown.lock().notes_of(before).note(before, seq);
        }
    }

    /// The newest version of an id that segments hold. What cannot be asked is not shown any more.
    fn newest_flushed(&self, index: &IndexName, id: &str) -> Option<SeqNo> {
        loop {
            match newest_in(&self.list(), index, id) {
                Ok(found) => return found,
                Err(error) => self.leave_out(&error),
            }
        }
    }

    /// Leaves the segment that could not be read out of all later views, and the shard is only read from now on. Nothing
    /// happens if it is not shown any more.
    fn leave_out(&self, error: &ReadError) {
        let mut shown = self.shown.lock();
        let Some(rest) = shown.list.without(error) else { return };
        shown.list = Arc::new(rest);
        self.is_damaged.store(true, Ordering::Release);
        drop(shown);
        match error {
            ReadError::Corrupt(corruption) => self.folder.set_segment_aside(corruption),
            // It may be readable after a restart.
            ReadError::Disk(_) => {
                tracing::error!(shard = %self.folder.owner().shard, reason = error.reason(), "a segment cannot be read and is left out");
            }
        }
    }

    /// Takes note of a segment that could not be read. One that is damaged is set aside and left out of all later views; a
    /// disk that did not answer may do so the next time.
    pub(super) fn distrust(&self, error: &ReadError) {
        match error {
            ReadError::Corrupt(_) => self.leave_out(error),
            ReadError::Disk(_) => {}
        }
    }

    /// Says what could not be opened. It is left out of what is shown from now on.
    pub(super) fn lack(&self, damage: Vec<Damage>) {
        if !damage.is_empty() {
            let mut shown = self.shown.lock();
            shown.list = Arc::new(shown.list.with_damage(damage));
            self.is_damaged.store(true, Ordering::Release);
        }
    }

    /// Whether a segment is missing.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Acquire)
    }

    /// One moment.
    pub(super) fn view(&self) -> View {
        let shown = self.shown.lock();
        let hidden = Arc::clone(&shown.hidden);
        View::new(self.hot.view(), Arc::clone(&shown.hot_superseded), Arc::clone(&shown.list), hidden)
    }

    /// What retention hides.
    pub(super) fn hidden(&self) -> Arc<Hidden> {
        Arc::clone(&self.shown.lock().hidden)
    }

    /// Hides more.
    pub(super) fn hide(&self, hidden: Hidden) {
        self.shown.lock().hidden = Arc::new(hidden);
    }

    /// The segments of this moment.
    pub(super) fn list(&self) -> Arc<SegmentList> {
        Arc::clone(&self.shown.lock().list)
    }

    /// The newest version of a document, as far as nothing is missing.
    pub(super) fn get(&self, index: &IndexName, id: &str) -> Result<Option<StoredDocument>, ReadError> {
        self.read_on(|| self.get_once(index, id))
    }

    /// The document at a position, if it is the newest version.
    pub(super) fn get_at(&self, epoch: Epoch, seq: SeqNo) -> Result<Option<StoredDocument>, ReadError> {
        self.read_on(|| self.get_at_once(epoch, seq))
    }

    /// Reads again without what turns out to be damaged.
    fn read_on<T>(&self, read: impl Fn() -> Result<T, ReadError>) -> Result<T, ReadError> {
        loop {
            match read() {
                Err(error @ ReadError::Corrupt(_)) => self.distrust(&error),
                done => return done,
            }
        }
    }

    fn get_once(&self, index: &IndexName, id: &str) -> Result<Option<StoredDocument>, ReadError> {
        let (newest, view) = {
            let ids = self.ids.lock();
            (ids.find(index, id), self.view())
        };
        let seq = match newest {
            Some(Newest { seq, kind: RecordKind::Put }) => Some(seq),
            Some(Newest { kind: RecordKind::Tombstone, .. }) => None,
            None => view.newest_in_segments(index, id)?.filter(|seq| !view.is_superseded(*seq, view.upto())),
        };
        seq.map_or(Ok(None), |seq| view.document(seq))
    }

    fn get_at_once(&self, epoch: Epoch, seq: SeqNo) -> Result<Option<StoredDocument>, ReadError> {
        let view = self.view();
        if view.is_superseded(seq, view.upto()) {
            return Ok(None);
        }
        Ok(view.document(seq)?.filter(|found| found.stamp.epoch == epoch))
    }

    /// Closes the blocks of the hot tier. Called between two batches. Answers the last position of one.
    pub(super) fn cut(&self) -> SeqNo {
        self.hot.cut()
    }

    /// The blocks of the hot tier up to the position of a cut.
    pub(super) fn sealed_upto(&self, upto: SeqNo) -> Vec<Block> {
        self.hot.sealed_upto(upto)
    }

    /// Where blocks are sealed.
    pub(super) fn hot(&self) -> &HotTier {
        &self.hot
    }

    /// Where documents from `first` to `last` were superseded up to the position `upto`.
    pub(super) fn notes(&self, first: SeqNo, last: SeqNo, upto: SeqNo) -> BTreeMap<SeqNo, SeqNo> {
        let shown = self.shown.lock();
        shown.notes(first, last).into_iter().filter(|(_, by)| *by <= upto).collect()
    }

    /// Shows other segments from now on; they hold what lies behind `base` up to `flushed`, but for documents `dropped`,
    /// which ascend.
    /// In the same moment the hot tier lets go of what they hold.
    pub(super) fn show(&self, base: SeqNo, flushed: SeqNo, segments: Vec<NewSegment>, dropped: &[SeqNo]) {
        let mut shown = self.shown.lock();
        let damage = Arc::clone(shown.list.damage());
        let is_whole = |new: &NewSegment| damage.iter().all(|damage| damage.segment != new.entry.name);
        let live = segments.into_iter().filter(is_whole).map(|new| shown.live(new, dropped)).collect();
        if flushed > shown.list.flushed() {
            shown.hot_superseded = Arc::new(shown.hot_superseded.behind(flushed));
            self.hot.let_go(flushed);
        }
        shown.list = Arc::new(SegmentList::new(base, flushed, live, &damage));
        drop(shown);
        self.ids.lock().forget_upto(flushed);
    }

    pub(super) fn hot_stats(&self) -> HotStats {
        self.hot.stats()
    }

    /// How many documents are superseded.
    pub(super) fn superseded(&self) -> usize {
        let shown = self.shown.lock();
        shown.hot_superseded.len() + shown.list.live().iter().map(|live| live.superseded.len()).sum::<usize>()
    }
}

impl Shown {
    /// Where a note about the document at `seq` belongs.
    fn notes_of(&self, seq: SeqNo) -> &Superseded {
        self.list.at(seq).map_or(&*self.hot_superseded, |live| &*live.superseded)
    }

    fn notes(&self, first: SeqNo, last: SeqNo) -> BTreeMap<SeqNo, SeqNo> {
        let mut notes = self.hot_superseded.within(first, last);
        for live in self.list.within(first, last) {
            notes.append(&mut live.superseded.within(first, last));
        }
        notes
    }

    /// A segment with what is known of its documents. One that counted before keeps its notes, which views share.
    fn live(&self, new: NewSegment, dropped: &[SeqNo]) -> LiveSegment {
        let NewSegment { segment, entry, notes } = new;
        let superseded = match self.list.at(entry.name.first).filter(|live| live.entry.name == entry.name) {
            Some(live) => Arc::clone(&live.superseded),
            None => {
                let mut notes = self.notes(entry.name.first, entry.name.last);
                notes.retain(|seq, _| dropped.binary_search(seq).is_err());
                Arc::new(Superseded::from_iter(notes))
            }
        };
        for (seq, by) in notes {
            superseded.note(seq, by);
        }
        LiveSegment { segment, superseded, entry }
    }
}

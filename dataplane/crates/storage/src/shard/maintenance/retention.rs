//! Retention: the oldest segments go when they are too old or there is too much.

use grepzilla_model::TimeNs;

use super::files::{names, same};
use super::{Maintenance, Retained};
use crate::MaintenanceError;
use crate::block::Block;
use crate::shard::list::LiveSegment;

impl Maintenance {
    /// See [`Shard::retain`](crate::Shard::retain).
    pub(in crate::shard) fn retain(&self, now: TimeNs) -> Result<Option<Retained>, MaintenanceError> {
        let mut work = self.begin()?;
        work.now = now;
        let list = self.contents.list();
        let blocks: Vec<&Block> = list.handles().iter().flat_map(|segment| segment.blocks()).collect();
        // Not while a merge puts documents together that would then have to be kept apart.
        if let Some(_not_merging) = self.merging.try_lock()
            && let Some(more) = self.contents.hidden().cut(&blocks, now)
        {
            self.contents.hide(more);
        }
        let gone_count = self.gone_count(list.live(), now);
        let count = gone_count.max(self.too_much_count(list.live()));
        let (gone, kept) = list.live().split_at(count);
        let Some(last) = gone.last() else { return Ok(None) };
        let base = last.entry.name.last;
        if count > gone_count {
            self.contents.hide(self.contents.hidden().taking(now));
        }
        self.contents.show(base, list.flushed(), kept.iter().map(same).collect(), &[]);
        let entries: Vec<_> = gone.iter().map(|live| live.entry.clone()).collect();
        work.retired.extend(names(&entries));
        let documents = entries.iter().map(|entry| entry.documents).sum();
        self.count_retained(documents, entries.iter().map(|entry| entry.raw_bytes).sum());
        tracing::debug!(segments = count, documents, %base, "retention dropped the oldest segments");
        Ok(Some(Retained { segments: count, documents, base }))
    }

    /// How many of the oldest segments nobody can see any more.
    fn gone_count(&self, live: &[LiveSegment], now: TimeNs) -> usize {
        let hidden = self.contents.hidden();
        let is_gone = |live: &LiveSegment| live.segment.blocks().iter().all(|block| hidden.is_gone(block, now));
        // One without documents goes with what is behind it.
        let mut count = live.iter().take_while(|live| is_gone(live)).count();
        while count > 0 && live[count - 1].segment.blocks().is_empty() {
            count -= 1;
        }
        count
    }

    /// How many of the oldest segments go at once, because the disk is to hold no more.
    fn too_much_count(&self, live: &[LiveSegment]) -> usize {
        let mut bytes: u64 = live.iter().map(|live| live.entry.bytes).sum();
        let too_much = |live: &&LiveSegment| {
            let too_much = self.options.retention_bytes.is_some_and(|max| bytes > max);
            bytes -= live.entry.bytes;
            too_much
        };
        live.iter().take_while(too_much).count()
    }

    /// Counts what retention has dropped.
    pub(super) fn count_retained(&self, documents: u64, bytes: u64) {
        let mut stats = self.stats.lock();
        stats.retained_documents += documents;
        stats.retained_bytes += bytes;
    }
}

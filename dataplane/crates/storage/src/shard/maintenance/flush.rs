//! The flush: a segment of everything that the hot tier holds.

use std::sync::Arc;
use std::time::Instant;

use grepzilla_model::{SegmentEntry, SeqNo, TimeNs};

use super::{Flushed, Maintenance};
use crate::MaintenanceError;
use crate::shard::contents::NewSegment;
use crate::shard::queue::{Cut, Request};

impl Maintenance {
    /// Whether the hot tier is large or old enough to be flushed.
    pub(in crate::shard) fn wants_flush(&self, now: TimeNs) -> bool {
        let stats = self.contents.hot_stats();
        let age = stats.oldest_time.map_or(0, |oldest| i128::from(now.0) - i128::from(oldest.0));
        // What was read back from the log, because a segment was damaged, is to be in one again.
        let lags = self.contents.list().flushed() < self.manifest.lock().flushed;
        lags || stats.source_bytes >= self.options.flush_bytes || age >= self.options.flush_age.as_nanos().cast_signed()
    }

    /// See [`Shard::flush`](crate::Shard::flush).
    pub(in crate::shard) fn flush(&self) -> Result<Option<Flushed>, MaintenanceError> {
        self.heedful(|| self.flush_once())
    }

    fn flush_once(&self) -> Result<Option<Flushed>, MaintenanceError> {
        let began = Instant::now();
        let mut work = self.begin()?;
        let list = self.contents.list();
        let flushed = list.flushed();
        let cut = self.ask(|answer| Request::Cut(flushed, answer))?;
        work.forgettable(cut.upto, flushed);
        if cut.last_of_batch <= flushed {
            return Ok(None);
        }
        let entry = self.write_cut(&cut, flushed.plus(1))?;
        // Should it not come to be shown, it goes with the next ones.
        work.retired.push(entry.name.file_name());
        let segment = self.open_segment(&entry)?;
        let mut segments = self.with_deletes(list.live(), cut.upto)?;
        segments.push(self.new_segment(segment, entry.clone(), cut.upto)?);
        for (new, old) in segments.iter().zip(list.live()) {
            work.retire_deletes(&old.entry, &new.entry);
        }
        self.contents.show(list.base(), cut.upto, segments, &[]);
        drop(work);

        let SegmentEntry { name, documents, raw_bytes, bytes, .. } = entry;
        let took = began.elapsed();
        let mut stats = self.stats.lock();
        stats.flushes += 1;
        stats.flush_seconds += took.as_secs_f64();
        let seconds = took.as_secs_f64();
        tracing::debug!(segment = %name, documents, raw_bytes, bytes, seconds, "flushed the hot tier");
        Ok(Some(Flushed { name, documents, raw_bytes, bytes, took }))
    }

    fn write_cut(&self, cut: &Cut, first: SeqNo) -> Result<SegmentEntry, MaintenanceError> {
        let mut blocks = self.contents.sealed_upto(cut.upto);
        blocks.sort_by(|one, next| one.index().cmp(next.index()).then(one.span().seq_min.cmp(&next.span().seq_min)));
        let mut writer = self.segment_writer(cut.epoch, first, cut.upto)?;
        for block in &blocks {
            writer.add(block)?;
        }
        cut.keys.iter().for_each(|key| writer.key(*key));
        Ok(writer.finish()?)
    }

    /// A segment with what was superseded in it, also on the disk.
    pub(super) fn new_segment(
        &self,
        segment: Arc<crate::segment::Segment>,
        mut entry: SegmentEntry,
        upto: SeqNo,
    ) -> Result<NewSegment, MaintenanceError> {
        entry.deletes = self.write_deletes_of(&segment, &entry, upto)?;
        Ok(NewSegment { segment, entry, notes: Vec::new() })
    }
}

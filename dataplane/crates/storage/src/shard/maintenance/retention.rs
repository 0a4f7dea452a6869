//! Retention: the oldest segments go when they are too old or there is too much.

use grepzilla_model::TimeNs;

use super::files::{names, same};
use super::{Maintenance, Retained};
use crate::MaintenanceError;
use crate::shard::list::LiveSegment;

impl Maintenance {
    /// See [`Shard::retain`](crate::Shard::retain).
    pub(in crate::shard) fn retain(&self, now: TimeNs) -> Result<Option<Retained>, MaintenanceError> {
        let mut work = self.begin()?;
        let list = self.contents.list();
        let count = self.dropped_count(list.live(), now);
        let (gone, kept) = list.live().split_at(count);
        let Some(last) = gone.last() else { return Ok(None) };
        let base = last.entry.name.last;
        self.contents.show(base, list.flushed(), kept.iter().map(same).collect(), &[]);
        let entries: Vec<_> = gone.iter().map(|live| live.entry.clone()).collect();
        work.retired.extend(names(&entries));
        let documents = entries.iter().map(|entry| entry.documents).sum();
        tracing::debug!(segments = count, documents, %base, "retention dropped the oldest segments");
        Ok(Some(Retained { segments: count, documents, base }))
    }

    /// How many of the oldest segments go.
    fn dropped_count(&self, live: &[LiveSegment], now: TimeNs) -> usize {
        // Whoever holds a cursor may still ask for what has just become too old.
        let age_max = self.options.retention_age.map(|age| (age + self.options.cursor_ttl).as_nanos().cast_signed());
        let age = |received: TimeNs| i128::from(now.0) - i128::from(received.0);
        let is_too_old = |live: &LiveSegment| {
            age_max.is_some_and(|max| live.entry.bounds.is_none_or(|bounds| age(bounds.received_max) > max))
        };
        let mut bytes: u64 = live.iter().map(|live| live.entry.bytes).sum();
        let goes = |live: &&LiveSegment| {
            let too_much = self.options.retention_bytes.is_some_and(|max| bytes > max);
            bytes -= live.entry.bytes;
            too_much || is_too_old(live)
        };
        live.iter().take_while(goes).count()
    }
}

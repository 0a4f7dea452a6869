//! Flushing, merging and retention: work on this node's disk that needs nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use grepzilla_model::TimeNs;
use grepzilla_storage::{Flushed, MaintenanceError, Merged, Retained};

use super::Maintenance;
use super::trouble::Trouble;
use crate::logging::with_causes;
use crate::shards::table::LocalShard;

/// How often the hot tier is looked at.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// How often the segments are looked at.
const MERGE_INTERVAL: Duration = Duration::from_secs(1);
/// How often the age and the bytes of segments are looked at.
const RETAIN_INTERVAL: Duration = Duration::from_secs(2);

impl Maintenance {
    /// Flushes whenever the hot tier wants it.
    pub(super) async fn flush(&self) {
        let mut trouble = Trouble::default();
        while self.pause(trouble.pause(FLUSH_INTERVAL)).await {
            let wants = self.log.wants_flush(TimeNs::from_system(SystemTime::now()));
            if !wants && !self.must_make_room() {
                continue;
            }
            let Some(_turn) = self.stop.run_until_cancelled(self.context.jobs.flush()).await else { return };
            match self.blocking(|log| log.flush()).await {
                Ok(flushed) => {
                    trouble.over();
                    flushed.into_iter().for_each(|flushed| self.say_flushed(&flushed));
                }
                Err(error) => self.failed("flush", &error, &mut trouble),
            }
        }
    }

    /// Whether all hot tiers of the node together take so much memory that one must be flushed, and this is the largest one.
    fn must_make_room(&self) -> bool {
        let hot_bytes = self.log.hot_bytes();
        let led = self.context.table.all().into_iter().filter_map(|(_, local)| match local {
            LocalShard::Leading(shard) => Some(shard.log.hot_bytes()),
            LocalShard::Opening { .. } | LocalShard::ReadOnly { .. } | LocalShard::Blocked { .. } => None,
        });
        let (all, largest) = led.fold((0, 0), |(all, largest), bytes| (all + bytes, bytes.max(largest)));
        hot_bytes > 0 && all >= self.context.hot_flush_bytes && hot_bytes >= largest
    }

    /// Merges whenever there is something to merge, if merging is configured or there are too many segments.
    pub(super) async fn merge(&self) {
        let mut trouble = Trouble::default();
        while self.pause(trouble.pause(MERGE_INTERVAL)).await {
            if !self.context.merges && !self.log.must_merge() {
                continue;
            }
            let Some(_turn) = self.stop.run_until_cancelled(self.context.jobs.merge()).await else { return };
            match self.merge_once().await {
                Ok(merged) => {
                    trouble.over();
                    merged.into_iter().for_each(|merged| self.say_merged(&merged));
                }
                Err(error) => self.failed("merge", &error, &mut trouble),
            }
        }
    }

    /// Hides and drops documents whenever they are too old or too many, if that is configured.
    pub(super) async fn retain(&self) {
        let mut trouble = Trouble::default();
        while self.context.retains && self.pause(trouble.pause(RETAIN_INTERVAL)).await {
            match self.blocking(|log| log.retain(TimeNs::from_system(SystemTime::now()))).await {
                Ok(dropped) => {
                    trouble.over();
                    dropped.into_iter().for_each(|dropped| self.say_dropped(&dropped));
                }
                Err(error) => self.failed("retention", &error, &mut trouble),
            }
        }
    }

    /// One merge, given up soon if maintenance is to end meanwhile.
    async fn merge_once(&self) -> Result<Option<Merged>, MaintenanceError> {
        let give_up = Arc::new(AtomicBool::new(false));
        let given_up = give_up.clone();
        let mut merging = std::pin::pin!(self.blocking(move |log| log.merge(&given_up)));
        tokio::select! {
            biased;
            merged = &mut merging => merged,
            () = self.stop.cancelled() => {
                give_up.store(true, Ordering::Relaxed);
                merging.await
            }
        }
    }

    fn say_flushed(&self, flushed: &Flushed) {
        self.context.metrics.flushed(flushed.took);
        tracing::info!(
            shard = %self.shard, epoch = %self.epoch, first_seq = %flushed.name.first, last_seq = %flushed.name.last,
            segment = %flushed.name, documents = flushed.documents, raw_bytes = flushed.raw_bytes, bytes = flushed.bytes,
            took_ms = flushed.took.as_millis() as u64, "flushed the hot tier"
        );
    }

    fn say_merged(&self, merged: &Merged) {
        self.context.metrics.merged(merged.took);
        tracing::info!(
            shard = %self.shard, epoch = %self.epoch, first_seq = %merged.name.first, last_seq = %merged.name.last,
            segment = %merged.name, segments = merged.segments, dropped = merged.dropped, bytes = merged.bytes,
            took_ms = merged.took.as_millis() as u64, "merged segments"
        );
    }

    fn say_dropped(&self, dropped: &Retained) {
        tracing::info!(
            shard = %self.shard, epoch = %self.epoch, base = %dropped.base, segments = dropped.segments,
            documents = dropped.documents, "retention dropped the oldest segments"
        );
    }

    fn failed(&self, work: &'static str, error: &MaintenanceError, trouble: &mut Trouble) {
        // A log that is being closed is no trouble.
        if trouble.met(work) && self.log.is_open() {
            let error = with_causes(error);
            tracing::error!(shard = %self.shard, epoch = %self.epoch, work, error, "maintenance failed; it is tried again");
        }
    }
}

//! What goes on behind the writes of a shard that this node leads: flushing, merging, publishing.
//!
//! ```text
//! adopt the store's manifest ──> flush   when the hot tier is large or old enough
//!                            ──> merge   when there are enough segments of one size
//!                            ──> drop    the oldest segments, as far as retention says
//!                            ──> publish what is shown, by compare-and-swap, and then let go of log and files
//! ```
//!
//! These go on side by side and do not wait for each other, so a store that is away delays publishing and nothing
//! else. Never so: a manifest is recorded as published before the store has accepted it; a leader that has stepped down
//! goes on building.

mod board;
mod build;
mod jobs;
mod publish;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use grepzilla_model::{Epoch, ShardId};
use grepzilla_storage::Shard;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::shards::ShardsContext;
use crate::shards::table::LeaderShard;

pub(crate) use board::PublishBoard;
pub(super) use jobs::Jobs;

/// The maintenance of one shard in one epoch.
#[derive(Debug)]
struct Maintenance {
    context: Arc<ShardsContext>,
    shard: ShardId,
    epoch: Epoch,
    log: Arc<Shard>,
    board: Arc<PublishBoard>,
    stop: CancellationToken,
}

/// Maintenance that has begun. Whoever began it ends it before the log is closed.
#[derive(Debug)]
pub(super) struct RunningMaintenance {
    stop: CancellationToken,
    /// `None`: it has ended by itself.
    task: Option<JoinHandle<()>>,
}

impl RunningMaintenance {
    /// Begins the maintenance of a shard that has just been claimed.
    pub(super) fn begin(context: Arc<ShardsContext>, leader: &LeaderShard) -> RunningMaintenance {
        let stop = CancellationToken::new();
        let maintenance = Maintenance {
            context,
            shard: leader.shard,
            epoch: leader.epoch,
            log: leader.log.clone(),
            board: leader.publishing.clone(),
            stop: stop.clone(),
        };
        RunningMaintenance { stop, task: Some(tokio::spawn(maintenance.run())) }
    }

    /// Says that it is to end. A flush that has begun is finished, a merge is given up.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends it; then nothing uses the log any more.
    pub(super) async fn end(mut self) {
        self.stop();
        self.ended().await;
    }

    /// Resolves when it has ended; before [`RunningMaintenance::end`] only a bug ends it, whose panic has been logged.
    pub(super) async fn ended(&mut self) {
        if let Some(task) = &mut self.task {
            if let Err(error) = task.await {
                tracing::error!(%error, "the maintenance of a shard panicked");
            }
            self.task = None;
        }
    }
}

impl Maintenance {
    async fn run(self) {
        if self.adopt().await {
            tokio::join!(self.flush(), self.merge(), self.retain(), self.publish());
        }
    }

    /// Waits. `false`: maintenance is to end.
    async fn pause(&self, pause: Duration) -> bool {
        self.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
    }

    /// Does what may wait for the disk, on a thread that may.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Shard) -> T + Send + 'static) -> T {
        let log = self.log.clone();
        let done = tokio::task::spawn_blocking(move || work(&log)).await;
        done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

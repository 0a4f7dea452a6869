//! Opening a replica's folder: on a blocking thread, few at a time, with its progress in log and readiness.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_api::config::{Fsync, NodeConfig};
use grepzilla_model::{ClusterUuid, ShardId};
use grepzilla_storage::{BlockCache, FsyncMode, OpenError, Shard, ShardOptions};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::identity::DataFolder;
use crate::shards::table::{LocalShard, ShardTable};

/// How often a long recovery says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// What all shards of a node are opened with.
#[derive(Debug)]
pub(super) struct Opener {
    folder: Arc<DataFolder>,
    cluster: ClusterUuid,
    options: ShardOptions,
    table: Arc<ShardTable>,
    /// Recovery reads and checks at the speed of a core: as many at once as there are cores.
    turns: Semaphore,
}

impl Opener {
    pub(super) fn new(
        folder: Arc<DataFolder>,
        cluster: ClusterUuid,
        config: &NodeConfig,
        cache: Arc<BlockCache>,
        table: Arc<ShardTable>,
    ) -> Opener {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Opener { folder, cluster, options: options_of(config, cache), table, turns: Semaphore::new(cores) }
    }

    /// Opens a shard's folder, making it if it is not there. An error harms this shard only.
    pub(super) async fn open(self: &Arc<Self>, shard: ShardId) -> Result<Shard, OpenError> {
        let _turn = self.turns.acquire().await.expect("nobody closes the semaphore");
        let opener = self.clone();
        let opened = tokio::task::spawn_blocking(move || opener.open_blocking(shard)).await;
        opened.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    fn open_blocking(&self, shard: ShardId) -> Result<Shard, OpenError> {
        let begun = Instant::now();
        let said = Mutex::new(begun);
        let progress = |done: u64, total: u64| {
            self.table.opening(shard, format!("{done} of {total} bytes of its log have been read"));
            let mut said = said.lock();
            if said.elapsed() >= PROGRESS_INTERVAL {
                *said = Instant::now();
                tracing::info!(%shard, done_bytes = done, total_bytes = total, "recovering the log");
            }
        };
        let dir = self.folder.shard_path(shard);
        let opened = Shard::open(self.folder.disk(), &dir, self.cluster, shard, self.options.clone(), &progress)?;
        let positions = opened.positions();
        tracing::info!(
            %shard, incarnation = %opened.incarnation(), epoch = %opened.last_epoch(), seq = %positions.appended,
            wal_bytes = positions.wal_bytes, took_ms = begun.elapsed().as_millis() as u64, "shard opened"
        );
        Ok(opened)
    }
}

impl ShardTable {
    /// Says how far the first opening is; a shard that was given up before stays blocked until it is open.
    fn opening(&self, shard: ShardId, progress: String) {
        self.replace(shard, |local| match local {
            LocalShard::Opening { .. } => LocalShard::Opening { progress },
            other => other,
        });
    }
}

/// Whether trying again later may help without a person: room may come, a log that cannot be believed stays so.
pub(super) fn may_open_later(error: &OpenError) -> bool {
    match error {
        OpenError::Locked { .. } | OpenError::NoRoom(_) | OpenError::Disk(_) | OpenError::Segment(_) => true,
        OpenError::OtherCluster { .. }
        | OpenError::OtherShard { .. }
        | OpenError::NewerFormat { .. }
        | OpenError::Corrupt(_)
        | OpenError::Died(_) => false,
    }
}

fn options_of(config: &NodeConfig, cache: Arc<BlockCache>) -> ShardOptions {
    ShardOptions {
        fsync: match config.wal.fsync {
            Fsync::Always => FsyncMode::Always,
            Fsync::Batch => FsyncMode::Batch { interval: Duration::from_millis(config.wal.fsync_interval_ms) },
            Fsync::Disabled => FsyncMode::Disabled,
        },
        wal_bytes_max: config.wal.max_bytes,
        wal_age_max: Duration::from_secs(config.wal.max_age_seconds),
        queue_bytes_max: usize::try_from(config.ingest.queue_bytes_max).unwrap_or(usize::MAX),
        flush_bytes: config.storage.flush_bytes,
        flush_age: Duration::from_secs(config.storage.flush_age_seconds),
        merged_bytes_max: config.storage.merged_bytes_max,
        retention_age: config.storage.retention_age_seconds.map(Duration::from_secs),
        retention_bytes: config.storage.retention_bytes,
        cursor_ttl: Duration::from_secs(config.search.cursor_ttl_seconds),
        cache,
        ..ShardOptions::default()
    }
}

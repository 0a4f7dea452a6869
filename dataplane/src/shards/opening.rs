//! Opening a replica's folder: on a blocking thread, few at a time, with its progress in log and readiness.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_api::config::{DEFAULT_INDEX, Fsync, IndexConfig, NodeConfig};
use grepzilla_model::{ClusterUuid, IndexName, ShardId};
use grepzilla_storage::{
    BlockCache, FsyncMode, OpenError, OpenProgress, Retention, RetentionRules, Shard, ShardOptions,
};
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
        options: ShardOptions,
        table: Arc<ShardTable>,
    ) -> Opener {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Opener { folder, cluster, options, table, turns: Semaphore::new(cores) }
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
        let progress = |progress: OpenProgress| {
            self.table.opening(shard, format!("{progress}"));
            let mut said = said.lock();
            if said.elapsed() >= PROGRESS_INTERVAL {
                *said = Instant::now();
                tracing::info!(%shard, %progress, "opening the shard");
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

/// What is kept of each index in one of so many shards.
fn retention_of(config: &NodeConfig, shards: usize) -> RetentionRules {
    let of = |index: &IndexConfig| Retention {
        age: index.retention.max_age_seconds.or(config.storage.retention_age_seconds).map(Duration::from_secs),
        bytes: index.retention.max_bytes.map(|bytes| bytes / shards.max(1) as u64),
    };
    let others = config.indexes.get(DEFAULT_INDEX).map_or_else(|| of(&IndexConfig::default()), of);
    let named = config.indexes.iter().filter_map(|(name, index)| Some((IndexName::new(name).ok()?, of(index))));
    RetentionRules { others, indexes: named.collect() }
}

/// What the shards of a node are opened with; there are `shards` in the cluster.
pub(super) fn options_of(config: &NodeConfig, shards: usize, cache: Arc<BlockCache>) -> ShardOptions {
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
        retention: Arc::new(retention_of(config, shards)),
        retention_bytes: config.storage.retention_bytes,
        cursor_ttl: Duration::from_secs(config.search.cursor_ttl_seconds),
        cache,
        ..ShardOptions::default()
    }
}

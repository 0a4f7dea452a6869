//! The shards of this node: one task for each that the ring wants here or that this node leads.
//!
//! A shard that cannot be opened or claimed says why and harms no other. A task never ends by itself, so one that does
//! stops the node.

mod maintenance;
mod opening;
pub(crate) mod table;
mod task;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use grepzilla_cluster::keyspace::Keys;
use grepzilla_cluster::registry::RegistrationHandle;
use grepzilla_cluster::store::SharedStore;
use grepzilla_cluster::topology::Topology;
use grepzilla_model::{ClusterUuid, NodeName, ShardId};
use grepzilla_storage::BlockCache;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use grepzilla_api::config::NodeConfig;

use crate::identity::DataFolder;
use crate::metrics::maintenance::MaintenanceMetrics;
use crate::shards::maintenance::Jobs;
use crate::shards::opening::{Opener, options_of};
use crate::shards::table::{LocalShard, ShardTable};
use crate::shards::task::ShardTask;

pub(crate) use crate::shards::maintenance::PublishBoard;

/// What the tasks of all shards share.
#[derive(Debug)]
pub(crate) struct ShardsContext {
    store: SharedStore,
    keys: Keys,
    node: NodeName,
    registration: RegistrationHandle,
    opener: Arc<Opener>,
    table: Arc<ShardTable>,
    jobs: Jobs,
    metrics: MaintenanceMetrics,
    /// Whether segments are merged.
    merges: bool,
    /// Whether documents ever go.
    retains: bool,
    /// Bytes of memory of all hot tiers at which the largest one is flushed.
    hot_flush_bytes: u64,
    /// How long the list of a superseded generation stays readable.
    cursor_ttl: Duration,
}

/// The task that keeps a task for each shard of this node.
#[derive(Debug)]
pub(crate) struct ShardManager {
    context: Arc<ShardsContext>,
    topology: watch::Receiver<Arc<Topology>>,
    running: BTreeSet<ShardId>,
}

/// A shard's task that ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
#[error("the task of a shard ended")]
pub(crate) struct ShardTaskEnded(#[source] Option<tokio::task::JoinError>);

/// What a [`ShardManager`] is made of.
pub(crate) struct ShardManagerParts<'a> {
    pub(crate) store: SharedStore,
    pub(crate) keys: Keys,
    pub(crate) node: NodeName,
    pub(crate) cluster: ClusterUuid,
    pub(crate) config: &'a NodeConfig,
    pub(crate) folder: Arc<DataFolder>,
    pub(crate) registration: RegistrationHandle,
    pub(crate) topology: watch::Receiver<Arc<Topology>>,
    pub(crate) table: Arc<ShardTable>,
    pub(crate) cache: Arc<BlockCache>,
    pub(crate) metrics: MaintenanceMetrics,
}

impl ShardManager {
    /// A task that is not running yet. The shards that it will open first are in the table at once, so that the node is
    /// not ready before they have been looked at.
    pub(crate) fn new(parts: ShardManagerParts<'_>) -> ShardManager {
        let ShardManagerParts { store, keys, node, config, registration, topology, table, metrics, .. } = parts;
        for shard in wanted(&topology.borrow(), &node) {
            table.set(shard, LocalShard::Opening { progress: "it waits for its turn".to_owned() });
        }
        let options = options_of(config, topology.borrow().ring.shards().count(), parts.cache);
        let retains = !options.retention.is_for_ever() || options.retention_bytes.is_some();
        let opener = Arc::new(Opener::new(parts.folder, parts.cluster, options, table.clone()));
        let (jobs, merges) = (Jobs::new(), config.storage.merge);
        let hot_flush_bytes = config.admission.hot_soft_bytes / 2;
        let cursor_ttl = Duration::from_secs(config.search.cursor_ttl_seconds);
        let context = ShardsContext {
            store,
            keys,
            node,
            registration,
            opener,
            table,
            jobs,
            metrics,
            merges,
            retains,
            hot_flush_bytes,
            cursor_ttl,
        };
        let context = Arc::new(context);
        ShardManager { context, topology, running: BTreeSet::new() }
    }

    /// Runs the shards until it is cancelled. Then every log has been closed.
    pub(crate) async fn run(mut self, cancel: CancellationToken) -> Result<(), ShardTaskEnded> {
        let mut tasks = JoinSet::new();
        loop {
            let topology = self.topology.borrow_and_update().clone();
            for shard in wanted(&topology, &self.context.node) {
                if self.running.insert(shard) {
                    let task = ShardTask::new(self.context.clone(), shard, self.topology.clone());
                    tasks.spawn(task.run(cancel.clone()));
                }
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(ended) = tasks.join_next() => return Err(ShardTaskEnded(ended.err())),
                // The sender goes only with its task, whose end stops the node.
                Ok(()) = self.topology.changed() => {}
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|error| ShardTaskEnded(Some(error)))?;
        }
        Ok(())
    }
}

/// The shards that the ring wants on a node, and those that it leads all the same.
fn wanted(topology: &Topology, node: &NodeName) -> BTreeSet<ShardId> {
    let ring = &topology.ring;
    let targeted = ring.shards().filter(|&shard| ring.target_names(shard).any(|target| target == node));
    let led = topology.configs.iter().filter(|(_, config)| config.leader == *node).map(|(&shard, _)| shard);
    targeted.chain(led).collect()
}

#[cfg(test)]
mod tests;

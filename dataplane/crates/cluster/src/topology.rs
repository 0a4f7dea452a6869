//! An always-current picture of the whole cluster, for the node and for the operator.
//!
//! One task lists and watches what is below the root of the cluster's keys, where no manifest is. It survives compaction and the absence of the store: the
//! picture then stays as it was, with `connected: false` since when. A value that cannot be used (damaged, or of a
//! newer version) changes nothing but `refused`: the last good one stays.

mod apply;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use grepzilla_model::{ClusterUuid, NodeName, Ring, ShardConfig, ShardId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::adopted::Adopted;
use crate::keyspace::{Keys, LeaderRecord, NodeRecord};
use crate::store::{Backoff, HEARTBEAT, MetadataStore, Revision, SharedStore, StoreError};

/// A watch that says nothing for so long is out of touch: two heartbeats, and one reconnection.
const SILENCE_MAX: Duration = HEARTBEAT.saturating_mul(3);

/// What is known of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The revision that this shows. 0: nothing has been read yet.
    pub revision: Revision,
    /// Whose cluster it is. `None`: no operator has said so yet.
    pub cluster: Option<ClusterUuid>,
    /// What should be, checked. Version 0, without nodes, ranges and shards: there is no ring yet.
    pub ring: Arc<Ring>,
    /// The revision that wrote the ring; 0 if there is none.
    pub ring_revision: Revision,
    /// What each shard is.
    pub configs: BTreeMap<ShardId, ShardConfig>,
    /// The nodes that are there.
    pub nodes: BTreeMap<NodeName, NodeRecord>,
    /// Who leads which shard now. A shard without an entry has no live leader.
    pub leaders: BTreeMap<ShardId, LeaderRecord>,
    /// Keys with values that cannot be used, and why.
    pub refused: BTreeMap<String, String>,
    /// Whether the store is in touch.
    pub connected: bool,
    /// Since when it is so.
    pub since: SystemTime,
    /// Why it is not in touch.
    pub trouble: Option<String>,
}

impl Topology {
    /// Nothing known, not connected.
    pub fn unknown() -> Topology {
        Topology {
            revision: Revision(0),
            cluster: None,
            ring: Arc::new(no_ring()),
            ring_revision: Revision(0),
            configs: BTreeMap::new(),
            nodes: BTreeMap::new(),
            leaders: BTreeMap::new(),
            refused: BTreeMap::new(),
            connected: false,
            since: SystemTime::now(),
            trouble: None,
        }
    }

    /// What a node remembers from an earlier life, not connected.
    pub fn remembered(adopted: &Adopted) -> Topology {
        Topology {
            cluster: Some(adopted.cluster),
            ring: Arc::new(adopted.ring.clone()),
            ring_revision: adopted.ring_revision,
            configs: adopted.configs.clone(),
            ..Topology::unknown()
        }
    }

    /// Whether there is a ring. Until then no bucket has an owner.
    pub fn has_ring(&self) -> bool {
        self.ring.version > 0
    }

    /// Whether the store has ever been read.
    pub fn is_known(&self) -> bool {
        self.revision > Revision(0)
    }
}

fn no_ring() -> Ring {
    Ring {
        version: 0,
        feature_level: 0,
        replication_factor: 0,
        nodes: BTreeMap::new(),
        ranges: Vec::new(),
        targets: BTreeMap::new(),
    }
}

/// Reads the whole picture once, linearizably: for decisions that must not rest on a watch.
pub async fn read(store: &dyn MetadataStore, keys: &Keys) -> Result<Topology, StoreError> {
    let listing = store.list(&keys.prefix()).await?;
    let mut topology = Topology::unknown();
    topology.replace(keys, &listing);
    topology.touch(Ok(()));
    Ok(topology)
}

/// The task. Whoever makes it runs it.
#[derive(Debug)]
pub struct TopologyTask {
    store: SharedStore,
    keys: Keys,
    topology: watch::Sender<Arc<Topology>>,
}

impl TopologyTask {
    /// A task that is not running yet, and what it keeps current. Until the store has answered, that is what the node
    /// remembers, if it remembers anything.
    pub fn new(
        store: SharedStore,
        keys: Keys,
        remembered: Option<&Adopted>,
    ) -> (TopologyTask, watch::Receiver<Arc<Topology>>) {
        let (sender, receiver) =
            watch::channel(Arc::new(remembered.map_or_else(Topology::unknown, Topology::remembered)));
        (TopologyTask { store, keys, topology: sender }, receiver)
    }

    /// Keeps the picture current until it is cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&self) {
        let mut backoff = Backoff::default();
        loop {
            match self.list_and_watch(&mut backoff).await {
                // Not trouble: history was tidied up while we were away.
                StoreError::Compacted { .. } => {}
                error => self.lose_touch(&error.to_string()),
            }
            backoff.wait().await;
        }
    }

    /// Lists once and applies changes until the watch ends.
    async fn list_and_watch(&self, backoff: &mut Backoff) -> StoreError {
        let prefix = self.keys.prefix();
        let listing = match self.store.list(&prefix).await {
            Ok(listing) => listing,
            Err(error) => return error,
        };
        self.topology.send_modify(|topology| {
            let topology = Arc::make_mut(topology);
            topology.replace(&self.keys, &listing);
            topology.touch(Ok(()));
        });
        let mut watch = self.store.watch(&prefix, listing.revision.next());
        loop {
            match tokio::time::timeout(SILENCE_MAX, watch.next()).await {
                Ok(Some(Ok(changes))) => {
                    backoff.reset();
                    self.topology.send_if_modified(|topology| {
                        let topology = Arc::make_mut(topology);
                        let was_connected = topology.connected;
                        topology.touch(Ok(()));
                        topology.advance(&self.keys, &changes) || !was_connected
                    });
                }
                Ok(Some(Err(error))) => return error,
                Ok(None) => return StoreError::Unavailable { reason: "the watch ended".to_owned() },
                // The same watch goes on: it resumes by itself, without a gap.
                Err(_) => self.lose_touch(&format!("no sign of life in {SILENCE_MAX:?}")),
            }
        }
    }

    fn lose_touch(&self, reason: &str) {
        let mut news = false;
        self.topology.send_if_modified(|topology| {
            news = topology.connected || topology.trouble.is_none();
            let changed = news || topology.trouble.as_deref() != Some(reason);
            Arc::make_mut(topology).touch(Err(reason));
            changed
        });
        if news {
            tracing::warn!(reason, "the metadata store is out of touch; going on with what was last heard");
        }
    }
}

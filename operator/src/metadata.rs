//! The metadata of the clusters: one connection per etcd, one always-current picture and one fenced pen per cluster.
//!
//! A pool lives for one time of leading. It takes the operator's term of a cluster once, when the cluster is first
//! seen; if another operator takes it after that, every write fails and the pool asks to step down.

mod watcher;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grepzilla_cluster::keyspace::Keys;
use grepzilla_cluster::ring_writer::{RingWriteError, RingWriter};
use grepzilla_cluster::store::{SharedStore, StoreError};
use grepzilla_cluster::topology::{self, Topology, TopologyTask};
use grepzilla_model::{ClusterUuid, NodeName, Ring, ShardConfig, ShardId, ShardReplica, ShardState};
use tokio::sync::{OnceCell, mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::controller::facts::{ClusterFacts, MetadataFacts, ShardFacts};
use crate::controller::validate::Cluster;
use watcher::Watcher;

/// How long a first connection may take before the status says that etcd is out of touch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one exchange may take. A reconcile does not wait for an etcd that has just gone.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClusterKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// How a store is made from its endpoints. It connects when it is first used.
pub type Open = Arc<dyn Fn(&[String]) -> Result<SharedStore, StoreError> + Send + Sync>;

/// The metadata of all clusters. Dropping it ends every connection and every task.
pub struct MetadataPool {
    clusters: Mutex<HashMap<ClusterKey, Arc<Metadata>>>,
    stores: Mutex<BTreeMap<Vec<String>, SharedStore>>,
    open: Open,
    holder: String,
    changes: mpsc::Sender<ClusterKey>,
    deposed: CancellationToken,
    tasks: TaskTracker,
}

/// One cluster's metadata.
#[derive(Debug)]
pub struct Metadata {
    uid: String,
    endpoints: Vec<String>,
    keys: Keys,
    holder: String,
    began: Instant,
    store: SharedStore,
    topology: watch::Receiver<Arc<Topology>>,
    pen: OnceCell<RingWriter>,
    _stop: DropGuard,
}

/// What can be seen now.
#[derive(Debug, PartialEq)]
pub enum Sight {
    /// Too early to tell.
    Connecting,
    /// This.
    Facts(MetadataFacts),
}

/// Why metadata were not written.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// etcd does not answer.
    #[error("etcd does not answer: {reason}")]
    OutOfTouch {
        /// Why.
        reason: String,
    },
    /// etcd or the fence refused.
    #[error(transparent)]
    Write(#[from] RingWriteError),
}

impl MetadataPool {
    /// A pool for one time of leading. `changes` is told which cluster's picture changed; `deposed` is cancelled when
    /// another operator has taken over.
    pub fn new(
        open: Open,
        holder: String,
        changes: mpsc::Sender<ClusterKey>,
        deposed: CancellationToken,
    ) -> MetadataPool {
        let (clusters, stores) = (Mutex::default(), Mutex::default());
        MetadataPool { clusters, stores, open, holder, changes, deposed, tasks: TaskTracker::new() }
    }

    /// The metadata of a cluster; connecting begins with the first call. Fails only for endpoints that are none.
    pub fn of(&self, cluster: &Cluster) -> Result<Arc<Metadata>, StoreError> {
        let key = ClusterKey { namespace: cluster.namespace.clone(), name: cluster.name.clone() };
        let mut clusters = self.clusters.lock().expect("no holder panics");
        let known = clusters.get(&key);
        if let Some(known) = known.filter(|it| it.uid == cluster.uid && it.endpoints == cluster.metadata().etcd) {
            return Ok(Arc::clone(known));
        }
        let metadata = self.follow(key.clone(), cluster, self.store(&cluster.metadata().etcd)?);
        clusters.insert(key, Arc::clone(&metadata));
        Ok(metadata)
    }

    /// Lets go of a cluster that is gone. Its keys stay.
    pub fn forget(&self, namespace: &str, name: &str) {
        let key = ClusterKey { namespace: namespace.to_owned(), name: name.to_owned() };
        self.clusters.lock().expect("no holder panics").remove(&key);
    }

    /// Another operator has taken over.
    pub fn step_down(&self) {
        self.deposed.cancel();
    }

    /// Ends every task and waits for it.
    pub async fn close(&self) {
        self.clusters.lock().expect("no holder panics").clear();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Clusters with the same endpoints share a store.
    fn store(&self, endpoints: &[String]) -> Result<SharedStore, StoreError> {
        let mut stores = self.stores.lock().expect("no holder panics");
        if let Some(store) = stores.get(endpoints) {
            return Ok(Arc::clone(store));
        }
        let store = (self.open)(endpoints)?;
        stores.insert(endpoints.to_vec(), Arc::clone(&store));
        Ok(store)
    }

    fn follow(&self, key: ClusterKey, cluster: &Cluster, store: SharedStore) -> Arc<Metadata> {
        let config = cluster.metadata();
        let keys = Keys::new(&config.root).expect("validate has checked the root");
        let (task, topology) = TopologyTask::new(Arc::clone(&store), keys.clone(), None);
        let stop = CancellationToken::new();
        let metadata = Arc::new(Metadata {
            uid: cluster.uid.clone(),
            endpoints: config.etcd.clone(),
            keys,
            holder: self.holder.clone(),
            began: Instant::now(),
            store,
            topology: topology.clone(),
            pen: OnceCell::new(),
            _stop: stop.clone().drop_guard(),
        });
        // The tasks know the metadata only weakly, so that forgetting them ends the tasks.
        let watcher = Watcher { metadata: Arc::downgrade(&metadata), key, topology, changes: self.changes.clone() };
        self.tasks.spawn(task.run(stop.clone()));
        self.tasks.spawn(watcher.run(stop));
        metadata
    }
}

impl Metadata {
    /// What can be seen now.
    pub fn look(&self) -> Sight {
        let topology = self.topology.borrow().clone();
        match &*topology {
            topology if !topology.is_known() && self.began.elapsed() < PATIENCE => Sight::Connecting,
            topology if !topology.connected => {
                let reason = topology.trouble.clone().unwrap_or_else(|| "no connection yet".into());
                Sight::Facts(MetadataFacts::OutOfTouch { reason })
            }
            topology => Sight::Facts(facts(topology)),
        }
    }

    /// What etcd says now, read from it and not from the picture: for decisions that cannot be taken back.
    pub async fn read(&self) -> MetadataFacts {
        match timeout(EXCHANGE_TIMEOUT, topology::read(self.store.as_ref(), &self.keys)).await {
            Ok(Ok(topology)) => facts(&topology),
            Ok(Err(error)) => MetadataFacts::OutOfTouch { reason: error.to_string() },
            Err(_) => MetadataFacts::OutOfTouch { reason: format!("no answer in {EXCHANGE_TIMEOUT:?}") },
        }
    }

    /// Gives the cluster its identity, if it has none yet; answers the one it has.
    pub async fn create_identity(&self) -> Result<ClusterUuid, MetadataError> {
        self.write(async |pen| pen.ensure_cluster(ClusterUuid(Uuid::new_v4())).await).await
    }

    /// Writes a ring whose version is one above that of the ring it was made from.
    pub async fn write_ring(&self, ring: Ring) -> Result<(), MetadataError> {
        self.write(async |pen| {
            let base = pen.current().await?;
            let version = base.as_ref().map_or(0, |base| base.ring.version);
            if version + 1 != ring.version {
                return Err(RingWriteError::Changed { version });
            }
            pen.write(base.as_ref(), &ring).await.map(drop)
        })
        .await
    }

    async fn write<T>(
        &self,
        write: impl AsyncFnOnce(&RingWriter) -> Result<T, RingWriteError>,
    ) -> Result<T, MetadataError> {
        let written = timeout(EXCHANGE_TIMEOUT, async { Ok(write(self.pen().await?).await?) }).await;
        written
            .unwrap_or_else(|_| Err(MetadataError::OutOfTouch { reason: format!("no answer in {EXCHANGE_TIMEOUT:?}") }))
    }

    /// The pen; the first call takes the term.
    async fn pen(&self) -> Result<&RingWriter, MetadataError> {
        let take = || RingWriter::take_lead(Arc::clone(&self.store), self.keys.clone(), &self.holder);
        Ok(self.pen.get_or_try_init(take).await?)
    }
}

impl MetadataError {
    /// Whether another operator has taken over.
    pub fn is_deposed(&self) -> bool {
        matches!(self, MetadataError::Write(RingWriteError::Deposed { .. }))
    }
}

/// A picture with values that cannot be read is no basis for anything.
fn facts(topology: &Topology) -> MetadataFacts {
    if let Some((key, reason)) = topology.refused.first_key_value() {
        return MetadataFacts::OutOfTouch { reason: format!("{key} cannot be read: {reason}") };
    }
    let shards = topology.configs.iter().map(|(&shard, config)| (shard, shard_facts(topology, shard, config)));
    MetadataFacts::InTouch(ClusterFacts {
        uuid: topology.cluster,
        ring: topology.has_ring().then(|| (*topology.ring).clone()),
        registered: topology.nodes.keys().cloned().collect(),
        shards: shards.collect(),
        damaged: damaged(topology),
    })
}

/// What nodes say of their shards. Replicas of one shard are told once.
fn damaged(topology: &Topology) -> BTreeMap<ShardId, (NodeName, String)> {
    let said = topology
        .nodes
        .values()
        .flat_map(|node| node.troubles.iter().map(|(shard, sentence)| (*shard, (node.name.clone(), sentence.clone()))));
    said.collect()
}

/// A shard is led when its configuration says so, and the leader it names lives and says so too.
fn shard_facts(topology: &Topology, shard: ShardId, config: &ShardConfig) -> ShardFacts {
    let alive = topology.leaders.get(&shard).is_some_and(|it| it.node == config.leader && it.epoch == config.epoch);
    let registered = topology.nodes.contains_key(&config.leader);
    let replicas = config.replicas.iter().map(|replica| replica.node.clone());
    let holders: BTreeSet<_> = replicas.chain([config.leader.clone()]).collect();
    let lost = config.replicas.iter().filter(|replica| has_another_folder(topology, shard, replica));
    let lost = lost.map(|replica| replica.node.clone()).collect();
    ShardFacts { led: alive && registered && config.state == ShardState::Active, holders, lost }
}

/// Whether a replica's node says that the life of its folder is not the one that is listed. A node that says nothing of
/// the shard has not opened it yet.
fn has_another_folder(topology: &Topology, shard: ShardId, replica: &ShardReplica) -> bool {
    let held = topology.nodes.get(&replica.node).and_then(|node| node.incarnations.get(&shard));
    held.is_some_and(|held| *held != replica.incarnation)
}

#[cfg(test)]
mod tests;

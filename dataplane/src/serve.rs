//! The life of a node from the first socket to the last sync.
//!
//! ```text
//! lock DIR ─ bind ─ learn cluster and ring ─ spawn tasks ─ ready ───────── stop ─ drain ─ close logs ─ leave ─ end
//!                   (health is answered)     (shards open) (one line on stdout)
//! ```
//!
//! A task that ends before it was asked to stops the node, with an error that names the task.

pub mod arguments;
pub(crate) mod ports;
mod tasks;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use grepzilla_api::contract;
use grepzilla_cluster::keyspace::{NodeRecord, NodeState};
use grepzilla_cluster::registry::{Registration, RegistrationHandle, RegistrationOptions};
use grepzilla_cluster::topology::TopologyTask;
use grepzilla_model::{Incarnation, NodeName};
use grepzilla_storage::BlockCache;
use grepzilla_storage::disk::RealDisk;
use tokio_util::sync::CancellationToken;

use crate::bootstrap::{self, Origin};
use crate::identity::DataFolder;
use crate::membership::Follower;
use crate::metrics::maintenance::MaintenanceMetrics;
use crate::metrics::store::{CountingStore, StoreErrors};
use crate::node::Node;
use crate::server;
use crate::shards::table::ShardTable;
use crate::shards::{ShardManager, ShardManagerParts};
use crate::shutdown::{ShutdownSignals, Stop};
use arguments::Startup;
use ports::{Addresses, Ports};
use tasks::Tasks;

/// The highest feature level whose formats this program reads.
const FORMATS: u32 = 1;
/// How often readiness is looked at while the node starts.
const READY_INTERVAL: Duration = Duration::from_millis(10);
/// How long the requests that were taken may go on after the node has stopped accepting.
const SERVER_TIME_MAX: Duration = Duration::from_secs(40);
/// How long the logs may take to close: what is appended is synced.
const SHARDS_TIME_MAX: Duration = Duration::from_secs(40);
/// How long leaving the registry may take.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(10);

/// Runs a node until `stop` resolves, then ends it in order. `ready` is called once, with the address of the HTTP API,
/// when the node can serve as a root.
///
/// With `Ok` everything that was acknowledged is in logs that were closed, and nobody holds the data folder any more.
pub async fn run(
    startup: Startup,
    stop: impl Future<Output = Stop>,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let mut stop = pin!(stop);
    let folder = Arc::new(DataFolder::lock(Arc::new(RealDisk), &startup.config.data)?);
    let ports = Ports::bind(&startup.config).await?;
    let (listening, peer) = (ports.listening()?, ports.peer_listening()?);
    tracing::info!(%listening, peer = peer.map(tracing::field::display), "the ports are open");
    let origin = tokio::select! {
        biased;
        _ = &mut stop => return Ok(()),
        origin = bootstrap::begin(&folder, &startup, &ports.http) => origin?,
    };
    let mut running = Running::start(startup, folder, ports, origin)?;
    let stop = tokio::select! {
        biased;
        stop = &mut stop => stop,
        error = running.tasks.unexpected_end() => return Err(error),
        () = becoming_ready(&running.node) => {
            running.registration.update(|record| record.state = NodeState::Serving);
            tracing::info!(%listening, "the node is ready");
            ready(listening);
            tokio::select! {
                biased;
                stop = &mut stop => stop,
                error = running.tasks.unexpected_end() => return Err(error),
            }
        }
    };
    running.end(stop).await
}

/// A node at work.
struct Running {
    node: Arc<Node>,
    tasks: Tasks,
    signals: ShutdownSignals,
    registration: RegistrationHandle,
    close_shards: CancellationToken,
    leave: CancellationToken,
}

impl Running {
    fn start(startup: Startup, folder: Arc<DataFolder>, ports: Ports, origin: Origin) -> anyhow::Result<Running> {
        let addresses = ports.advertised(&origin.host)?;
        let Origin { store, keys, cluster, name, secret, topology, memory, .. } = origin;
        let store_errors = StoreErrors::new().context("declaring a metric")?;
        let store = CountingStore::wrap(store, &store_errors);
        let maintenance = MaintenanceMetrics::new().context("declaring a metric")?;
        let cache_bytes = usize::try_from(startup.config.storage.cache_bytes).unwrap_or(usize::MAX);
        let cache = Arc::new(BlockCache::new(cache_bytes));
        let (signals, close_shards, leave) =
            (ShutdownSignals::new(), CancellationToken::new(), CancellationToken::new());
        let mut tasks = Tasks::default();

        let (follow_store, heard) = TopologyTask::new(store.clone(), keys.clone(), None);
        let (follower, topology) = Follower::new(cluster, topology, heard, memory);
        let last_addresses = follower.addresses();
        let record = record_of(&name, addresses);
        let options = registration_options(&startup);
        let (register, registration) = Registration::new(store.clone(), keys.clone(), record, options);
        let shards = Arc::new(ShardTable::default());
        let manager = ShardManager::new(ShardManagerParts {
            store: store.clone(),
            keys: keys.clone(),
            node: name.clone(),
            cluster,
            config: &startup.config,
            folder,
            registration: registration.clone(),
            topology: topology.clone(),
            table: shards.clone(),
            cache: cache.clone(),
            metrics: maintenance.clone(),
        });
        let node = Arc::new(Node {
            config: startup.config,
            name,
            cluster,
            incarnation: Incarnation(rand::random()),
            secret,
            store,
            keys,
            topology,
            last_addresses,
            registration: registration.state(),
            shards,
            signals: signals.clone(),
            store_errors,
            maintenance,
            cache,
        });

        let (stop_watching, stop_following, stop_registration) = (leave.clone(), leave.clone(), leave.clone());
        tasks.spawn("topology", async move {
            follow_store.run(stop_watching).await;
            Ok(())
        });
        tasks.spawn("follower", async move { Ok(follower.run(stop_following).await?) });
        tasks.spawn("registration", async move {
            register.run(stop_registration).await;
            Ok(())
        });
        let stop_shards = close_shards.clone();
        tasks.spawn("shards", async move { Ok(manager.run(stop_shards).await?) });
        let serve = server::serve(node.clone(), ports.http, ports.peer, signals.clone());
        tasks.spawn("server", async move { Ok(serve.await?) });
        Ok(Running { node, tasks, signals, registration, close_shards, leave })
    }

    /// Drains, finishes what runs, closes the logs, leaves the registry.
    async fn end(mut self, stop: Stop) -> anyhow::Result<()> {
        let drain = self.drain_time(stop);
        tracing::info!(drain_seconds = drain.as_secs(), "the node is shutting down");
        self.signals.begin_draining();
        self.registration.update(|record| record.state = NodeState::Stopping);
        tokio::select! {
            biased;
            error = self.tasks.unexpected_end() => return Err(error),
            () = tokio::time::sleep(drain) => {}
        }
        self.signals.begin_stop();
        self.tasks.join(&["server"], SERVER_TIME_MAX).await?;
        self.close_shards.cancel();
        self.tasks.join(&["shards"], SHARDS_TIME_MAX).await.context("closing the logs")?;
        self.leave.cancel();
        self.tasks.join(&["registration", "follower", "topology"], LEAVE_TIME_MAX).await?;
        tracing::info!("the node has shut down");
        Ok(())
    }

    /// A Service may point at this node for a while yet; nobody else waits for one that is alone.
    fn drain_time(&self, stop: Stop) -> Duration {
        match (stop, &self.node.config.cluster) {
            (Stop::Drain, Some(_)) => Duration::from_secs(contract::DRAIN_SECONDS),
            (Stop::Drain, None) | (Stop::Now, _) => Duration::ZERO,
        }
    }
}

async fn becoming_ready(node: &Node) {
    while !node.readiness().ok {
        tokio::time::sleep(READY_INTERVAL).await;
    }
}

fn record_of(name: &NodeName, addresses: Addresses) -> NodeRecord {
    NodeRecord {
        name: name.clone(),
        api: addresses.api,
        peer: addresses.peer,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        formats: FORMATS,
        incarnations: Default::default(),
        troubles: Default::default(),
        state: NodeState::Starting,
    }
}

fn registration_options(startup: &Startup) -> RegistrationOptions {
    let seconds = startup.config.cluster.as_ref().map(|cluster| cluster.lease_ttl_seconds);
    seconds.map_or_else(RegistrationOptions::default, |seconds| {
        RegistrationOptions::with_ttl(Duration::from_secs(seconds))
    })
}

//! A small cluster in one process, for tests: real logs, real ports, and a picture of the cluster that is made by hand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use grepzilla_api::config::NodeConfig;
use grepzilla_api::contract::SECRET_BYTES;
use grepzilla_cluster::keyspace::{Keys, NodeRecord, NodeState};
use grepzilla_cluster::registry::RegistrationState;
use grepzilla_cluster::store::memory::MemoryStore;
use grepzilla_cluster::store::{LeaseId, Revision, SharedStore};
use grepzilla_cluster::topology::Topology;
use grepzilla_model::routing::bucket_of_id;
use grepzilla_model::{
    ClusterUuid, Epoch, Incarnation, IndexName, NodeIndex, NodeName, Ring, RingNode, RingNodeState, ShardConfig,
    ShardId, ShardState,
};
use grepzilla_storage::disk::{Disk, RealDisk};
use grepzilla_storage::{Shard, ShardOptions};
use http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::metrics::maintenance::MaintenanceMetrics;
use crate::metrics::store::StoreErrors;
use crate::node::{ClusterSecret, Node};
use crate::server::{ServeError, serve};
use crate::shards::table::{LeaderShard, LocalShard, ShardTable};
use crate::shutdown::ShutdownSignals;

/// The cluster's secret.
pub(crate) const SECRET: [u8; SECRET_BYTES] = [0x5a; SECRET_BYTES];
/// The cluster's UUID.
pub(crate) const CLUSTER: ClusterUuid = ClusterUuid(Uuid::from_u128(0x6772_6570));

/// Nodes that know each other. Shard `s` is led by node `s % nodes`.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<TestNode>,
    client: reqwest::Client,
    _folder: Folder,
}

/// Where the logs are. They are closed before it goes: a log that finds its folder gone ends the process.
struct Folder {
    led: Vec<Arc<LeaderShard>>,
    _dir: TempDir,
}

/// One of them.
pub(crate) struct TestNode {
    pub(crate) node: Arc<Node>,
    pub(crate) api: SocketAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) picture: watch::Sender<Arc<Topology>>,
    pub(crate) table: Arc<ShardTable>,
    pub(crate) signals: ShutdownSignals,
    pub(crate) server: JoinHandle<Result<(), ServeError>>,
}

impl Cluster {
    /// Starts nodes that serve.
    pub(crate) async fn start(nodes: usize, shards: u32) -> Cluster {
        Cluster::start_with(nodes, shards, |_| {}).await
    }

    /// Starts nodes that serve, with a configuration of one's own.
    pub(crate) async fn start_with(nodes: usize, shards: u32, change: impl Fn(&mut NodeConfig)) -> Cluster {
        Cluster::start_on(Arc::new(RealDisk), nodes, shards, change).await
    }

    /// Starts nodes whose logs are on a disk of one's own.
    pub(crate) async fn start_on(
        disk: Arc<dyn Disk>,
        nodes: usize,
        shards: u32,
        change: impl Fn(&mut NodeConfig),
    ) -> Cluster {
        // Another test may have been first; one provider is as good as the other.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut ports = Vec::new();
        for _ in 0..nodes {
            ports.push((free_port().await, free_port().await));
        }
        let picture = picture(&ports, shards);
        let store: SharedStore = Arc::new(MemoryStore::new());
        let (mut running, mut all_led) = (Vec::new(), Vec::new());
        for (index, (http, peer)) in ports.into_iter().enumerate() {
            let mut config = NodeConfig::default();
            change(&mut config);
            let dir = folder.path().join(index.to_string());
            std::fs::create_dir(&dir).expect("makes a folder");
            config.data.clone_from(&dir);
            let led = (0..shards).map(ShardId).filter(|shard| shard.0 as usize % nodes == index);
            let led: Vec<_> = led.map(|shard| (shard, open(disk.clone(), &dir, shard, &config))).collect();
            all_led.extend(led.iter().map(|(_, leader)| leader.clone()));
            running.push(TestNode::start(index, config, store.clone(), picture.clone(), led, http, peer));
        }
        Cluster { nodes: running, client: client(), _folder: Folder { led: all_led, _dir: folder } }
    }

    /// A request to the HTTP API of a node.
    pub(crate) fn request(&self, node: usize, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, format!("http://{}{path}", self.nodes[node].api))
    }

    /// A request to the peer port of a node, without a handshake.
    pub(crate) fn peer_request(&self, node: usize, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, format!("http://{}{path}", self.nodes[node].peer))
    }

    /// `POST /ingest` of JSON; `query` begins with `?` or is empty.
    pub(crate) async fn ingest(&self, node: usize, query: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        let request = self.request(node, "POST", &format!("/ingest{query}"));
        answer(request.header("content-type", "application/json").body(body)).await
    }

    /// `POST /search`.
    pub(crate) async fn search(&self, node: usize, body: &Value) -> (StatusCode, Value) {
        answer(self.request(node, "POST", "/search").json(body)).await
    }

    /// How many documents a node finds that contain `needle`, in a complete answer.
    pub(crate) async fn count(&self, node: usize, needle: &str) -> u64 {
        let (status, answer) = self.search(node, &json!({ "contains": needle, "count": true })).await;
        assert_eq!((status, &answer["partial"]), (StatusCode::OK, &json!(false)), "{answer}");
        answer["total"].as_u64().expect("a number")
    }

    /// Changes what a node knows of the cluster.
    pub(crate) fn change_picture(&self, node: usize, change: impl Fn(&mut Topology)) {
        self.nodes[node].picture.send_modify(|picture| change(Arc::make_mut(picture)));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for leader in &self.led {
            // A test may have closed or broken it.
            let _ = leader.log.close();
        }
    }
}

impl TestNode {
    fn start(
        index: usize,
        config: NodeConfig,
        store: SharedStore,
        picture: Topology,
        led: Vec<(ShardId, Arc<LeaderShard>)>,
        http: TcpListener,
        peer: TcpListener,
    ) -> TestNode {
        let (api, peer_address) = (address(&http), address(&peer));
        let (picture, topology) = watch::channel(Arc::new(picture));
        let (_, registration) = watch::channel(RegistrationState::Registered(LeaseId(1)));
        let (table, signals) = (Arc::new(ShardTable::default()), ShutdownSignals::new());
        for (shard, leader) in led {
            table.set(shard, LocalShard::Leading(leader));
        }
        let node = Arc::new(Node {
            config,
            name: name(index),
            cluster: CLUSTER,
            incarnation: Incarnation(index as u64),
            secret: Some(ClusterSecret::from(SECRET)),
            store,
            keys: Keys::local(),
            topology,
            last_addresses: Arc::default(),
            registration,
            shards: table.clone(),
            signals: signals.clone(),
            store_errors: StoreErrors::new().expect("well named"),
            maintenance: MaintenanceMetrics::new().expect("well named"),
            cache: Arc::default(),
        });
        let server = tokio::spawn(serve(node.clone(), http, Some(peer), signals.clone()));
        TestNode { node, api, peer: peer_address, picture, table, signals, server }
    }
}

/// Sends a request and reads a JSON answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    (status, answer.json().await.expect("JSON"))
}

/// The name of a node.
pub(crate) fn name(index: usize) -> NodeName {
    format!("n-{index}").as_str().into()
}

/// The header of the cluster's secret.
pub(crate) fn bearer(secret: [u8; SECRET_BYTES]) -> String {
    format!("Bearer {}", ClusterSecret::from(secret).to_hex())
}

/// An id that belongs to a shard of a ring with that many.
pub(crate) fn id_on(shard: u32, shards: u32) -> String {
    let ranges = Ring::even_ranges(shards);
    let range = ranges.iter().find(|range| range.shard == ShardId(shard)).expect("a shard");
    let on = |id: &String| (range.first..=range.last).contains(&bucket_of_id(&IndexName::default(), id));
    (0..).map(|number| format!("id-{number}")).find(on).expect("ids are many")
}

/// A port that takes connections and never says a word.
pub(crate) async fn silent_port() -> (SocketAddr, JoinHandle<()>) {
    let listener = free_port().await;
    let address = address(&listener);
    let silence = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok(accepted) = listener.accept().await {
            held.push(accepted);
        }
    });
    (address, silence)
}

/// A client without proxies and certificates.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client")
}

async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a bound listener has an address")
}

fn open(disk: Arc<dyn Disk>, dir: &std::path::Path, shard: ShardId, config: &NodeConfig) -> Arc<LeaderShard> {
    let queue_bytes_max = config.ingest.queue_bytes_max as usize;
    let options = ShardOptions { wal_bytes_max: 1 << 20, queue_bytes_max, ..ShardOptions::default() };
    let path = dir.join(shard.to_string());
    let log = Shard::open(disk, &path, CLUSTER, shard, options, &|_| {}).expect("opens");
    log.start_epoch(Epoch(1)).expect("starts");
    Arc::new(LeaderShard { shard, epoch: Epoch(1), log: Arc::new(log), publishing: Arc::default() })
}

fn picture(ports: &[(TcpListener, TcpListener)], shards: u32) -> Topology {
    let indexes = (0..ports.len()).map(|index| NodeIndex(index as u32));
    let leader = |shard: u32| shard as usize % ports.len();
    let ring = Ring {
        version: 1,
        feature_level: 1,
        replication_factor: 1,
        nodes: indexes
            .map(|index| {
                (index, RingNode { name: name(index.0 as usize), zone: String::new(), state: RingNodeState::Active })
            })
            .collect(),
        ranges: Ring::even_ranges(shards),
        targets: (0..shards).map(|shard| (ShardId(shard), vec![NodeIndex(leader(shard) as u32)])).collect(),
    };
    let config = |shard: u32| ShardConfig {
        epoch: Epoch(1),
        leader: name(leader(shard)),
        replicas: Vec::new(),
        in_sync: vec![name(leader(shard))],
        min_isr: 1,
        state: ShardState::Active,
        lossy: None,
    };
    let configs = (0..shards).map(|shard| (ShardId(shard), config(shard))).collect();
    let record = |(index, (http, peer)): (usize, &(TcpListener, TcpListener))| {
        let record = NodeRecord {
            name: name(index),
            api: address(http).to_string(),
            peer: address(peer).to_string(),
            version: "1".to_owned(),
            formats: 1,
            incarnations: BTreeMap::new(),
            troubles: BTreeMap::new(),
            state: NodeState::Serving,
        };
        (name(index), record)
    };
    let nodes = ports.iter().enumerate().map(record).collect();
    Topology {
        revision: Revision(1),
        cluster: Some(CLUSTER),
        ring: Arc::new(ring),
        ring_revision: Revision(1),
        configs,
        nodes,
        connected: true,
        ..Topology::unknown()
    }
}

//! A real etcd of one member, in a fresh folder, on free ports, ended with the test whatever its outcome; and what an
//! operator would write into it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_cluster::keyspace::Keys;
use grepzilla_cluster::ring_writer::RingWriter;
use grepzilla_cluster::store::SharedStore;
use grepzilla_cluster::store::etcd::{EtcdOptions, EtcdStore};
use grepzilla_cluster::topology::{self, Topology};
use grepzilla_model::{ClusterUuid, NodeIndex, Ring, RingNode, RingNodeState, ShardId};
use tempfile::TempDir;
use uuid::Uuid;

/// The root of the cluster's keys.
pub(crate) const ROOT: &str = "/tests/logs/gz/v1";

/// One member that answers.
pub(crate) struct Etcd {
    child: Child,
    ports: [u16; 2],
    folder: TempDir,
}

impl Etcd {
    /// Starts it and waits for its answer. A port that was free may be taken when etcd comes to it; then others are tried.
    pub(crate) async fn start() -> Etcd {
        for _ in 0..5 {
            let mut etcd = Etcd::spawn();
            if etcd.answers().await {
                return etcd;
            }
        }
        panic!("etcd did not answer on five rows of free ports; see its output above");
    }

    fn spawn() -> Etcd {
        let (folder, ports) = (tempfile::tempdir().expect("a folder"), free_ports());
        Etcd { child: process(&folder, ports), ports, folder }
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same data and ports, and waits for its answer.
    pub(crate) async fn restart(&mut self) {
        self.child = process(&self.folder, self.ports);
        assert!(self.answers().await, "etcd did not come back");
    }

    /// Where clients go.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Writes what an operator would: the cluster's identity and a ring in which shard `s` belongs to node `s % nodes`.
    pub(crate) async fn write_ring(&self, nodes: u32, shards: u32) {
        self.write_ring_of(7, nodes, shards).await;
    }

    /// The same for a cluster with this UUID.
    pub(crate) async fn write_ring_of(&self, cluster: u128, nodes: u32, shards: u32) {
        let keys = Keys::new(ROOT).expect("a root");
        let writer = RingWriter::take_lead(self.store(), keys, "test").await.expect("takes the lead");
        writer.ensure_cluster(ClusterUuid(Uuid::from_u128(cluster))).await.expect("writes the identity");
        let node = |index: u32| {
            let name = format!("logs-{index}").as_str().into();
            (NodeIndex(index), RingNode { name, zone: String::new(), state: RingNodeState::Active })
        };
        let ring = Ring {
            version: 1,
            feature_level: 1,
            replication_factor: 1,
            nodes: (0..nodes).map(node).collect(),
            ranges: Ring::even_ranges(shards),
            targets: (0..shards)
                .map(|shard| (ShardId(shard), vec![NodeIndex(shard % nodes)]))
                .collect::<BTreeMap<_, _>>(),
        };
        writer.write(None, &ring).await.expect("writes the ring");
    }

    /// What stands in it now.
    pub(crate) async fn topology(&self) -> Topology {
        topology::read(self.store().as_ref(), &Keys::new(ROOT).expect("a root")).await.expect("etcd answers")
    }

    fn store(&self) -> SharedStore {
        Arc::new(EtcdStore::new(EtcdOptions::new([self.endpoint()])).expect("an endpoint"))
    }

    async fn answers(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline && self.child.try_wait().expect("a child of ours can be asked").is_none() {
            if self.store().get("/ready").await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn process(folder: &TempDir, [port, peer_port]: [u16; 2]) -> Child {
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
    let mut command = Command::new(binary());
    command
        .args(["--name", "m0", "--data-dir"])
        .arg(folder.path().join("data"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("m0={peer}"), "--log-level", "panic", "--unsafe-no-fsync"])
        .env_remove("ETCD_NAME")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().expect("etcd can be started")
}

fn free_ports() -> [u16; 2] {
    // Both are held until both are known, so that they differ.
    let held = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    held.each_ref().map(|listener| listener.local_addr().expect("it is bound").port())
}

/// The program: named by `GREPZILLA_ETCD`, or built by `make tools`, or on the PATH.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("GREPZILLA_ETCD") {
        return named.into();
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/grepzilla"));
    let cache = std::env::var_os("GREPZILLA_CACHE").map(PathBuf::from).or_else(home);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("etcd"));
    let built = cache.into_iter().map(|cache| cache.join("bin/etcd"));
    let found = built.chain(on_path).find(|program| program.is_file());
    found.expect("an etcd to test against: run `make tools`, or name one with GREPZILLA_ETCD")
}

//! A real etcd: one process or three, in a fresh folder, on free ports, ended with the test whatever its outcome.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_cluster::store::SharedStore;
use grepzilla_cluster::store::etcd::{EtcdOptions, EtcdStore};
use tempfile::TempDir;

/// One member.
pub(crate) struct EtcdProcess {
    folder: TempDir,
    name: String,
    client_port: u16,
    peer_port: u16,
    /// All members, as etcd's flag wants them.
    initial_cluster: String,
    child: Option<Child>,
}

impl EtcdProcess {
    /// One member that answers.
    pub(crate) async fn start() -> EtcdProcess {
        let mut members = EtcdProcess::start_cluster(1).await;
        members.remove(0)
    }

    /// Members that answer.
    pub(crate) async fn start_cluster(size: usize) -> Vec<EtcdProcess> {
        // A port that was free may be taken when etcd comes to it; then another row of ports is tried.
        for _ in 0..5 {
            let mut members = plan(size);
            members.iter_mut().for_each(EtcdProcess::spawn);
            if answer(&mut members).await {
                return members;
            }
        }
        panic!("etcd did not answer on five rows of free ports; see its output above");
    }

    /// Where clients go.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.client_port)
    }

    /// A store on this member alone.
    pub(crate) fn store(&self) -> SharedStore {
        store_on(&[self])
    }

    /// Stops the process where it is, as a pause of its machine would.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// Ends the process as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child of ours can be killed");
            child.wait().expect("a child of ours can be waited for");
        }
    }

    /// Starts it again on the same data and ports, and waits for its answer.
    pub(crate) async fn restart(&mut self) {
        self.spawn();
        assert!(answer(std::slice::from_mut(self)).await, "etcd did not come back");
    }

    /// Starts it again without waiting: alone it may have no majority to answer with.
    pub(crate) fn spawn(&mut self) {
        let client = format!("http://127.0.0.1:{}", self.client_port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let mut command = Command::new(binary());
        command
            .args(["--name", &self.name, "--data-dir"])
            .arg(self.folder.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &self.initial_cluster, "--initial-cluster-state", "new"])
            // Short terms make short leases possible; the processes are killed, but the machine is not.
            .args(["--heartbeat-interval", "50", "--election-timeout", "500", "--unsafe-no-fsync"])
            .args(["--log-level", "panic"])
            .env_remove("ETCD_NAME")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        self.child = Some(command.spawn().expect("etcd can be started"));
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("the process runs").id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill can be started");
        assert!(status.success(), "SIG{name} did not reach etcd");
    }

    fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().expect("a child of ours can be asked").is_some())
    }
}

impl Drop for EtcdProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A store on several members.
pub(crate) fn store_on(members: &[&EtcdProcess]) -> SharedStore {
    Arc::new(EtcdStore::new(EtcdOptions::new(members.iter().map(|member| member.endpoint()))).expect("endpoints"))
}

fn plan(size: usize) -> Vec<EtcdProcess> {
    let ports = free_ports(2 * size);
    let name = |member: usize| format!("m{member}");
    let peer = |member: usize| format!("{}=http://127.0.0.1:{}", name(member), ports[2 * member + 1]);
    let initial_cluster = (0..size).map(peer).collect::<Vec<String>>().join(",");
    let member = |member: usize| EtcdProcess {
        folder: tempfile::tempdir().expect("a folder"),
        name: name(member),
        client_port: ports[2 * member],
        peer_port: ports[2 * member + 1],
        initial_cluster: initial_cluster.clone(),
        child: None,
    };
    (0..size).map(member).collect()
}

fn free_ports(count: usize) -> Vec<u16> {
    // All are held until all are known, so that they differ.
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")).collect();
    held.iter().map(|listener| listener.local_addr().expect("it is bound").port()).collect()
}

async fn answer(members: &mut [EtcdProcess]) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if members.iter_mut().any(EtcdProcess::has_ended) {
            return false;
        }
        let mut all = true;
        for member in &*members {
            let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, member.client_port)).is_ok();
            all = all && listens && member.store().get("/ready").await.is_ok();
        }
        if all {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// The program: named by `GREPZILLA_ETCD`, or built by `make tools`, or on the PATH.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("GREPZILLA_ETCD") {
        return named.into();
    }
    let cache = match (std::env::var_os("GREPZILLA_CACHE"), std::env::var_os("HOME")) {
        (Some(cache), _) => Some(PathBuf::from(cache)),
        (None, Some(home)) => Some(PathBuf::from(home).join(".cache/grepzilla")),
        (None, None) => None,
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("etcd"));
    let built = cache.into_iter().map(|cache| cache.join("bin/etcd"));
    built.chain(on_path).find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "there is no etcd to test against: run `make tools` (it builds one into ~/.cache/grepzilla/bin), \
             or name one with GREPZILLA_ETCD"
        )
    })
}

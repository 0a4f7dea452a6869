//! A real API server with a real etcd, without any controller: what a StatefulSet's controller, the scheduler and the
//! kubelet would do, the test does. Everything is on loopback and goes with the value.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kube::Client;
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tools::tool;

/// The user that the chart's roles are bound to.
pub(crate) const OPERATOR_USER: &str = "system:serviceaccount:grepzilla-system:grepzilla-operator";
const ADMIN_TOKEN: &str = "admin-of-this-test";
const OPERATOR_TOKEN: &str = "operator-of-this-test";
/// Both take a few seconds; a busy machine may need more.
const START: Duration = Duration::from_secs(120);

/// The processes and what they write.
pub(crate) struct ApiServer {
    processes: Vec<Child>,
    folder: TempDir,
    port: u16,
    etcd_port: u16,
}

impl ApiServer {
    /// Starts both and waits until the API server is ready.
    pub(crate) async fn start() -> ApiServer {
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = TempDir::new().expect("a folder");
        let [port, etcd_port, etcd_peer_port] = free_ports();
        let mut server = ApiServer { processes: Vec::new(), folder, port, etcd_port };
        server.spawn("etcd", &etcd_arguments(server.folder.path(), etcd_port, etcd_peer_port));
        server.write(
            "tokens.csv",
            &format!("{ADMIN_TOKEN},admin,admin,system:masters\n{OPERATOR_TOKEN},{OPERATOR_USER},o\n"),
        );
        let audit = json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata"}],
        });
        server.write("audit.yaml", &audit.to_string());
        server.spawn("kube-apiserver", &api_server_arguments(server.folder.path(), port, etcd_port));
        server.wait_until_ready().await;
        server
    }

    /// A client that may do everything.
    pub(crate) async fn admin(&self) -> Client {
        self.client(ADMIN_TOKEN).await
    }

    /// A client that may do what the chart's roles say.
    pub(crate) async fn operator(&self) -> Client {
        self.client(OPERATOR_TOKEN).await
    }

    /// etcd's endpoint, for clusters too: their root is elsewhere than Kubernetes'.
    pub(crate) fn etcd(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd_port)
    }

    /// The requests of a user so far, each as the audit log has it.
    pub(crate) fn requests_of(&self, user: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.path().join("audit.log")).expect("an audit log");
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["user"]["username"] == user).collect()
    }

    async fn client(&self, token: &str) -> Client {
        let kubeconfig: Kubeconfig = serde_json::from_value(json!({
            "clusters": [{"name": "it", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port), "insecure-skip-tls-verify": true,
            }}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "users": [{"name": "it", "user": {}}],
            "current-context": "it",
        }))
        .expect("a kubeconfig");
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a configuration");
        config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        Client::try_from(config).expect("a client")
    }

    async fn wait_until_ready(&self) {
        let began = Instant::now();
        let client = self.admin().await;
        let request = || axum::http::Request::get("/readyz").body(Vec::new()).expect("a request");
        while client.request_text(request()).await.is_err() {
            assert!(began.elapsed() < START, "the API server does not start: {}", self.read("kube-apiserver.log"));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn spawn(&mut self, name: &str, arguments: &[String]) {
        let log = std::fs::File::create(self.folder.path().join(format!("{name}.log"))).expect("a log");
        let mut command = Command::new(tool(name));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.processes.push(command.spawn().expect("the process starts"));
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Ports that nobody listened on a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

fn etcd_arguments(folder: &Path, port: u16, peer_port: u16) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".into(),
    ]
}

fn api_server_arguments(folder: &Path, port: u16, etcd_port: u16) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        "--etcd-prefix=/registry".into(),
        "--bind-address=127.0.0.1".into(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certificates")),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=RBAC".into(),
        "--disable-admission-plugins=ServiceAccount".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        // It makes this pair for itself before it looks for the two files.
        format!("--service-account-signing-key-file={}", file("certificates/apiserver.key")),
        format!("--service-account-key-file={}", file("certificates/apiserver.crt")),
        "--service-cluster-ip-range=10.98.0.0/16".into(),
        format!("--audit-policy-file={}", file("audit.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
    ]
}

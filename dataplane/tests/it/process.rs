//! A node as its own process: started with a folder of its own, read through its ports and its log, ended with the test.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;

/// How long a node may take to become ready.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// A node that is ready.
pub(crate) struct NodeProcess {
    child: Child,
    address: String,
    client: reqwest::Client,
    folder: TempDir,
}

impl NodeProcess {
    /// A node that is alone.
    pub(crate) fn start_alone(shards: u32) -> NodeProcess {
        NodeProcess::start(|command, _| {
            command.args(["--shards", &shards.to_string()]);
        })
    }

    /// A node of a cluster, whose name is `logs-<index>`.
    pub(crate) fn start_in_cluster(index: u32, root: &str, etcd: &str) -> NodeProcess {
        NodeProcess::start(|command, folder| {
            let (secret, config) = (folder.join("secret"), folder.join("config.yaml"));
            std::fs::write(&secret, [0x11; 32]).expect("writes the secret");
            let cluster = serde_json::json!({"root": root, "etcd": [etcd], "secret_file": secret});
            std::fs::write(&config, serde_json::json!({ "cluster": cluster }).to_string())
                .expect("writes the configuration");
            command.arg("--config").arg(config).args(["--peer-listen", "127.0.0.1:0"]);
            command.args(["--node-name", &format!("logs-{index}"), "--advertise", "127.0.0.1"]);
        })
    }

    fn start(more: impl FnOnce(&mut Command, &Path)) -> NodeProcess {
        // Another test may have been first; one provider is as good as the other.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let log = File::create(log_path(folder.path())).expect("makes the log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_grepzilla"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--data"])
            .arg(folder.path().join("data"));
        more(&mut command, folder.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .env_remove("RUST_LOG")
            .env_remove("GREPZILLA_LOG");
        let mut child = command.spawn().expect("starts the node");
        let address = listening(&mut child, folder.path());
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        NodeProcess { child, address, client, folder }
    }

    /// A request to its HTTP API.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().expect("a method"), format!("http://{}{path}", self.address))
    }

    /// Sends a request and reads a JSON answer.
    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// The lines of its log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(log_path(self.folder.path())).expect("reads the log");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "the log of {}:\n{}",
                self.address,
                std::fs::read_to_string(log_path(self.folder.path())).unwrap_or_default()
            );
        }
    }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// Waits for the one line on stdout that says where the node listens.
fn listening(child: &mut Child, folder: &Path) -> String {
    let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(stdout.lines().next()));
    let line = receiver.recv_timeout(READY_TIME_MAX).ok().flatten().and_then(Result::ok);
    let line: Option<Value> = line.and_then(|line| serde_json::from_str(&line).ok());
    let address = line.and_then(|line| line["listening"].as_str().map(str::to_owned));
    address.unwrap_or_else(|| {
        let _ = child.kill();
        panic!("the node did not become ready:\n{}", std::fs::read_to_string(log_path(folder)).unwrap_or_default())
    })
}

//! A node as its own process: started with a folder of its own, read through its ports and its log, ended with the test.
//! It may be killed, told to stop, and started again on the same folder and the same ports.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;

/// How long a node may take to become ready, and to end.
const TIME_MAX: Duration = Duration::from_secs(60);

/// A node that is ready, or was until it was ended.
pub(crate) struct NodeProcess {
    running: Starting,
    address: String,
    client: reqwest::Client,
}

/// A node that has been started and may not be ready yet.
pub(crate) struct Starting {
    child: Child,
    /// The lines of its stdout, until it ends.
    stdout: mpsc::Receiver<String>,
    arguments: Vec<OsString>,
    folder: TempDir,
}

impl NodeProcess {
    /// A node that is alone.
    pub(crate) fn start_alone(shards: u32) -> NodeProcess {
        let arguments = ["--shards", &shards.to_string()].map(OsString::from);
        Starting::spawn(fresh_folder(), arguments.into()).ready()
    }

    /// A node that is alone and has two shards, with what is left of its configuration as JSON.
    pub(crate) fn start_alone_with(config: &Value) -> NodeProcess {
        let folder = fresh_folder();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, config.to_string()).expect("writes the configuration");
        Starting::spawn(folder, vec!["--config".into(), path.into_os_string()]).ready()
    }

    /// A node of a cluster, whose name is `logs-<index>`.
    pub(crate) fn start_in_cluster(index: u32, root: &str, etcd: &str) -> NodeProcess {
        NodeProcess::spawn_in_cluster(index, root, etcd).ready()
    }

    /// The same, not waiting until it is ready.
    pub(crate) fn spawn_in_cluster(index: u32, root: &str, etcd: &str) -> Starting {
        NodeProcess::spawn_in_cluster_with(index, root, etcd, &Value::Object(Default::default()))
    }

    /// The same, with what is left of its configuration as JSON.
    pub(crate) fn spawn_in_cluster_with(index: u32, root: &str, etcd: &str, more: &Value) -> Starting {
        let folder = fresh_folder();
        let config = write_config(folder.path(), root, etcd, more);
        let mut arguments = vec!["--config".into(), config.into_os_string()];
        let (peer, name) = ("--peer-listen=127.0.0.1:0".to_owned(), format!("--node-name=logs-{index}"));
        arguments.extend([peer, name, "--advertise=127.0.0.1".to_owned()].map(OsString::from));
        Starting::spawn(folder, arguments)
    }

    /// Runs a node that is expected to refuse to start, alone and with these arguments.
    pub(crate) fn refused(arguments: &[&str]) -> (ExitStatus, String) {
        let output = command(["--listen=127.0.0.1:0"]).args(arguments).output().expect("starts the node");
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
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

    /// The lines of its log so far, those of earlier processes on its folder included.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.running.log()
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.running.data()
    }

    /// What it printed on stdout after the line that says where it listens. It must have ended.
    pub(crate) fn stdout_rest(&self) -> Vec<String> {
        self.running.stdout.iter().collect()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.running.child.kill().expect("a child of ours can be killed");
        self.running.child.wait().expect("a child of ours can be waited for");
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.running.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill can be started");
        assert!(status.success(), "SIG{name} did not reach the node");
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.running.ended().await
    }

    /// Starts a node that has ended again, on the same folder and ports, and waits until it is ready.
    pub(crate) fn restart(&mut self) {
        let of = |field: &str| {
            let open = self.log().into_iter().rev().find(|line| line["message"] == "the ports are open");
            open.and_then(|line| line[field].as_str().map(str::to_owned))
        };
        let mut arguments = self.running.arguments.clone();
        arguments.push(format!("--listen={}", of("listening").expect("it was ready before")).into());
        if let Some(peer) = of("peer") {
            arguments.retain(|argument| !argument.to_string_lossy().starts_with("--peer-listen"));
            arguments.push(format!("--peer-listen={peer}").into());
        }
        self.running.respawn(&arguments);
        self.address = self.running.wait_until_ready();
    }

    /// Starts a node that has ended again with another etcd, which it is expected not to accept.
    pub(crate) async fn refused_with(&mut self, root: &str, etcd: &str) -> ExitStatus {
        write_config(self.running.folder.path(), root, etcd, &Value::Object(Default::default()));
        let arguments = self.running.arguments.clone();
        self.running.respawn(&arguments);
        self.ended().await
    }
}

impl Starting {
    fn spawn(folder: TempDir, arguments: Vec<OsString>) -> Starting {
        let (child, stdout) = spawn(folder.path(), &arguments);
        Starting { child, stdout, arguments, folder }
    }

    fn respawn(&mut self, arguments: &[OsString]) {
        (self.child, self.stdout) = spawn(self.folder.path(), arguments);
    }

    /// Waits until it is ready.
    pub(crate) fn ready(self) -> NodeProcess {
        // Another test may have been first; one provider is as good as the other.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let address = self.wait_until_ready();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        NodeProcess { running: self, address, client }
    }

    /// Where it listens, as its log says before it is ready.
    pub(crate) async fn listens_on(&self) -> String {
        let deadline = Instant::now() + TIME_MAX;
        loop {
            let lines = self.log();
            if let Some(address) = lines.iter().find_map(|line| line["listening"].as_str()) {
                return address.to_owned();
            }
            assert!(Instant::now() < deadline, "it does not say where it listens: {lines:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The one line on stdout that says where the node listens.
    fn wait_until_ready(&self) -> String {
        let line = self.stdout.recv_timeout(TIME_MAX).ok();
        let line: Option<Value> = line.and_then(|line| serde_json::from_str(&line).ok());
        let address = line.and_then(|line| line["listening"].as_str().map(str::to_owned));
        address.unwrap_or_else(|| panic!("the node did not become ready"))
    }

    async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + TIME_MAX;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "the node did not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(log_path(self.folder.path())).expect("reads the log");
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
    }

    fn data(&self) -> PathBuf {
        data_path(self.folder.path())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(log_path(self.folder.path())).unwrap_or_default();
            eprintln!("the log of {:?}:\n{log}", self.arguments);
        }
    }
}

fn fresh_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    File::create(log_path(folder.path())).expect("makes the log");
    folder
}

/// The configuration of a node in a cluster, beside its secret.
fn write_config(folder: &Path, root: &str, etcd: &str, more: &Value) -> PathBuf {
    let (secret, config) = (folder.join("secret"), folder.join("config.yaml"));
    std::fs::write(&secret, [0x11; 32]).expect("writes the secret");
    let cluster = serde_json::json!({"root": root, "etcd": [etcd], "secret_file": secret});
    let mut all = more.clone();
    all["cluster"] = cluster;
    std::fs::write(&config, all.to_string()).expect("writes the configuration");
    config
}

/// Starts a node whose log goes on in its folder. A later argument beats an earlier one.
fn spawn(folder: &Path, arguments: &[OsString]) -> (Child, mpsc::Receiver<String>) {
    let log = OpenOptions::new().append(true).open(log_path(folder)).expect("opens the log");
    let has_address = arguments.iter().any(|argument| argument.to_string_lossy().starts_with("--listen"));
    let address = (!has_address).then_some("--listen=127.0.0.1:0");
    let mut command = command(address);
    command.arg("--data").arg(data_path(folder)).args(arguments).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().expect("starts the node");
    let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    (child, lines)
}

fn command(arguments: impl IntoIterator<Item = &'static str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grepzilla"));
    command.args(["serve", "--log-format=json"]).args(arguments);
    command.stdin(Stdio::null()).env_remove("RUST_LOG").env_remove("GREPZILLA_LOG");
    command
}

fn data_path(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

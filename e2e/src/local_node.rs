//! A node that is alone on this machine: a child process with a folder of its own. Both are gone once it is stopped or
//! dropped. It may be started again on the same folder with another configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use grepzilla_api::client::Client;
use grepzilla_api::config::NodeConfig;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a node may take until it is ready.
const START_MAX: Duration = Duration::from_secs(30);
/// How long a node may take to finish what runs, before it is killed.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Lines of its log that are shown when it fails.
const LOG_LINES_SHOWN: usize = 20;

/// A running node.
#[derive(Debug)]
pub struct LocalNode {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl LocalNode {
    /// Starts the `grepzilla` that was built together with this program, on a free port of 127.0.0.1, with everything
    /// at its default, and waits until it is ready.
    pub async fn start() -> Result<LocalNode> {
        LocalNode::start_with(&NodeConfig::default()).await
    }

    /// The same with a configuration, of which the folder and the address do not count.
    pub async fn start_with(config: &NodeConfig) -> Result<LocalNode> {
        let folder = tempfile::Builder::new().prefix("grepzilla-").tempdir().context("a temporary folder")?;
        LocalNode::launch(folder, config).await
    }

    /// Stops it in order and starts it again on its folder. Gives the time from its start until it was ready, too.
    pub async fn restarted(mut self, config: &NodeConfig) -> Result<(LocalNode, Duration)> {
        self.finish().await?;
        let begun = Instant::now();
        let node = LocalNode::launch(self.folder, config).await?;
        Ok((node, begun.elapsed()))
    }

    async fn launch(folder: TempDir, config: &NodeConfig) -> Result<LocalNode> {
        let log = std::fs::File::create(log_of(&folder)).context("a log file")?;
        let file = folder.path().join("node.yaml");
        // JSON is YAML.
        std::fs::write(&file, serde_json::to_string(config)?).context("a configuration file")?;
        let binary = sibling("grepzilla")?;
        let mut child = Command::new(&binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .arg("--config")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for the program, which then stops the node in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        match timeout(START_MAX, announced(&mut child)).await {
            Ok(Ok(address)) => Ok(LocalNode { child, folder, address }),
            Ok(Err(error)) => Err(error.context(log_end(&folder))),
            Err(_) => bail!("the node was not ready after {START_MAX:?}; {}", log_end(&folder)),
        }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::new(&self.url())?)
    }

    /// Its folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its process.
    pub fn id(&self) -> Result<u32> {
        self.child.id().context("the node has ended by itself")
    }

    /// Asks it to finish, waits until it has, and removes its folder.
    pub async fn stop(mut self) -> Result<()> {
        self.finish().await?;
        self.folder.close().context("cannot remove the node's folder")
    }

    async fn finish(&mut self) -> Result<()> {
        let id = self.id().with_context(|| log_end(&self.folder))?;
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM).context("cannot stop the node")?;
        let Ok(status) = timeout(STOP_MAX, self.child.wait()).await else {
            bail!("the node had not finished {STOP_MAX:?} after SIGTERM and was killed; {}", log_end(&self.folder));
        };
        let status = status?;
        if !status.success() {
            bail!("the node ended with {status}; {}", log_end(&self.folder));
        }
        Ok(())
    }
}

/// A program that was built together with this one.
pub fn sibling(name: &str) -> Result<PathBuf> {
    let me = std::env::current_exe().context("where this program is")?;
    let path = me.with_file_name(name);
    if !path.is_file() {
        bail!("{} is missing: build the whole workspace", path.display());
    }
    Ok(path)
}

/// The address in the one line that a node prints on its standard output when it is ready.
async fn announced(child: &mut Child) -> Result<SocketAddr> {
    let stdout = child.stdout.take().context("a pipe")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    if line.is_empty() {
        bail!("the node ended before it was ready");
    }
    let announced: Value = serde_json::from_str(&line).with_context(|| format!("the node said {line:?}"))?;
    let address = announced["listening"].as_str().with_context(|| format!("the node said {line:?}"))?;
    address.parse().with_context(|| format!("{address} is not an address"))
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("node.log")
}

fn log_end(folder: &TempDir) -> String {
    let text = read(&log_of(folder));
    let lines: Vec<&str> = text.lines().collect();
    format!("its log ends with\n{}", lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n"))
}

fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

//! Loki: one process with a folder of its own, loaded over its HTTP API and asked in LogQL.
//!
//! Its limits are lifted where they would refuse the corpus. Lines get times of their own, one after the other, because it
//! refuses what is old; they are spread over a few streams, since it searches streams side by side.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{CLIENTS, DOCUMENTS_PER_REQUEST, Engine, Found, Load, folder_bytes};
use crate::corpus::{Body, Corpus};
use crate::http::{body, client, metric};
use crate::needle::{Form, Needle};
use crate::process::{peak_memory_mib, processor_time};
use crate::progress::Progress;

/// How long it may take to start, and to write what it has in memory to its chunks.
const START_MAX: Duration = Duration::from_secs(90);
const FLUSH_MAX: Duration = Duration::from_secs(300);
/// Streams that the lines are spread over.
const STREAMS: u64 = 4;
/// Between the times of two lines.
const LINE_NS: u64 = 100_000;
/// The program's name and the label of all lines.
const NAME: &str = "loki";
const LABEL: &str = "corpus";

/// A running server.
pub(crate) struct Loki {
    runtime: Runtime,
    http: reqwest::Client,
    version: String,
    folder: TempDir,
    server: Child,
    address: Url,
    /// The times of the first line and behind the last one, in nanoseconds since 1970.
    span: (u64, u64),
}

impl Loki {
    /// Starts one; an error says what is missing.
    pub(crate) fn start() -> Result<Loki> {
        let version = Command::new(NAME).arg("--version").stdin(Stdio::null()).output();
        let version = version.context("loki is not on PATH (e2e/kind/tools.sh loki builds it)")?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        // `loki, version v3.7.8 (branch: ...`
        let mut words = version.split_whitespace().filter_map(|word| word.strip_prefix('v'));
        let numbered = words.find(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        let version = numbered.unwrap_or("of an unknown version").to_owned();
        let folder = tempfile::Builder::new().prefix("grepzilla-loki-").tempdir()?;
        let [http_port, grpc_port] = free_ports()?;
        let file = folder.path().join("loki.yaml");
        std::fs::write(&file, config(&folder, http_port, grpc_port).to_string())?;
        let log = std::fs::File::create(folder.path().join("loki.log"))?;
        let server = Command::new(NAME)
            .arg(format!("-config.file={}", file.display()))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let address = Url::parse(&format!("http://127.0.0.1:{http_port}/"))?;
        let (runtime, http) = (Runtime::new()?, client()?);
        let mut loki = Loki { runtime, http, version, folder, server, address, span: (0, 0) };
        loki.wait_until_it_is_ready()?;
        Ok(loki)
    }

    fn wait_until_it_is_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.get("ready", &[]) {
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self.folder.path().join("loki.log"))?;
                bail!("loki ended with {status}: {}", log.lines().last().unwrap_or_default());
            }
            if begun.elapsed() > START_MAX {
                return Err(error.context("loki does not become ready"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn url(&self, path: &str, parameters: &[(&str, String)]) -> Result<Url> {
        let mut url = self.address.join(path)?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        Ok(url)
    }

    fn get(&self, path: &str, parameters: &[(&str, String)]) -> Result<String> {
        let request = self.http.get(self.url(path, parameters)?);
        self.runtime.block_on(async { body(request).await })
    }

    /// The answer to a query, and how long it took to arrive as a whole.
    fn ask(&self, path: &str, parameters: &[(&str, String)]) -> Result<(Value, Duration)> {
        let begun = Instant::now();
        let answer = self.get(path, parameters)?;
        let took = begun.elapsed();
        let answer: Value = serde_json::from_str(&answer)?;
        ensure!(answer["status"] == "success", "loki answers {}", answer["status"]);
        Ok((answer["data"]["result"].clone(), took))
    }

    async fn send_all(&self, corpus: &Corpus) -> Result<()> {
        let mut progress = Progress::begin(format!("{}: loading Loki", corpus.name), corpus.bytes);
        let push = self.url("loki/api/v1/push", &[])?;
        let mut time = self.span.0;
        let bodies = corpus.whole().bodies(DOCUMENTS_PER_REQUEST)?.enumerate().map(|(number, body)| {
            let body = body?;
            let (first, bytes) = (time, body.text.len() + 1);
            time += body.documents as u64 * LINE_NS;
            anyhow::Ok((bytes, streams(&body, number as u64 % STREAMS, first)))
        });
        let requests = stream::iter(bodies).map(async |batch| {
            let (bytes, batch) = batch?;
            body(self.http.post(push.clone()).json(&batch)).await?;
            anyhow::Ok(bytes)
        });
        let mut taken = requests.buffer_unordered(CLIENTS);
        while let Some(bytes) = taken.try_next().await? {
            progress.add(bytes as u64)?;
        }
        Ok(())
    }

    /// Has everything written to chunks, and waits until it is.
    fn flush(&self) -> Result<String> {
        let request = self.http.post(self.url("flush", &[])?);
        self.runtime.block_on(async { body(request).await })?;
        let begun = Instant::now();
        loop {
            let left = metric(&self.get("metrics", &[])?, "loki_ingester_memory_chunks");
            if left == 0.0 {
                return Ok("all in chunks".to_owned());
            }
            if begun.elapsed() > FLUSH_MAX {
                return Ok(format!("NOT flushed after {} s: {left} chunks in memory", FLUSH_MAX.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Engine for Loki {
    fn name(&self) -> String {
        format!("Loki {}", self.version)
    }

    fn load(&mut self, corpus: &Corpus) -> Result<Load> {
        let used = processor_time(self.server.id())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        self.span = (now - corpus.documents * LINE_NS, now);
        let begun = Instant::now();
        self.runtime.block_on(self.send_all(corpus))?;
        let sent = begun.elapsed();
        let state = self.flush()?;
        let settled = begun.elapsed();
        let data = self.folder.path().join("data");
        let is_log = |path: &std::path::Path| path.components().any(|part| part.as_os_str() == "wal");
        Ok(Load {
            sent,
            settled,
            processor: processor_time(self.server.id())? - used,
            store_bytes: folder_bytes(&data, &|path| !is_log(path))?,
            log_bytes: folder_bytes(&data, &is_log)?,
            parts: Vec::new(),
            state,
        })
    }

    fn count(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let (from, to) = self.span;
        // The range of an instant query ends with its time, and does not hold the moment in which it begins.
        let range = (to - from) / 1_000_000 + 1_000;
        let query = format!("sum(count_over_time({}[{range}ms]))", lines(needle));
        let (result, took) = self.ask("loki/api/v1/query", &[("query", query), ("time", to.to_string())])?;
        let count = match result[0]["value"][1].as_str() {
            Some(count) => count.parse().with_context(|| format!("{count} is not a count"))?,
            None => 0,
        };
        Ok(Some(Found::new(count, took)))
    }

    fn newest(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let (from, to) = self.span;
        let parameters = [
            ("query", lines(needle)),
            ("limit", "100".to_owned()),
            ("direction", "backward".to_owned()),
            ("start", from.to_string()),
            ("end", (to + 1).to_string()),
        ];
        let (result, took) = self.ask("loki/api/v1/query_range", &parameters)?;
        let streams = result.as_array().context("streams")?;
        let count = streams.iter().filter_map(|stream| stream["values"].as_array()).map(Vec::len).sum::<usize>();
        Ok(Some(Found::new(count as u64, took)))
    }

    fn peak_memory_mib(&self) -> Result<Option<f64>> {
        peak_memory_mib(self.server.id()).map(Some)
    }
}

impl Drop for Loki {
    fn drop(&mut self) {
        // Its folder goes with it, so nothing is worth its way of stopping.
        if self.server.kill().is_err() || self.server.wait().is_err() {
            eprintln!("Loki could not be stopped");
        }
    }
}

/// The body of a push.
fn streams(body: &Body, stream: u64, first_ns: u64) -> Value {
    let times = (first_ns..).step_by(LINE_NS as usize);
    let values: Vec<[String; 2]> =
        body.text.split('\n').zip(times).map(|(line, time)| [time.to_string(), line.to_owned()]).collect();
    json!({"streams": [{"stream": {LABEL: stream.to_string()}, "values": values}]})
}

/// The lines with a needle, in LogQL.
fn lines(needle: &Needle) -> String {
    // Its strings are Go's, of which JSON's are a part.
    let quoted = |text: &str| Value::from(text).to_string();
    let filter = match (needle.form, needle.case_sensitive) {
        (Form::Contains, true) => format!("|= {}", quoted(needle.text)),
        (Form::Contains, false) => format!("|~ {}", quoted(&format!("(?i){}", regex::escape(needle.text)))),
        (Form::Wildcard | Form::Regex, true) => format!("|~ {}", quoted(&needle.as_regex())),
        (Form::Wildcard | Form::Regex, false) => format!("|~ {}", quoted(&format!("(?i){}", needle.as_regex()))),
    };
    format!("{{{LABEL}=~\".+\"}} {filter}")
}

/// Ports that were free a moment ago: it cannot be told to take any and say which.
fn free_ports() -> Result<[u16; 2]> {
    let sockets = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    Ok([sockets[0].local_addr()?.port(), sockets[1].local_addr()?.port()])
}

fn config(folder: &TempDir, http_port: u16, grpc_port: u16) -> Value {
    let bytes = 256 << 20;
    json!({
        "auth_enabled": false,
        "analytics": {"reporting_enabled": false},
        "server": {
            "http_listen_address": "127.0.0.1", "http_listen_port": http_port,
            "grpc_listen_address": "127.0.0.1", "grpc_listen_port": grpc_port,
            "grpc_server_max_recv_msg_size": bytes, "grpc_server_max_send_msg_size": bytes, "log_level": "warn",
        },
        "common": {
            "instance_addr": "127.0.0.1", "path_prefix": folder.path().join("data"), "replication_factor": 1,
            "storage": {"filesystem": {
                "chunks_directory": folder.path().join("data/chunks"), "rules_directory": folder.path().join("data/rules"),
            }},
            "ring": {"kvstore": {"store": "inmemory"}},
        },
        "schema_config": {"configs": [{
            "from": "2020-10-24", "store": "tsdb", "object_store": "filesystem", "schema": "v13",
            "index": {"prefix": "index_", "period": "24h"},
        }]},
        "limits_config": {
            "ingestion_rate_mb": 4096, "ingestion_burst_size_mb": 4096,
            "per_stream_rate_limit": "4GB", "per_stream_rate_limit_burst": "4GB",
            "max_line_size": "8MB", "query_timeout": "5m", "discover_service_name": [],
        },
    })
}

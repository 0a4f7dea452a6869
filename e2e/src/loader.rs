//! A loader that writes without pause, remembers what was acknowledged, and checks afterwards that it is there once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::gateway::Gateway;

/// Documents in one request.
const DOCUMENTS_PER_REQUEST: u32 = 20;
/// Pause after a request that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);
/// Pause between requests, so that a story does not measure the machine.
const PAUSE: Duration = Duration::from_millis(20);

/// A running loader.
pub struct Loader {
    gateway: Gateway,
    index: String,
    run: u128,
    stop: Arc<AtomicBool>,
    workers: JoinSet<Written>,
}

/// What one worker, or all of them, wrote.
#[derive(Debug, Default)]
pub struct Written {
    /// Documents whose request was answered with 200.
    pub acknowledged: Vec<String>,
    /// Requests that were refused or not answered; their documents may be there or not.
    pub failed_requests: u64,
}

impl Loader {
    /// Starts `workers` workers that write to `index`. No document is ever sent twice.
    pub fn start(gateway: &Gateway, index: &str, workers: u32) -> Loader {
        let stop = Arc::new(AtomicBool::new(false));
        // Tells this run's documents from those of an earlier one in the same cluster.
        let run = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_millis();
        let mut tasks = JoinSet::new();
        for worker in 0..workers {
            tasks.spawn(write(gateway.clone(), index.to_owned(), format!("run{run}-w{worker}"), Arc::clone(&stop)));
        }
        Loader { gateway: gateway.clone(), index: index.to_owned(), run, stop, workers: tasks }
    }

    /// Stops, and checks that every acknowledged document is there exactly once, and no other one more than once.
    pub async fn stop_and_check(mut self) -> Result<Written> {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = Written::default();
        while let Some(worker) = self.workers.join_next().await {
            let worker = worker.context("a loader's worker")?;
            written.acknowledged.extend(worker.acknowledged);
            written.failed_requests += worker.failed_requests;
        }
        let present = present(&self.gateway, &self.index, self.run).await?;
        if let Some((marker, times)) = present.iter().find(|(_, times)| **times != 1) {
            bail!("document {marker} is there {times} times");
        }
        let lost: Vec<_> = written.acknowledged.iter().filter(|marker| !present.contains_key(*marker)).collect();
        ensure!(lost.is_empty(), "{} acknowledged documents are lost, for example {:?}", lost.len(), lost[0]);
        ensure!(!written.acknowledged.is_empty(), "the loader got nothing acknowledged: {written:?}");
        Ok(written)
    }
}

async fn write(gateway: Gateway, index: String, worker: String, stop: Arc<AtomicBool>) -> Written {
    let mut written = Written::default();
    for request in 0u32.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let markers: Vec<String> =
            (0..DOCUMENTS_PER_REQUEST).map(|number| format!("{worker}-r{request}-d{number}")).collect();
        let lines: Vec<String> = markers
            .iter()
            .map(|marker| json!({"marker": marker, "message": "written under fire"}).to_string())
            .collect();
        match gateway.ingest(&index, lines.join("\n")).await {
            Ok(answer) if answer.status == StatusCode::OK => {
                written.acknowledged.extend(markers);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(_) | Err(_) => {
                written.failed_requests += 1;
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
    written
}

/// Every marker of a run with how often it is there, read page by page.
async fn present(gateway: &Gateway, index: &str, run: u128) -> Result<HashMap<String, u32>> {
    let mut present = HashMap::new();
    let mut cursor = Value::Null;
    loop {
        let page = gateway
            .search_whole(&json!({"contains": format!("run{run}-"), "field": "marker", "index": [index],
                                  "page": {"size": 1000, "cursor": cursor}, "limits": {"deadline_ms": 60_000}}))
            .await?;
        for hit in page["hits"].as_array().context("hits are a list")? {
            let marker = hit["source"]["marker"].as_str().context("every document has a marker")?;
            *present.entry(marker.to_owned()).or_default() += 1;
        }
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            return Ok(present);
        }
    }
}

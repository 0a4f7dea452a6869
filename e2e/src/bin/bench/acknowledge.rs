//! How fast single documents are acknowledged, each synced to the disk before: what group commit is for.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use grepzilla_api::client::{Client, Documents, Retry};
use grepzilla_api::ingest::IngestParameters;
use grepzilla_e2e::local_node::LocalNode;
use serde_json::{Value, json};

use crate::report::milliseconds;

/// Clients of the runs, in this order.
const CLIENTS: [usize; 2] = [1, 64];
/// How long each run lasts.
const LASTS: Duration = Duration::from_secs(5);

/// The figures of one run.
pub(crate) struct Acknowledged {
    clients: usize,
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

/// Runs all of them on a fresh node.
pub(crate) async fn run() -> Result<Vec<Acknowledged>> {
    let node = LocalNode::start().await?;
    let mut runs = Vec::new();
    for clients in CLIENTS {
        let client = node.client()?.with_retry(Retry::never());
        let all: Vec<Vec<Duration>> = try_join_all((0..clients).map(|_| one_client(client.clone()))).await?;
        let mut took = all.concat();
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize];
        let per_second = took.len() as f64 / LASTS.as_secs_f64();
        runs.push(Acknowledged { clients, per_second, p50: at(0.5), p99: at(0.99) });
    }
    node.stop().await?;
    Ok(runs)
}

async fn one_client(client: Client) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        let document = json!({"message": format!("request {} was answered with 200", took.len())}).to_string();
        let asked = Instant::now();
        let answer = client.ingest(&Documents::ndjson(document), &IngestParameters::default()).await?;
        ensure!(answer.appended == 1, "a document was not taken: {answer:?}");
        took.push(asked.elapsed());
    }
    Ok(took)
}

impl Acknowledged {
    pub(crate) fn cells(&self) -> Vec<String> {
        vec![
            self.clients.to_string(),
            format!("{:.0}", self.per_second),
            milliseconds(self.p50),
            milliseconds(self.p99),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "clients": self.clients,
            "acknowledgements_per_second": self.per_second,
            "p50_ms": self.p50.as_secs_f64() * 1e3,
            "p99_ms": self.p99.as_secs_f64() * 1e3,
        })
    }
}

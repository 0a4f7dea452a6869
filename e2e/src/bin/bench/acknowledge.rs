//! How fast single documents are acknowledged, each synced to the disk before: what group commit is for; and whether they
//! are there the moment they are.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use grepzilla_api::client::{Client, Documents, Retry};
use grepzilla_api::config::NodeConfig;
use grepzilla_api::ingest::IngestParameters;
use grepzilla_api::search::{Page, SearchRequest};
use grepzilla_e2e::local_node::LocalNode;
use serde_json::{Value, json};

use crate::engine::grepzilla::metrics::{LogWork, Metrics};
use crate::report::{cells, milliseconds, print_table};
use crate::timing::Times;

/// Clients of the runs, in this order.
const CLIENTS: [usize; 2] = [1, 64];
/// How long each run lasts.
const LASTS: Duration = Duration::from_secs(5);
/// Documents that are searched for as soon as they are acknowledged.
const SEARCHED: usize = 200;

/// All runs, on one shard.
pub(crate) struct Acknowledged {
    pub(crate) runs: Vec<Run>,
    /// Documents, of [`SEARCHED`], that the first search behind the acknowledgement found.
    pub(crate) visible: usize,
}

/// The figures of one run.
pub(crate) struct Run {
    pub(crate) clients: usize,
    pub(crate) per_second: f64,
    pub(crate) times: Times,
    /// Batches in one write and one sync of the log.
    pub(crate) per_group: f64,
    sync_milliseconds: f64,
}

/// Runs all of them on a fresh node.
pub(crate) async fn run() -> Result<Acknowledged> {
    eprintln!("single documents ...");
    let node = LocalNode::start_with(&NodeConfig { shards: 1, ..NodeConfig::default() }).await?;
    let (client, metrics) = (node.client()?.with_retry(Retry::never()), Metrics::of(&node)?);
    let visible = visible(&client).await?;
    let mut runs = Vec::new();
    for clients in CLIENTS {
        // What a first request waits for once is not what is measured.
        try_join_all((0..clients).map(|_| for_some_time(&client, LASTS / 10))).await?;
        let before = LogWork::of(&metrics.scrape().await?);
        let all = try_join_all((0..clients).map(|_| for_some_time(&client, LASTS))).await?.concat();
        let after = LogWork::of(&metrics.scrape().await?);
        let per_second = all.len() as f64 / LASTS.as_secs_f64();
        let Some(times) = Times::of(all) else { continue };
        let (per_group, sync_milliseconds) = (after.records_per_group(&before), after.sync_milliseconds(&before));
        runs.push(Run { clients, per_second, times, per_group, sync_milliseconds });
    }
    node.stop().await?;
    Ok(Acknowledged { runs, visible })
}

async fn for_some_time(client: &Client, lasts: Duration) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < lasts {
        took.push(write(client, &format!("request {} was answered with 200", took.len())).await?);
    }
    Ok(took)
}

async fn write(client: &Client, message: &str) -> Result<Duration> {
    let document = json!({ "message": message }).to_string();
    let asked = Instant::now();
    let answer = client.ingest(&Documents::ndjson(document), &IngestParameters::default()).await?;
    ensure!(answer.appended == 1, "a document was not taken: {answer:?}");
    Ok(asked.elapsed())
}

async fn visible(client: &Client) -> Result<usize> {
    let mut visible = 0;
    for number in 0..SEARCHED {
        let message = format!("the only document {number:05}");
        write(client, &message).await?;
        let page = Page { size: 0, cursor: None };
        let request = SearchRequest { exact: Some(message), count: true, page, ..SearchRequest::default() };
        visible += usize::from(client.search(&request).await?.total == 1);
    }
    Ok(visible)
}

impl Acknowledged {
    pub(crate) fn print(&self) {
        println!("\n# Single documents, one shard, each acknowledged when it is on disk\n");
        let head = cells(["clients", "acks/s", "p50 ms", "p99 ms", "records a group", "ms a sync"]);
        let row = |run: &Run| {
            vec![
                run.clients.to_string(),
                format!("{:.0}", run.per_second),
                milliseconds(run.times.p50()),
                milliseconds(run.times.p99()),
                format!("{:.1}", run.per_group),
                format!("{:.2}", run.sync_milliseconds),
            ]
        };
        print_table(&head, &self.runs.iter().map(row).collect::<Vec<_>>());
        println!("found by a search right behind the acknowledgement: {} of {SEARCHED}", self.visible);
    }

    /// Whether every document was.
    pub(crate) fn all_visible(&self) -> bool {
        self.visible == SEARCHED
    }

    pub(crate) fn json(&self) -> Value {
        let run = |run: &Run| {
            let mut json = run.times.json();
            json["clients"] = run.clients.into();
            json["acknowledgements_per_second"] = run.per_second.into();
            json["records_per_group"] = run.per_group.into();
            json["sync_ms"] = run.sync_milliseconds.into();
            json
        };
        json!({
            "runs": self.runs.iter().map(run).collect::<Vec<_>>(),
            "visible_at_acknowledgement": {"found": self.visible, "of": SEARCHED},
        })
    }
}

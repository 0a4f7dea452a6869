//! Grepzilla: one node with everything at its default, loaded over HTTP with a sync before each acknowledgement.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use grepzilla_api::client::{Client, Documents, Retry};
use grepzilla_api::ingest::IngestParameters;
use grepzilla_api::search::{Page, SearchLimits, SearchRequest, SearchResponse};
use grepzilla_e2e::local_node::LocalNode;
use tokio::runtime::Runtime;

use super::{Engine, Found, Load, folder_bytes};
use crate::corpus::Corpus;
use crate::needle::{Form, Needle};
use crate::process::{peak_memory_mib, processor_time};

/// Documents in one request.
pub(crate) const DOCUMENTS_PER_REQUEST: usize = 250;

/// How long the node's processor must rest before nothing is left to be done in the background.
const QUIET: Duration = Duration::from_secs(2);

/// A node, and how many clients load it.
pub(crate) struct Grepzilla {
    runtime: Runtime,
    clients: usize,
    node: Option<LocalNode>,
    /// From the sending of a request to its acknowledgement, ascending.
    acknowledgements: Vec<Duration>,
}

impl Grepzilla {
    pub(crate) fn new(clients: usize) -> Result<Grepzilla> {
        Ok(Grepzilla { runtime: Runtime::new()?, clients, node: None, acknowledgements: Vec::new() })
    }

    /// How long acknowledgements took, ascending.
    pub(crate) fn acknowledgements(&self) -> &[Duration] {
        &self.acknowledgements
    }

    /// The most memory that the node ever held, in MiB.
    pub(crate) fn peak_memory_mib(&self) -> Result<f64> {
        peak_memory_mib(self.running()?.id()?)
    }

    /// Ends the node.
    pub(crate) fn stop(mut self) -> Result<()> {
        let node = self.node.take().context("a corpus is loaded first")?;
        self.runtime.block_on(node.stop())
    }

    fn running(&self) -> Result<&LocalNode> {
        self.node.as_ref().context("a corpus is loaded first")
    }

    fn search(&self, needle: &Needle, size: usize, count: bool) -> Result<(SearchResponse, Duration)> {
        let client = self.running()?.client()?;
        let request = request(needle, size, count);
        let (answer, took) = self.runtime.block_on(async {
            // The first request of a client makes its connection.
            client.readyz().await?;
            let begun = Instant::now();
            let answer = client.search(&request).await?;
            anyhow::Ok((answer, begun.elapsed()))
        })?;
        ensure!(!answer.partial, "the answer for {:?} is not whole: {:?}", needle.text, answer.failed_shards);
        Ok((answer, took))
    }
}

impl Engine for Grepzilla {
    fn name(&self) -> String {
        "Grepzilla".to_owned()
    }

    fn load(&mut self, corpus: &Corpus) -> Result<Load> {
        let node = self.runtime.block_on(LocalNode::start())?;
        let id = node.id()?;
        let client = node.client()?.with_retry(Retry::never());
        let begun = Instant::now();
        self.acknowledgements = self.runtime.block_on(send_all(&client, corpus, self.clients))?;
        self.acknowledgements.sort_unstable();
        let took = begun.elapsed() + rested(id)?;
        let load = Load { took, processor: processor_time(id)?, disk_bytes: folder_bytes(&node.data())? };
        self.node = Some(node);
        Ok(load)
    }

    fn count(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let (answer, took) = self.search(needle, 0, true)?;
        Ok(Some(Found { count: answer.total, took }))
    }

    fn newest(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let (answer, took) = self.search(needle, 100, false)?;
        Ok(Some(Found { count: answer.hits.len() as u64, took }))
    }
}

fn request(needle: &Needle, size: usize, count: bool) -> SearchRequest {
    let text = |form| (needle.form == form).then(|| needle.text.to_owned());
    SearchRequest {
        contains: text(Form::Contains),
        wildcard: text(Form::Wildcard),
        regex: text(Form::Regex),
        case_sensitive: needle.case_sensitive,
        count,
        page: Page { size, cursor: None },
        limits: SearchLimits { deadline_ms: 60_000, ..SearchLimits::default() },
        ..SearchRequest::default()
    }
}

async fn send_all(client: &Client, corpus: &Corpus, clients: usize) -> Result<Vec<Duration>> {
    let bodies = corpus.documents.chunks(DOCUMENTS_PER_REQUEST).map(|lines| (lines.len(), lines.join("\n")));
    stream::iter(bodies.map(|(documents, body)| send(client, documents, body)))
        .buffer_unordered(clients)
        .try_collect()
        .await
}

async fn send(client: &Client, documents: usize, body: String) -> Result<Duration> {
    let begun = Instant::now();
    let answer = client.ingest(&Documents::ndjson(body), &IngestParameters::default()).await?;
    ensure!(answer.appended == documents as u64, "{} of {documents} documents were taken: {answer:?}", answer.appended);
    Ok(begun.elapsed())
}

/// Waits until a process rests; gives the time from now until it began to.
fn rested(id: u32) -> Result<Duration> {
    let begun = Instant::now();
    let (mut used, mut since) = (processor_time(id)?, Duration::ZERO);
    while begun.elapsed() - since < QUIET {
        std::thread::sleep(Duration::from_millis(100));
        let now = processor_time(id)?;
        // A node that only keeps its lease uses a hundredth of a second now and then.
        if now - used > Duration::from_millis(20) {
            (used, since) = (now, begun.elapsed());
        }
    }
    Ok(since)
}

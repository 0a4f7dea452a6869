//! How fast a fresh node takes all documents, each request acknowledged when it is on disk.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use grepzilla_api::client::{Client, Documents, Retry};
use grepzilla_api::ingest::IngestParameters;
use grepzilla_e2e::local_node::LocalNode;
use serde_json::{Value, json};

use crate::corpus::Corpus;
use crate::process::{peak_memory_mib, processor_time};

/// Documents in one request.
pub(crate) const DOCUMENTS_PER_REQUEST: usize = 250;

/// The figures of one run.
pub(crate) struct Ingest {
    clients: usize,
    documents: usize,
    bytes: usize,
    took: Duration,
    /// From the sending of a request to its acknowledgement, ascending.
    acknowledgements: Vec<Duration>,
    processor: Duration,
    memory_mib: f64,
}

/// Loads the corpus into a new node with so many clients at once, and answers the node with it.
pub(crate) async fn run(corpus: &Corpus, clients: usize) -> Result<(LocalNode, Ingest)> {
    let node = LocalNode::start().await?;
    let client = node.client()?.with_retry(Retry::never());
    let bodies: Vec<_> =
        corpus.documents.chunks(DOCUMENTS_PER_REQUEST).map(|lines| (lines.len(), lines.join("\n"))).collect();
    let processor_before = processor_time(node.id()?)?;
    let begun = Instant::now();
    let mut acknowledgements: Vec<Duration> = stream::iter(bodies)
        .map(|(documents, body)| send(&client, documents, body))
        .buffer_unordered(clients)
        .try_collect()
        .await?;
    let took = begun.elapsed();
    acknowledgements.sort_unstable();
    let figures = Ingest {
        clients,
        documents: corpus.documents.len(),
        bytes: corpus.bytes,
        took,
        acknowledgements,
        processor: processor_time(node.id()?)? - processor_before,
        memory_mib: peak_memory_mib(node.id()?)?,
    };
    Ok((node, figures))
}

async fn send(client: &Client, documents: usize, body: String) -> Result<Duration> {
    let begun = Instant::now();
    let answer = client.ingest(&Documents::ndjson(body), &IngestParameters::default()).await?;
    ensure!(answer.appended == documents as u64, "{} of {documents} documents were taken: {answer:?}", answer.appended);
    Ok(begun.elapsed())
}

impl Ingest {
    pub(crate) const HEAD: &str =
        "clients   documents/s     MB/s   ack p50 ms   ack p99 ms   CPU s per GB   peak memory MiB";

    fn per_second(&self, amount: usize) -> f64 {
        amount as f64 / self.took.as_secs_f64()
    }

    fn acknowledged_ms(&self, share: f64) -> f64 {
        let last = self.acknowledgements.len() - 1;
        self.acknowledgements[(last as f64 * share).round() as usize].as_secs_f64() * 1e3
    }

    fn processor_s_per_gb(&self) -> f64 {
        self.processor.as_secs_f64() / (self.bytes as f64 / 1e9)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "clients": self.clients,
            "documents_per_second": self.per_second(self.documents),
            "bytes_per_second": self.per_second(self.bytes),
            "acknowledgement_p50_ms": self.acknowledged_ms(0.5),
            "acknowledgement_p99_ms": self.acknowledged_ms(0.99),
            "processor_seconds_per_gb": self.processor_s_per_gb(),
            "peak_memory_mib": self.memory_mib,
        })
    }
}

impl fmt::Display for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>7} {:>13.0} {:>8.1} {:>12.1} {:>12.1} {:>14.1} {:>17.0}",
            self.clients,
            self.per_second(self.documents),
            self.per_second(self.bytes) / 1e6,
            self.acknowledged_ms(0.5),
            self.acknowledged_ms(0.99),
            self.processor_s_per_gb(),
            self.memory_mib,
        )
    }
}

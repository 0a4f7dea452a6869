//! Loading a node over HTTP, many clients at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use grepzilla_api::client::{Client, Documents};
use grepzilla_api::ingest::IngestParameters;

use crate::corpus::{Body, Stretch};
use crate::engine::{CLIENTS, DOCUMENTS_PER_REQUEST};
use crate::progress::Progress;

/// Sends all documents. Gives how long each acknowledgement took.
pub(super) async fn send_all(client: &Client, what: &str, stretch: &Stretch) -> Result<Vec<Duration>> {
    let mut progress = Progress::begin(format!("{what}: loading"), stretch.bytes());
    let mut took = Vec::new();
    let requests = stream::iter(stretch.bodies(DOCUMENTS_PER_REQUEST)?).map(|body| send(client, body));
    let mut acknowledged = requests.buffer_unordered(CLIENTS);
    while let Some((bytes, time)) = acknowledged.try_next().await? {
        progress.add(bytes as u64)?;
        took.push(time);
    }
    Ok(took)
}

async fn send(client: &Client, body: Result<Body>) -> Result<(usize, Duration)> {
    let Body { documents, text } = body?;
    let bytes = text.len() + 1;
    let begun = Instant::now();
    let answer = client.ingest(&Documents::ndjson(text), &IngestParameters::default()).await?;
    ensure!(answer.appended == documents as u64, "{} of {documents} documents were taken: {answer:?}", answer.appended);
    Ok((bytes, begun.elapsed()))
}

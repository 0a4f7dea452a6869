//! `gz put`: documents from files or standard input into a node, in batches, several at once.
//!
//! Each batch has an Idempotency-Key, the same for every attempt, by which nodes know it again: an attempt whose answer was
//! lost is repeated without harm. A batch whose fate stays unknown ends the work and is named with its lines.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Result, bail};
use clap::Args;
use futures::stream::{self, Stream, StreamExt};
use grepzilla_api::client::{Client, ClientError, Documents};
use grepzilla_api::ingest::{Ack, IngestParameters, IngestResponse};
use uuid::Uuid;

use crate::put::batch::{Batch, BatchBuilder};
use crate::put::input::{Lines, Source};
use crate::put::report::Report;
use crate::{NodeArguments, Outcome};

mod batch;
mod input;
mod report;

/// Put documents: one JSON object a line.
///
/// Files are read as they are or, if they are packed, through gzip or zstd; that is told by their first bytes. Empty
/// lines are passed over. A document that is refused is named with its file, line and reason, the others are taken.
///
/// Exit code: 0 when every document was taken, 1 when some were refused, 2 when the work could not be finished.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct PutArguments {
    /// Files; `-` or none at all is standard input
    files: Vec<PathBuf>,
    /// The index the documents belong to
    #[arg(long, short, value_name = "NAME", default_value = "main")]
    index: String,
    /// Bytes of documents sent in one request, at most; a longer document goes alone
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = clap::value_parser!(u64).range(1..=15 << 20))]
    batch_bytes: u64,
    /// Requests under way at once; 1 keeps the order of the documents, which counts when an `_id` comes twice
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// What an acknowledgement waits for
    #[arg(long, value_enum, default_value = "quorum")]
    ack: AckArgument,
    /// A name for this work: done again within a day with the same name, files and sizes, it adds nothing twice
    #[arg(long, value_name = "NAME", value_parser = key_of)]
    key: Option<String>,
    #[command(flatten)]
    node: NodeArguments,
}

const EXAMPLES: &str = "\
Examples:
  gz put events.jsonl
  gz put --index audit 2026-11-*.jsonl.gz
  journalctl -o json -n 1000 | gz put --index journal
  gz put --parallel 1 changes.jsonl     later versions of an _id stay later
  gz put --key nightly-17 events.jsonl  may be repeated as often as need be";

/// The longest `--key`; a node takes no key of more than 512 bytes.
const KEY_BYTES_MAX: usize = 256;

fn key_of(text: &str) -> Result<String, String> {
    let visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    match visible && text.len() <= KEY_BYTES_MAX {
        true => Ok(text.to_owned()),
        false => Err(format!("a name has 1 to {KEY_BYTES_MAX} visible ASCII characters")),
    }
}

/// What an acknowledgement waits for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum AckArgument {
    /// Durable on the shard's leader
    Leader,
    /// Durable on a majority, and visible
    Quorum,
    /// Durable on every replica in sync
    All,
}

/// Runs the command.
pub(crate) async fn run(arguments: PutArguments) -> Result<Outcome> {
    if arguments.files.is_empty() && std::io::stdin().is_terminal() {
        bail!("say which files to put, or pipe documents in; `gz help put` has examples");
    }
    let client = arguments.node.client()?;
    let sources = arguments.sources();
    let read = Arc::new(AtomicU64::new(0));
    let mut report = Report::new(sources.iter().map(Source::bytes).sum(), Arc::clone(&read));
    let parameters = arguments.parameters();
    let stop = AtomicBool::new(false);
    let key = arguments.key.clone().unwrap_or_else(|| format!("gz-{}", Uuid::now_v7()));

    let (client, parameters, key) = (&client, &parameters, &key);
    let batches = batches(sources, arguments.batch_bytes as usize, read, &stop).enumerate();
    let mut answers = Box::pin(
        batches
            .map(|(number, batch)| async move { send(client, parameters, batch?, format!("{key}-{number}")).await })
            .buffer_unordered(usize::from(arguments.parallel)),
    );
    let mut failure = None;
    // After a failure nothing new is begun, but what is under way is seen to its end, so that the totals are true.
    while let Some(answer) = answers.next().await {
        match answer {
            Ok((batch, Ok(answer))) => report.answered(&batch, &answer),
            Ok((batch, Err(error))) if speaks_of_the_batch(&error) => report.refused(&batch, &error),
            Ok((batch, Err(error))) => {
                report.failed(&batch, &error);
                stop.store(true, Ordering::Relaxed);
                failure = Some("not every document was sent".to_owned());
            }
            Err(error) => {
                stop.store(true, Ordering::Relaxed);
                failure = Some(format!("{error:#}"));
            }
        }
    }
    drop(answers);
    let outcome = report.finish();
    failure.map_or(Ok(outcome), |failure| bail!(failure))
}

impl PutArguments {
    fn sources(&self) -> Vec<Source> {
        let of = |path: &PathBuf| if path.as_os_str() == "-" { Source::Stdin } else { Source::File(path.clone()) };
        if self.files.is_empty() { vec![Source::Stdin] } else { self.files.iter().map(of).collect() }
    }

    fn parameters(&self) -> IngestParameters {
        let ack = match self.ack {
            AckArgument::Leader => Ack::Leader,
            AckArgument::Quorum => Ack::Quorum,
            AckArgument::All => Ack::All,
        };
        IngestParameters { index: Some(self.index.clone()), ack: Some(ack), ..IngestParameters::default() }
    }
}

/// Whether another batch may fare better: this one is too large or is not JSON, while a node that is away stays away.
fn speaks_of_the_batch(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status, .. } if matches!(status.as_u16(), 400 | 409 | 413 | 422))
}

async fn send(
    client: &Client,
    parameters: &IngestParameters,
    batch: Batch,
    key: String,
) -> Result<(Batch, Result<IngestResponse, ClientError>)> {
    let documents = Documents::ndjson(batch.body.clone()).with_key(key);
    let answer = client.ingest(&documents, parameters).await;
    Ok((batch, answer))
}

/// Reads all sources one after another into batches, until `stop` is set or a source cannot be read.
fn batches(
    sources: Vec<Source>,
    bytes_max: usize,
    read: Arc<AtomicU64>,
    stop: &AtomicBool,
) -> impl Stream<Item = Result<Batch>> {
    let reader = Reader { sources: sources.into_iter(), bytes_max, read, current: None };
    stream::unfold(Some(reader), async move |reader| {
        let mut reader = reader?;
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        match reader.next().await {
            Ok(batch) => batch.map(|batch| (Ok(batch), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

struct Reader {
    sources: std::vec::IntoIter<Source>,
    bytes_max: usize,
    read: Arc<AtomicU64>,
    current: Option<(Lines, BatchBuilder)>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Batch>> {
        let mut line = Vec::new();
        loop {
            let Some((lines, builder)) = &mut self.current else {
                let Some(source) = self.sources.next() else { return Ok(None) };
                let lines = source.open(Arc::clone(&self.read)).await?;
                let builder = BatchBuilder::new(Arc::clone(lines.name()), self.bytes_max);
                self.current = Some((lines, builder));
                continue;
            };
            let full = match lines.next(&mut line).await? {
                Some(number) => builder.push(number, &line),
                None => {
                    let last = builder.finish();
                    self.current = None;
                    last
                }
            };
            if full.is_some() {
                return Ok(full);
            }
        }
    }
}

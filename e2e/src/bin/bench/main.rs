//! The benchmark: Grepzilla beside ripgrep on the same documents in the same run, and durable ingest at 1 and 16 clients.
//!
//! `bench OUTPUT.json [CORPUS]`: the corpus is NDJSON, packed with zstd or plain; the shipped documents if none is given.
//! Prints tables, writes the figures as JSON, and fails on nothing but a failure: figures are for people to judge.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use grepzilla_e2e::local_node::LocalNode;
use serde_json::json;

use crate::corpus::Corpus;
use crate::ingest::Ingest;
use crate::needle::Compared;

mod corpus;
mod ingest;
mod needle;
mod process;

/// Clients of the ingest runs, in this order; the searches run on the node of the last one.
const CLIENTS: [usize; 2] = [1, 16];

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let (output, corpus) = arguments()?;
    let corpus = Corpus::load(corpus.as_deref())?;
    println!("{}: {} documents, {:.1} MB of JSON\n", corpus.name, corpus.documents.len(), corpus.bytes as f64 / 1e6);

    let load = process::load_average()?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{processors} processors, load average {load:.1} before the run: what else runs makes both sides slower.\n"
    );

    println!(
        "Ingest over HTTP, fsync before each acknowledgement, {} documents a request:",
        ingest::DOCUMENTS_PER_REQUEST
    );
    println!("{}", Ingest::HEAD);
    let mut ingests = Vec::new();
    let mut node: Option<LocalNode> = None;
    for clients in CLIENTS {
        if let Some(before) = node.take() {
            before.stop().await?;
        }
        let (loaded, figures) = ingest::run(&corpus, clients).await?;
        println!("{figures}");
        ingests.push(figures);
        node = Some(loaded);
    }
    let node = node.context("there is a run")?;

    println!(
        "\nSearch, median of {} runs: an exact count and the newest 10 documents, against the count of `rg`:",
        needle::RUNS
    );
    println!("{}", Compared::HEAD);
    let mut searches = Vec::new();
    for needle in needle::NEEDLES {
        let compared = needle.compare(&node.client()?, &corpus.plain).await?;
        println!("{compared}");
        searches.push(compared);
    }
    println!(
        "\nripgrep counts lines, keys and escapes included, so its counts may differ: the ratio compares times only."
    );
    node.stop().await?;

    let figures = json!({
        "corpus": {"name": corpus.name, "documents": corpus.documents.len(), "bytes": corpus.bytes},
        "processors": processors,
        "load_average_before": load,
        "ingest": ingests.iter().map(Ingest::json).collect::<Vec<_>>(),
        "search": searches.iter().map(Compared::json).collect::<Vec<_>>(),
    });
    std::fs::write(&output, serde_json::to_string_pretty(&figures)? + "\n")
        .with_context(|| format!("cannot write {}", output.display()))?;
    println!("\nThe same as JSON: {}", output.display());
    Ok(())
}

fn arguments() -> Result<(PathBuf, Option<PathBuf>)> {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match arguments.as_slice() {
        [output] => Ok((output.clone(), None)),
        [output, corpus] => Ok((output.clone(), Some(corpus.clone()).filter(|corpus| corpus != Path::new("")))),
        _ => bail!("usage: bench OUTPUT.json [CORPUS]"),
    }
}

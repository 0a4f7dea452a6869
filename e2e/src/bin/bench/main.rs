//! The benchmark: Grepzilla beside its peers on the same documents in the same run.
//!
//! `bench OUTPUT.json [CORPUS]`: the corpus is NDJSON, packed with zstd or plain; the shipped documents if none is given.
//! A second corpus is made of short lines of text that this machine has. Peers that are not installed are left out with
//! the reason. Prints tables, writes the figures as JSON, and fails on nothing but a failure: figures are for people to
//! judge.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::acknowledge::Acknowledged;
use crate::corpus::Corpus;
use crate::engine::{Clp, Engine, Grepzilla, Postgres, Ripgrep};
use crate::report::{milliseconds, print_table};

mod acknowledge;
mod compare;
mod corpus;
mod engine;
mod needle;
mod process;
mod report;

/// Clients that load a node at once.
const CLIENTS: usize = 16;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let (output, corpus) = arguments()?;
    let load = process::load_average()?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{processors} processors, load average {load:.1} before the run: what else runs makes all sides slower.");

    let acknowledged = tokio::runtime::Runtime::new()?.block_on(acknowledge::run())?;
    println!("\n# Single documents, each acknowledged when it is on disk\n");
    let head = ["clients", "acks/s", "p50 ms", "p99 ms"].map(str::to_owned);
    print_table(&head, &acknowledged.iter().map(Acknowledged::cells).collect::<Vec<_>>());

    let mut compared = Vec::new();
    for corpus in [Corpus::events(corpus.as_deref()), Corpus::lines()] {
        compared.push(all_systems(&corpus?)?);
    }
    println!("ripgrep and PostgreSQL see lines, keys and escapes included, so counts may differ.");

    let figures = json!({
        "processors": processors,
        "load_average_before": load,
        "single_documents": acknowledged.iter().map(Acknowledged::json).collect::<Vec<_>>(),
        "corpora": compared,
    });
    std::fs::write(&output, serde_json::to_string_pretty(&figures)? + "\n")
        .with_context(|| format!("cannot write {}", output.display()))?;
    println!("\nThe same as JSON: {}", output.display());
    Ok(())
}

/// One corpus in ripgrep, Grepzilla, and the peers that are here.
fn all_systems(corpus: &Corpus) -> Result<Value> {
    let (mut ripgrep, mut grepzilla) = (Ripgrep::default(), Grepzilla::new(CLIENTS)?);
    let mut postgres = found("PostgreSQL", Postgres::start());
    let mut clp = found("clp-s", Clp::find());
    let mut engines: Vec<&mut dyn Engine> = vec![&mut ripgrep, &mut grepzilla];
    engines.extend(postgres.as_mut().map(|engine| engine as &mut dyn Engine));
    engines.extend(clp.as_mut().map(|engine| engine as &mut dyn Engine));
    let mut figures = compare::compare(corpus, engines)?;

    let acknowledgements = grepzilla.acknowledgements();
    let at = |share: f64| acknowledgements[((acknowledgements.len() - 1) as f64 * share).round() as usize];
    let memory_mib = grepzilla.peak_memory_mib()?;
    println!(
        "Grepzilla: batches of {} documents from {CLIENTS} clients acknowledged in p50 {} ms, p99 {} ms; peak memory {memory_mib:.0} MiB\n",
        engine::DOCUMENTS_PER_REQUEST,
        milliseconds(at(0.5)),
        milliseconds(at(0.99)),
    );
    figures["grepzilla"] = json!({
        "acknowledgement_p50_ms": at(0.5).as_secs_f64() * 1e3,
        "acknowledgement_p99_ms": at(0.99).as_secs_f64() * 1e3,
        "peak_memory_mib": memory_mib,
    });
    grepzilla.stop()?;
    Ok(figures)
}

fn found<T>(name: &str, engine: Result<T>) -> Option<T> {
    engine.inspect_err(|error| println!("{name} is left out: {error:#}")).ok()
}

fn arguments() -> Result<(PathBuf, Option<PathBuf>)> {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match arguments.as_slice() {
        [output] => Ok((output.clone(), None)),
        [output, corpus] => Ok((output.clone(), Some(corpus.clone()).filter(|corpus| corpus != Path::new("")))),
        _ => bail!("usage: bench OUTPUT.json [CORPUS]"),
    }
}

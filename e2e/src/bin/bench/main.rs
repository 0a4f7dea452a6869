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

use crate::bars::Bar;
use crate::bars::search::{Searches, without_cache};
use crate::compare::{Comparison, asked};
use crate::corpus::{Corpus, Kind};
use crate::engine::grepzilla::State;
use crate::engine::{Clp, Engine, Grepzilla, Loki, Postgres, Ripgrep};
use crate::needle::Class;
use crate::report::milliseconds;

mod acknowledge;
mod bars;
mod compare;
mod corpus;
mod engine;
mod growth;
mod http;
mod interrupt;
mod needle;
mod process;
mod progress;
mod report;
mod timing;

/// Larger corpora are compared in segments only: the hot tier is not meant for them.
const HOT_BYTES_MAX: u64 = 256_000_000;
/// The places of two systems among those that are compared, and how many there are without peers.
const RIPGREP: usize = 0;
const SEGMENTS: usize = 1;
const OWN: usize = 2;

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
    interrupt::listen()?;
    let load = process::load_average()?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{processors} processors, load average {load:.1} before the run: what else runs makes all sides slower.");
    println!("{}", compare::HOW_OFTEN);

    let acknowledged = tokio::runtime::Runtime::new()?.block_on(acknowledge::run())?;
    acknowledged.print();

    let events = Corpus::events(corpus.as_deref())?;
    let (mut compared, mut all_bars) = (Vec::new(), Vec::new());
    for corpus in [&events, &Corpus::lines()?] {
        let (figures, bars) = all_systems(corpus)?;
        compared.push(figures);
        all_bars.push((corpus.name.clone(), bars));
    }
    println!("ripgrep, Loki and PostgreSQL see lines, keys and escapes included, so counts may differ.");
    let growth = growth::run(&events)?;
    growth.print();

    let mut node_bars = bars::cost::of_acknowledgements(&acknowledged);
    node_bars.push(bars::cost::of_replay(&growth.replay));
    node_bars.extend(bars::cost::of_growth(&growth));
    all_bars.push(("the node".to_owned(), node_bars));
    all_bars.iter().for_each(|(name, bars)| bars::print(name, bars));
    println!("zoekt and VictoriaLogs are not run here: theirs are figures of another day, on the 1.6 GB of corpus S.");

    let figures = json!({
        "processors": processors,
        "load_average_before": load,
        "peak_memory_mib_of_this_program": process::peak_memory_mib(std::process::id())?,
        "runs": compare::HOW_OFTEN,
        "single_documents": acknowledged.json(),
        "corpora": compared,
        "growth": growth.json(),
        "bars": all_bars.iter().map(|(name, bars)| json!({"of": name, "bars": bars::json(bars)})).collect::<Vec<_>>(),
    });
    std::fs::write(&output, serde_json::to_string_pretty(&figures)? + "\n")
        .with_context(|| format!("cannot write {}", output.display()))?;
    println!("\nThe same as JSON: {}", output.display());
    Ok(())
}

/// One corpus in ripgrep, Grepzilla, and the peers that are here.
fn all_systems(corpus: &Corpus) -> Result<(Value, Vec<Bar>)> {
    let (mut ripgrep, mut segments) = (Ripgrep::default(), Grepzilla::start(State::Segments)?);
    let mut hot = (corpus.bytes <= HOT_BYTES_MAX).then(|| Grepzilla::start(State::Hot)).transpose()?;
    let mut postgres = found("PostgreSQL", Postgres::start());
    let mut loki = found("Loki", Loki::start());
    let mut clp = found("clp-s", Clp::find());
    let mut engines: Vec<&mut dyn Engine> = vec![&mut ripgrep, &mut segments];
    let others: [Option<&mut dyn Engine>; 4] = [
        hot.as_mut().map(|engine| engine as &mut dyn Engine),
        postgres.as_mut().map(|engine| engine as &mut dyn Engine),
        loki.as_mut().map(|engine| engine as &mut dyn Engine),
        clp.as_mut().map(|engine| engine as &mut dyn Engine),
    ];
    engines.extend(others.into_iter().flatten());
    let comparison = compare::compare(corpus, engines, OWN)?;
    match hot {
        Some(hot) => hot.stop()?,
        None => println!("{} is too large for the hot tier: see the smallest size of how cost grows.", corpus.name),
    }
    comparison.print(&corpus.name);

    let mut figures = comparison.json();
    figures["name"] = corpus.name.clone().into();
    if let Some(times) = segments.acknowledgements() {
        println!(
            "Grepzilla: batches of {} documents from {} clients acknowledged in p50 {} ms, p99 {} ms",
            engine::DOCUMENTS_PER_REQUEST,
            engine::CLIENTS,
            milliseconds(times.p50()),
            milliseconds(times.p99()),
        );
        figures["batch_acknowledgements"] = times.json();
    }
    let mut bars = Searches { comparison: &comparison, system: SEGMENTS, ripgrep: RIPGREP }.bars();
    bars.extend(bars::cost::of_load(corpus.kind, &comparison, SEGMENTS));
    bars.extend(bars_without_cache(corpus, &comparison, &mut segments)?);
    segments.stop()?;
    if corpus.kind == Kind::Lines {
        bars = bars.into_iter().map(Bar::without_fixed).collect();
    }
    Ok((figures, bars))
}

/// The common needle once more, with hardly any memory for what was read.
fn bars_without_cache(corpus: &Corpus, comparison: &Comparison, segments: &mut Grepzilla) -> Result<Vec<Bar>> {
    segments.restart(State::SegmentsWithoutCache)?;
    let mut bars = Vec::new();
    for needle in corpus.needles().iter().filter(|it| [Class::Common, Class::CommonAsWritten].contains(&it.class)) {
        let row = asked(needle, &mut [&mut *segments], |engine| engine.count(needle))?;
        if let Some((answer, ripgrep)) = row.answers[0].as_ref().zip(comparison.count(needle.class, RIPGREP)) {
            bars.push(without_cache(needle.class, answer, ripgrep.times.p50()));
        }
    }
    Ok(bars)
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

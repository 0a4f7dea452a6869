//! One corpus in all systems: what loading it cost, and what each needle takes, in turn, so that a slow moment of the
//! machine strikes all of them.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::corpus::Corpus;
use crate::engine::{Engine, Found, Load};
use crate::interrupt;
use crate::needle::{Class, Needle};
use crate::report::{cells, megabytes, milliseconds, print_table, ratio};
use crate::timing::Times;

/// Runs of each needle in each system behind the first, which warms up: as many as fit into [`RUNS_TIME`] up to
/// [`RUNS_MAX`], or as fit into [`RUNS_TIME_MAX`] up to [`RUNS_MIN`]; one at least.
const RUNS_MAX: usize = 100;
const RUNS_MIN: usize = 5;
const RUNS_TIME: Duration = Duration::from_millis(600);
const RUNS_TIME_MAX: Duration = Duration::from_millis(1_500);

/// What those constants mean, for people.
pub(crate) const HOW_OFTEN: &str = "Each question is asked once to warm up, then again and again in turn in all systems: \
    for 0.6 s, 100 times at most; if that is not 5 times, up to 5 times for 1.5 s.";

/// All systems with one corpus.
pub(crate) struct Comparison {
    pub(crate) bytes: u64,
    pub(crate) documents: u64,
    /// The first system is the measure of the others' times.
    pub(crate) systems: Vec<String>,
    pub(crate) loads: Vec<Load>,
    pub(crate) counts: Vec<Row>,
    pub(crate) newest: Vec<Row>,
    pub(crate) peak_memory_mib: Vec<Option<f64>>,
}

/// One needle in all systems; `None` where a system has no words for it.
pub(crate) struct Row {
    pub(crate) needle: Needle,
    pub(crate) answers: Vec<Option<Answer>>,
}

/// What a system answers to one question, and how fast.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) first: Found,
    pub(crate) times: Times,
}

/// Loads and asks. A peer that cannot take the corpus is left out; the first `own` systems must.
pub(crate) fn compare(corpus: &Corpus, engines: Vec<&mut dyn Engine>, own: usize) -> Result<Comparison> {
    let (mut engines, loads) = loaded(corpus, engines, own)?;
    let (mut counts, mut newest) = (Vec::new(), Vec::new());
    for needle in corpus.needles() {
        eprintln!("{}: {} `{}` ...", corpus.name, needle.class.name(), needle.text);
        counts.push(asked(needle, &mut engines, |engine| engine.count(needle))?);
        newest.push(asked(needle, &mut engines, |engine| engine.newest(needle))?);
    }
    let peak_memory_mib = engines.iter().map(|engine| engine.peak_memory_mib()).collect::<Result<_>>()?;
    let systems = engines.iter().map(|engine| engine.name()).collect();
    let Corpus { bytes, documents, .. } = *corpus;
    Ok(Comparison { bytes, documents, systems, loads, counts, newest, peak_memory_mib })
}

fn loaded<'a>(
    corpus: &Corpus,
    engines: Vec<&'a mut dyn Engine>,
    own: usize,
) -> Result<(Vec<&'a mut dyn Engine>, Vec<Load>)> {
    let (mut loaded, mut loads) = (Vec::new(), Vec::new());
    for (place, engine) in engines.into_iter().enumerate() {
        interrupt::check()?;
        let name = engine.name();
        eprintln!("{}: loading {name} ...", corpus.name);
        match engine.load(corpus).with_context(|| format!("{name} cannot take the corpus")) {
            Ok(load) => {
                loads.push(load);
                loaded.push(engine);
            }
            Err(error) if place < own => return Err(error),
            Err(error) => println!("{name} is left out: {error:#}"),
        }
    }
    Ok((loaded, loads))
}

/// Asks one question of all systems, again and again. One that fails at it says why and has no answer.
pub(crate) fn asked(
    needle: &Needle,
    engines: &mut [&mut dyn Engine],
    ask: impl Fn(&mut dyn Engine) -> Result<Option<Found>>,
) -> Result<Row> {
    interrupt::check()?;
    let ask = |engine: &mut dyn Engine| {
        let found = ask(&mut *engine);
        found.unwrap_or_else(|error| {
            println!("{} fails at {:?}: {error:#}", engine.name(), needle.text);
            None
        })
    };
    let firsts: Vec<Option<Found>> = engines.iter_mut().map(|engine| ask(*engine)).collect();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); engines.len()];
    for _ in 0..RUNS_MAX {
        interrupt::check()?;
        for ((engine, first), times) in engines.iter_mut().zip(&firsts).zip(&mut times) {
            if first.is_some()
                && is_due(times)
                && let Some(again) = ask(*engine)
            {
                times.push(again.took);
            }
        }
    }
    let answers =
        firsts.into_iter().zip(times).map(|(first, times)| Some(Answer { first: first?, times: Times::of(times)? }));
    Ok(Row { needle: *needle, answers: answers.collect() })
}

fn is_due(times: &[Duration]) -> bool {
    let spent: Duration = times.iter().sum();
    spent < if times.len() < RUNS_MIN { RUNS_TIME_MAX } else { RUNS_TIME }
}

impl Comparison {
    /// The answers of one system to the question for how many, by what the needle stands for.
    pub(crate) fn count(&self, class: Class, system: usize) -> Option<&Answer> {
        self.counts.iter().find(|row| row.needle.class == class)?.answers[system].as_ref()
    }

    pub(crate) fn print(&self, name: &str) {
        println!("\n# {name}: {} documents, {} MB\n", self.documents, megabytes(self.bytes));
        self.print_loads();
        let head: Vec<String> = cells(["needle", "found"]).into_iter().chain(self.systems.clone()).collect();
        println!("exact count: ms p50 / p99, in brackets p50 as a ratio to {}:", self.systems[0]);
        print_table(&head, &self.counts.iter().map(Row::cells).collect::<Vec<_>>());
        println!("newest 100: ms p50 / p99:");
        print_table(&head, &self.newest.iter().map(Row::cells).collect::<Vec<_>>());
    }

    fn print_loads(&self) {
        let head = cells([
            "system",
            "acked MB/s",
            "at rest MB/s",
            "CPU s/GB",
            "store MB",
            "raw/store",
            "log MB",
            "peak MiB",
            "state",
        ]);
        let rows = (0..self.systems.len()).map(|system| {
            let load = &self.loads[system];
            let speed = |time: Duration| match time {
                Duration::ZERO => "-".to_owned(),
                time => format!("{:.1}", self.bytes as f64 / 1e6 / time.as_secs_f64()),
            };
            vec![
                self.systems[system].clone(),
                speed(load.sent),
                speed(load.settled),
                format!("{:.1}", self.processor_per_gigabyte(system)),
                megabytes(load.store_bytes),
                format!("{:.1}", self.bytes as f64 / load.store_bytes.max(1) as f64),
                megabytes(load.log_bytes),
                self.peak_memory_mib[system].map_or("-".to_owned(), |memory| format!("{memory:.0}")),
                load.state.clone(),
            ]
        });
        print_table(&head, &rows.collect::<Vec<_>>());
        for (system, load) in self.systems.iter().zip(&self.loads).filter(|(_, load)| !load.parts.is_empty()) {
            let part = |(name, bytes): &(String, u64)| {
                format!("{name} {} ({:.2} %)", megabytes(*bytes), *bytes as f64 * 100.0 / self.bytes as f64)
            };
            println!(
                "{system}, MB of the store (of raw): {}\n",
                load.parts.iter().map(part).collect::<Vec<_>>().join(", ")
            );
        }
    }

    /// Processor seconds for a GB of documents, all background work included.
    pub(crate) fn processor_per_gigabyte(&self, system: usize) -> f64 {
        self.loads[system].processor.as_secs_f64() / (self.bytes as f64 / 1e9)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "documents": self.documents,
            "bytes": self.bytes,
            "systems": self.systems,
            "loads": self.loads.iter().map(load_json).collect::<Vec<_>>(),
            "count": self.counts.iter().map(Row::json).collect::<Vec<_>>(),
            "newest": self.newest.iter().map(Row::json).collect::<Vec<_>>(),
            "peak_memory_mib": self.peak_memory_mib,
        })
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let measure = self.answers[0].as_ref().map(|answer| answer.times.p50().as_secs_f64());
        let counts: Vec<u64> = self.answers.iter().flatten().map(|answer| answer.first.count).collect();
        let mut cells = vec![self.needle_cell(), tell_counts(&counts)];
        cells.extend(self.answers.iter().enumerate().map(|(position, answer)| match (answer, measure) {
            (None, _) => "-".to_owned(),
            (Some(answer), Some(measure)) if position > 0 => {
                format!("{} ({})", answer.cell(), ratio(answer.times.p50().as_secs_f64(), measure))
            }
            (Some(answer), _) => answer.cell(),
        }));
        cells
    }

    pub(crate) fn needle_cell(&self) -> String {
        format!("{} `{}`", self.needle.class.name(), self.needle.text)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "needle": self.needle.class.name(),
            "text": self.needle.text,
            "case_sensitive": self.needle.case_sensitive,
            "systems": self.answers.iter().map(|answer| answer.as_ref().map(Answer::json)).collect::<Vec<_>>(),
        })
    }
}

impl Answer {
    fn cell(&self) -> String {
        format!("{} / {}", milliseconds(self.times.p50()), milliseconds(self.times.p99()))
    }

    pub(crate) fn json(&self) -> Value {
        let mut json = self.times.json();
        json["found"] = self.first.count.into();
        json["blocks_read"] = self.first.blocks_read.into();
        json
    }
}

/// Systems that look at lines, at values or at words find different numbers.
fn tell_counts(counts: &[u64]) -> String {
    match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least == most => most.to_string(),
        (Some(least), Some(most)) => format!("{least}-{most}"),
        _ => "-".to_owned(),
    }
}

fn load_json(load: &Load) -> Value {
    json!({
        "sent_seconds": load.sent.as_secs_f64(),
        "settled_seconds": load.settled.as_secs_f64(),
        "processor_seconds": load.processor.as_secs_f64(),
        "store_bytes": load.store_bytes,
        "log_bytes": load.log_bytes,
        "parts": load.parts.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "state": load.state,
    })
}

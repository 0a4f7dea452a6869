//! One corpus in all systems: what loading it cost, and what each needle takes, in turn, so that a slow moment of the
//! machine strikes all of them.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::corpus::Corpus;
use crate::engine::{Engine, Found, Load};
use crate::needle::Needle;
use crate::report::{median, milliseconds, print_table};

/// Runs of each needle behind the first, which warms up; odd, so that one of them is the median.
const RUNS: usize = 5;
/// Runs of a needle that takes a system longer than [`SLOW`].
const RUNS_SLOW: usize = 1;
const SLOW: Duration = Duration::from_secs(3);

/// A system with a corpus in it.
struct Loaded<'a> {
    engine: &'a mut dyn Engine,
    load: Load,
}

/// Compares, prints, and gives the figures. The first system is the measure of the others' times.
pub(crate) fn compare(corpus: &Corpus, engines: Vec<&mut dyn Engine>) -> Result<Value> {
    let mut loaded = Vec::new();
    for engine in engines {
        let name = engine.name();
        eprintln!("{}: loading {name} ...", corpus.name);
        let load = engine.load(corpus).with_context(|| format!("{name} cannot take the corpus"))?;
        loaded.push(Loaded { engine, load });
    }
    let names: Vec<String> = loaded.iter().map(|it| it.engine.name()).collect();
    print_loads(corpus, &loaded);
    let head = |first: &str| -> Vec<String> {
        [first.to_owned(), "found".to_owned()].into_iter().chain(names.clone()).collect()
    };

    let (mut counts, mut newest) = (Vec::new(), Vec::new());
    for needle in corpus.needles {
        eprintln!("{}: {} ...", corpus.name, needle.name);
        counts.push(measured(needle, &mut loaded, |engine| engine.count(needle))?);
        newest.push(measured(needle, &mut loaded, |engine| engine.newest(needle))?);
    }
    println!("exact count, median ms, in brackets the ratio to {}:", names[0]);
    print_table(&head("needle"), &counts.iter().map(Row::cells).collect::<Vec<_>>());
    println!("newest 100, median ms:");
    print_table(&head("needle"), &newest.iter().map(Row::cells).collect::<Vec<_>>());
    Ok(json!({
        "corpus": {"name": corpus.name, "documents": corpus.documents.len(), "bytes": corpus.bytes},
        "systems": names,
        "load": loaded.iter().map(|it| load_json(&it.load)).collect::<Vec<_>>(),
        "count": counts.iter().map(Row::json).collect::<Vec<_>>(),
        "newest": newest.iter().map(Row::json).collect::<Vec<_>>(),
    }))
}

/// One needle in all systems.
struct Row {
    needle: Needle,
    found: Vec<Option<Found>>,
}

fn measured(
    needle: &Needle,
    loaded: &mut [Loaded<'_>],
    ask: impl Fn(&mut dyn Engine) -> Result<Option<Found>>,
) -> Result<Row> {
    let mut found = Vec::new();
    let mut times: Vec<Vec<Duration>> = Vec::new();
    for it in loaded.iter_mut() {
        let name = it.engine.name();
        found.push(ask(it.engine).with_context(|| format!("{name} fails at {:?}", needle.text))?);
        times.push(Vec::new());
    }
    for run in 0..RUNS {
        for (position, it) in loaded.iter_mut().enumerate() {
            let is_due = found[position].is_some_and(|first| run < RUNS_SLOW || first.took < SLOW);
            if is_due && let Some(again) = ask(it.engine)? {
                times[position].push(again.took);
            }
        }
    }
    for (found, times) in found.iter_mut().zip(times) {
        if let Some(found) = found {
            found.took = median(times);
        }
    }
    Ok(Row { needle: *needle, found })
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let measure = self.found[0].map(|found| found.took.as_secs_f64());
        let counts: Vec<u64> = self.found.iter().flatten().map(|found| found.count).collect();
        let mut cells = vec![format!("{} `{}`", self.needle.name, self.needle.text), tell_counts(&counts)];
        cells.extend(self.found.iter().enumerate().map(|(position, found)| match (found, measure) {
            (None, _) => "-".to_owned(),
            (Some(found), Some(measure)) if position > 0 => {
                format!("{} ({:.3})", milliseconds(found.took), found.took.as_secs_f64() / measure)
            }
            (Some(found), _) => milliseconds(found.took),
        }));
        cells
    }

    fn json(&self) -> Value {
        let one = |found: &Option<Found>| {
            found.map(|found| json!({"found": found.count, "ms": found.took.as_secs_f64() * 1e3}))
        };
        json!({
            "needle": self.needle.name,
            "text": self.needle.text,
            "case_sensitive": self.needle.case_sensitive,
            "systems": self.found.iter().map(one).collect::<Vec<_>>(),
        })
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

fn print_loads(corpus: &Corpus, loaded: &[Loaded<'_>]) {
    println!("\n# {}: {} documents, {:.1} MB\n", corpus.name, corpus.documents.len(), corpus.bytes as f64 / 1e6);
    let head = ["system", "MB/s", "CPU s per GB", "MB on disk", "raw / disk"].map(str::to_owned);
    let gigabytes = corpus.bytes as f64 / 1e9;
    let rows = loaded.iter().map(|it| {
        let speed = match it.load.took {
            Duration::ZERO => "-".to_owned(),
            took => format!("{:.1}", corpus.bytes as f64 / 1e6 / took.as_secs_f64()),
        };
        vec![
            it.engine.name(),
            speed,
            format!("{:.1}", it.load.processor.as_secs_f64() / gigabytes),
            format!("{:.1}", it.load.disk_bytes as f64 / 1e6),
            format!("{:.1}", corpus.bytes as f64 / it.load.disk_bytes.max(1) as f64),
        ]
    });
    print_table(&head, &rows.collect::<Vec<_>>());
}

fn load_json(load: &Load) -> Value {
    json!({
        "seconds": load.took.as_secs_f64(),
        "processor_seconds": load.processor.as_secs_f64(),
        "disk_bytes": load.disk_bytes,
    })
}

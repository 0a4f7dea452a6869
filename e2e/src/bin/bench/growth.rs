//! How cost grows: the same questions at one, four and ten times a corpus, and how fast a log is read at the start.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::bars::is_frequent;
use crate::compare::{Row, asked};
use crate::corpus::{Corpus, repeated};
use crate::engine::grepzilla::State;
use crate::engine::{Engine, Found, Grepzilla};
use crate::http::metric;
use crate::needle::{Class, Needle};
use crate::report::{megabytes, milliseconds, print_table, ratio};

/// The smallest size, unless the corpus is smaller; and how many times as large the sizes are.
const UNIT_BYTES: u64 = 142_000_000;
const TIMES: [u64; 3] = [1, 4, 10];

/// All sizes.
pub(crate) struct Growth {
    /// What the documents are.
    source: String,
    /// Hot once, then in segments of each size.
    columns: Vec<Column>,
    pub(crate) replay: Replay,
}

/// A size in a state.
pub(crate) struct Column {
    name: String,
    bytes: u64,
    documents: u64,
    state: String,
    counts: Vec<Row>,
    newest: Vec<Row>,
}

/// How fast a node that has flushed nothing comes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replay {
    bytes: f64,
    /// Of all shards, one after the other.
    seconds: f64,
    /// From the start of the process until it was ready.
    ready: Duration,
}

impl Replay {
    /// Of one shard.
    pub(crate) fn megabytes_per_second(&self) -> f64 {
        self.bytes / 1e6 / self.seconds.max(1e-9)
    }
}

/// Measures all sizes, each with a node of its own but for what is in it already.
pub(crate) fn run(corpus: &Corpus) -> Result<Growth> {
    let unit = corpus.bytes.min(UNIT_BYTES);
    let enough = unit * TIMES[TIMES.len() - 1];
    let made = if corpus.bytes < enough {
        eprintln!("growth: repeating {} ...", corpus.name);
        Some(repeated(corpus, enough)?)
    } else {
        None
    };
    let (source, how) = match &made {
        Some(made) => (made, "each copy with the dates of another year and with other ids"),
        None => (corpus, "cut"),
    };
    let (hot, replay) = hot(source, unit)?;
    let mut columns = vec![hot];
    columns.extend(segments(source, unit)?);
    Ok(Growth { source: format!("{}, {how}", source.name), columns, replay })
}

fn hot(source: &Corpus, unit: u64) -> Result<(Column, Replay)> {
    let mut node = Grepzilla::start(State::Hot)?;
    node.take("growth: 1x, hot", &source.stretch(0, unit)?)?;
    let state = node.rest()?.state;
    let column = Column::measured("1x hot", unit, state, source, &mut node)?;
    let ready = node.restart(State::Hot)?;
    let scraped = node.scrape()?;
    let replayed = |name| metric(&scraped, name);
    let (bytes, seconds) = (replayed("grepzilla_replay_bytes"), replayed("grepzilla_replay_seconds"));
    node.stop()?;
    Ok((column, Replay { bytes, seconds, ready }))
}

fn segments(source: &Corpus, unit: u64) -> Result<Vec<Column>> {
    let mut node = Grepzilla::start(State::Segments)?;
    let (mut columns, mut taken) = (Vec::new(), 0);
    for times in TIMES {
        let bytes = unit * times;
        node.take(&format!("growth: {times}x"), &source.stretch(taken, bytes)?)?;
        taken = bytes;
        let state = node.rest()?.state;
        columns.push(Column::measured(&format!("{times}x segments"), bytes, state, source, &mut node)?);
    }
    node.stop()?;
    Ok(columns)
}

impl Column {
    fn measured(name: &str, bytes: u64, state: String, source: &Corpus, node: &mut Grepzilla) -> Result<Column> {
        eprintln!("growth: asking {name} ({} MB, {state}) ...", megabytes(bytes));
        let mut all = |ask: fn(&mut dyn Engine, &Needle) -> Result<Option<Found>>| -> Result<Vec<Row>> {
            let row = |needle: &Needle| asked(needle, &mut [&mut *node], |engine| ask(engine, needle));
            source.needles().iter().map(row).collect()
        };
        let counts = all(|engine, needle| engine.count(needle))?;
        let newest = all(|engine, needle| engine.newest(needle))?;
        // All sizes of a corpus have about the same documents.
        let documents = source.documents * bytes / source.bytes;
        Ok(Column { name: name.to_owned(), bytes, documents, state, counts, newest })
    }
}

impl Growth {
    /// The smallest and the largest size in segments.
    pub(crate) fn ends(&self) -> (&Column, &Column) {
        (&self.columns[1], &self.columns[self.columns.len() - 1])
    }

    pub(crate) fn print(&self) {
        println!("\n# How cost grows: {}\n", self.source);
        for Column { name, bytes, state, .. } in &self.columns {
            println!("  {name}: {} MB, {state}", megabytes(*bytes));
        }
        println!("\nexact count, p50 ms:");
        self.print_questions(|column| &column.counts);
        println!("newest 100, p50 ms:");
        self.print_questions(|column| &column.newest);
        let Replay { bytes, seconds, ready } = self.replay;
        println!(
            "replay: {} MB of log in {seconds:.2} s of a shard, {:.0} MB/s; the node was ready {:.2} s after its start",
            megabytes(bytes as u64),
            self.replay.megabytes_per_second(),
            ready.as_secs_f64(),
        );
    }

    fn print_questions(&self, rows: fn(&Column) -> &Vec<Row>) {
        let mut head = vec!["needle".to_owned()];
        head.extend(self.columns.iter().map(|column| column.name.clone()));
        head.push("10x / 1x".to_owned());
        let (smallest, largest) = self.ends();
        let table = rows(smallest).iter().enumerate().map(|(place, row)| {
            let mut cells = vec![row.needle_cell()];
            let p50 = |column: &Column| p50(&rows(column)[place]);
            cells.extend(self.columns.iter().map(|column| milliseconds(p50(column))));
            cells.push(ratio(p50(largest).as_secs_f64(), p50(smallest).as_secs_f64()));
            cells
        });
        print_table(&head, &table.collect::<Vec<_>>());
    }

    pub(crate) fn json(&self) -> Value {
        let column = |column: &Column| {
            json!({
                "name": column.name,
                "bytes": column.bytes,
                "documents": column.documents,
                "state": column.state,
                "count": column.counts.iter().map(Row::json).collect::<Vec<_>>(),
                "newest": column.newest.iter().map(Row::json).collect::<Vec<_>>(),
            })
        };
        json!({
            "source": self.source,
            "sizes": self.columns.iter().map(column).collect::<Vec<_>>(),
            "replay": {
                "bytes": self.replay.bytes,
                "seconds": self.replay.seconds,
                "ready_seconds": self.replay.ready.as_secs_f64(),
            },
        })
    }
}

impl Column {
    /// The middle time of a question for how many.
    pub(crate) fn count_p50(&self, class: Class) -> Option<Duration> {
        self.counts.iter().find(|row| row.needle.class == class).map(p50)
    }

    /// Middle times of the questions for the newest; `None` where they may take long.
    pub(crate) fn newest_p50(&self) -> impl Iterator<Item = (&Needle, Option<Duration>)> {
        let found = |row: &Row| row.answers[0].as_ref().map_or(0, |answer| answer.first.count);
        let rows = self.newest.iter().zip(&self.counts);
        rows.map(move |(newest, count)| {
            (&newest.needle, is_frequent(found(count), self.documents).then(|| p50(newest)))
        })
    }
}

/// Of the one system there is; for ever if it failed.
fn p50(row: &Row) -> Duration {
    row.answers[0].as_ref().map_or(Duration::MAX, |answer| answer.times.p50())
}

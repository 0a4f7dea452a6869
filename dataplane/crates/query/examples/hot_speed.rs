//! How fast the hot tier takes documents in and answers, on one core and on documents of one's own.
//!
//! `cargo run --release -p grepzilla-query --example hot_speed -- FILE.jsonl [PATTERN...]`; a pattern is `re:...` for a regular expression,
//! else a wildcard.

use std::error::Error;
use std::time::{Duration, Instant};

use grepzilla_model::document::{Document, DocumentLimits};
use grepzilla_model::{Bucket, Epoch, IndexName, Record, RecordKind, SeqNo, ShardId, TimeNs};
use grepzilla_query::{
    Aggregations, CompiledQuery, LeafAnswer, LeafRequest, Node, Order, Pattern, Query, TimeRange, compile, search,
};
use grepzilla_storage::View;
use grepzilla_storage::hot::{HotOptions, HotTier};

const BATCH: usize = 500;
const RUNS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: hot_speed FILE.jsonl [PATTERN...]")?;
    let text = std::fs::read_to_string(path)?;
    let bytes = text.len() as f64 / 1e6;

    let started = Instant::now();
    let records: Vec<Record> = text.lines().filter_map(record).collect();
    let parsed = started.elapsed();
    let documents = records.len();
    println!("{documents} documents, {bytes:.0} MB");
    println!("checked in  {:.0} MB/s", bytes / parsed.as_secs_f64());

    let tier = HotTier::new(ShardId(0), HotOptions::default());
    let started = Instant::now();
    for (number, batch) in records.chunks(BATCH).enumerate() {
        tier.insert(Epoch(1), SeqNo((number * BATCH) as u64 + 1), TimeNs(0), batch.to_vec());
    }
    let inserted = started.elapsed();
    println!("inserted at {:.0} MB/s", bytes / inserted.as_secs_f64());
    let stats = tier.stats();
    println!("in memory   {:.2} of raw, {} sealed blocks", stats.bytes as f64 / 1e6 / bytes, stats.sealed_blocks);

    let view = View::from(tier.view());
    for pattern in arguments {
        ask(&view, &pattern)?;
    }
    Ok(())
}

fn record(line: &str) -> Option<Record> {
    let document = Document::parse(line.as_bytes(), &DocumentLimits::default()).ok()?;
    Some(Record {
        kind: RecordKind::Put,
        bucket: Bucket(0),
        index: IndexName::default(),
        id: None,
        time: document.time(TimeNs(i64::MAX)),
        source: document.into_source().into_bytes().into(),
    })
}

/// Prints the best time of several runs, for an exact count in both cases and for the newest hundred.
fn ask(view: &View, pattern: &str) -> Result<(), Box<dyn Error>> {
    for (what, case_sensitive, count) in
        [("count", false, true), ("count, case", true, true), ("newest 100", false, false)]
    {
        let form = match pattern.strip_prefix("re:") {
            Some(regex) => Pattern::Regex(regex.to_owned()),
            None => Pattern::Wildcard(pattern.to_owned()),
        };
        let time = TimeRange::default();
        let root = Node::Match { pattern: form, field: None, case_sensitive };
        let query = compile(Query { root, indexes: Vec::new(), time })?;
        let answers = (0..RUNS).map(|_| timed(view, &query, count));
        let (best, answer) = answers.min_by_key(|(time, _)| *time).ok_or("no run")?;
        println!(
            "{pattern:24} {what:12} {:>9.3} ms  total {:?}, {} of {} blocks, {:.1} MB, scan {:.3} ms, page {:.3} ms",
            best.as_secs_f64() * 1e3,
            answer.total,
            answer.metrics.blocks_read,
            answer.metrics.blocks_total,
            answer.metrics.bytes_read as f64 / 1e6,
            answer.metrics.scan.as_secs_f64() * 1e3,
            answer.metrics.assembly.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

fn timed(view: &View, query: &CompiledQuery, count: bool) -> (Duration, LeafAnswer) {
    let started = Instant::now();
    let request = LeafRequest {
        query,
        shard: ShardId(0),
        order: Order::Newest,
        since: SeqNo(0),
        size: if count { 10 } else { 100 },
        after: None,
        upto: view.upto(),
        count,
        aggregations: Aggregations::default(),
        threads: 1,
        deadline: started + Duration::from_secs(60),
        candidates_max: u64::MAX,
    };
    let answer = search(view, &request).expect("it is in memory");
    (started.elapsed(), answer)
}

//! How fast the hot tier takes documents in and answers, by processor time: on one core and on documents of one's own.
//!
//! `cargo run --release -p grepzilla-query --example hot_speed -- FILE.jsonl [PATTERN...]`; a pattern is `re:...` for a regular expression,
//! else a wildcard.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::document::{Document, DocumentLimits};
use grepzilla_model::{Bucket, Epoch, IndexName, Record, RecordKind, SeqNo, ShardId, TimeNs};
use grepzilla_query::{
    Aggregations, CompiledQuery, LeafAnswer, LeafRequest, Node, Order, Pattern, Query, TimeRange, compile, search,
};
use grepzilla_storage::View;
use grepzilla_storage::block::{Block, BlockBuilder, CodeLists, Codes, ColumnNo, Columns, Unit, UnitLayout};
use grepzilla_storage::hot::{HotOptions, HotTier};

const BATCH: usize = 500;
const RUNS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: hot_speed FILE.jsonl [PATTERN...]")?;
    let text = std::fs::read_to_string(path)?;
    let bytes = text.len() as f64 / 1e6;

    let started = processor_time()?;
    let records: Vec<Record> = text.lines().filter_map(record).collect();
    let parsed = processor_time()? - started;
    let documents = records.len();
    println!("{documents} documents, {bytes:.0} MB");
    println!("checked in  {:.0} MB/s", bytes / parsed.as_secs_f64());

    let tier = HotTier::new(ShardId(0), HotOptions::default());
    let started = processor_time()?;
    for (number, batch) in records.chunks(BATCH).enumerate() {
        tier.insert(Epoch(1), SeqNo((number * BATCH) as u64 + 1), TimeNs(0), batch.to_vec());
    }
    let inserted = processor_time()? - started;
    println!("inserted at {:.0} MB/s", bytes / inserted.as_secs_f64());
    let stats = tier.stats();
    println!("in memory   {:.2} of raw, {} sealed blocks", stats.bytes as f64 / 1e6 / bytes, stats.sealed_blocks);

    let view = View::from(tier.view());
    let blocks = view.sealed();
    println!("moved at    {:.0} MB/s, from block to block by code", bytes / taken(|| moved(blocks))?.as_secs_f64());
    println!("put together at {:.0} MB/s", bytes / taken(|| put_together(blocks))?.as_secs_f64());
    println!("parts checked at {:.0} MB/s", bytes / taken(|| checked(blocks))?.as_secs_f64());
    for pattern in arguments {
        ask(&view, &pattern)?;
    }
    Ok(())
}

/// Puts the documents of all blocks into larger ones, as a merge does.
fn moved(blocks: &[Block]) -> Result<(), Box<dyn Error>> {
    let mut builder = BlockBuilder::new(UnitLayout::Split { own_unit_bytes: 16 << 10 });
    for block in blocks {
        for document in 0..block.document_count() {
            builder.add_from(block, document)?;
        }
        if builder.source_bytes() > 512 << 10 {
            black_box(builder.finish(block.index()));
        }
    }
    Ok(())
}

fn put_together(blocks: &[Block]) -> Result<(), Box<dyn Error>> {
    for block in blocks {
        let mut sources = block.sources()?;
        (0..block.document_count()).for_each(|document| drop(black_box(sources.source(document))));
    }
    Ok(())
}

/// Makes the parts of all blocks anew, as reading a segment does behind decompression.
fn checked(blocks: &[Block]) -> Result<(), Box<dyn Error>> {
    for block in blocks {
        let (columns, codes) = (block.columns()?, block.codes()?);
        let described: Vec<_> = (0..columns.len() as u32).map(|column| columns.column(ColumnNo(column))).collect();
        let columns = Columns::new(Arc::clone(columns.shapes()), &described, block.unit_count())?;
        let mut lists = CodeLists::default();
        (0..codes.lists().len()).for_each(|list| lists.push(codes.lists().get(list)));
        black_box(Codes::new(&columns, codes.shapes().to_vec(), lists)?);
        for unit in 0..block.unit_count() {
            black_box(Unit::from_parts(block.unit(unit)?.written().to_vec(), columns.unit_group_len(unit))?);
        }
    }
    Ok(())
}

fn taken(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let started = processor_time()?;
    work()?;
    Ok(processor_time()? - started)
}

/// What this thread has had of a processor: on a machine with other work it says more than the clock.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(told.split(' ').next().ok_or("no time in schedstat")?.parse()?))
}

fn record(line: &str) -> Option<Record> {
    let document = Document::parse(line.as_bytes(), &DocumentLimits::default()).ok()?;
    Some(Record {
        kind: RecordKind::Put,
        bucket: Bucket(0),
        index: IndexName::default(),
        id: None,
        time: document.time(TimeNs(i64::MAX)),
        source: document.into_source(),
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
        let answers = (0..RUNS).map(|_| timed(view, &query, count)).collect::<Result<Vec<_>, _>>()?;
        let (best, answer) = answers.into_iter().min_by_key(|(time, _)| *time).ok_or("no run")?;
        println!(
            "{pattern:24} {what:12} {:>9.3} ms  total {:?}, {} of {} blocks, {:.1} MB, by the clock: scan {:.3} ms, page {:.3} ms",
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

fn timed(view: &View, query: &CompiledQuery, count: bool) -> Result<(Duration, LeafAnswer), Box<dyn Error>> {
    let started = processor_time()?;
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
        deadline: Instant::now() + Duration::from_secs(60),
        candidates_max: u64::MAX,
    };
    let answer = search(view, &request)?;
    Ok((processor_time()? - started, answer))
}

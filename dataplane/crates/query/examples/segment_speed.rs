//! How fast a shard answers from its segments, cold and warm, on documents of one's own.
//!
//! `cargo run --release -p grepzilla-query --example segment_speed -- FILE.jsonl FOLDER CACHE_MIB [PATTERN...]`; the folder gets a replica
//! with merged segments, which a second run reads again. A pattern is `re:...` for a regular expression, else a wildcard.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use grepzilla_model::document::{Document, DocumentLimits};
use grepzilla_model::{
    Batch, BodyHash, Bucket, ClusterUuid, IndexName, KeyHash, Record, RecordKind, SeqNo, ShardId, TimeNs,
};
use grepzilla_query::{
    Aggregations, CompiledQuery, LeafAnswer, LeafRequest, Node, Order, Pattern, Query, TimeRange, compile, search,
};
use grepzilla_storage::disk::RealDisk;
use grepzilla_storage::{BlockCache, FsyncMode, Shard, ShardOptions, View};

const BATCH: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(folder), Some(cache)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: segment_speed FILE.jsonl FOLDER CACHE_MIB [PATTERN...]".into());
    };
    let cache = Arc::new(BlockCache::new(cache.parse::<usize>()? << 20));
    let options = ShardOptions { fsync: FsyncMode::Disabled, cache, ..ShardOptions::default() };
    let cluster = ClusterUuid(uuid::Uuid::from_u128(1));
    let shard = Shard::open(Arc::new(RealDisk), Path::new(&folder), cluster, ShardId(0), options, &|_| ())?;
    shard.start_epoch(shard.last_epoch().next())?;
    let manifest = shard.manifest();
    shard.adopt((!manifest.segments.is_empty()).then_some(manifest))?;
    if shard.view().segments().is_empty() {
        load(&shard, &std::fs::read_to_string(path)?)?;
    }
    let view = shard.view();
    let bytes: u64 = view.segments().iter().map(|segment| segment.file_bytes()).sum();
    println!("{} segments, {:.1} MB", view.segments().len(), bytes as f64 / 1e6);
    for pattern in arguments {
        ask(&view, &pattern)?;
    }
    Ok(())
}

/// Writes all lines, and a segment whenever the shard asks for one.
fn load(shard: &Shard, text: &str) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let records: Vec<Record> = text.lines().filter_map(record).collect();
    for batch in records.chunks(BATCH) {
        let (answer, answered) = mpsc::channel();
        let received = TimeNs::from_system(std::time::SystemTime::now());
        let batch = Batch { key: KeyHash::default(), body: BodyHash::default(), received, records: batch.to_vec() };
        shard.append(batch, Box::new(move |result| drop(answer.send(result))))?;
        answered.recv()??;
        if shard.wants_flush(received) {
            shard.flush()?;
        }
    }
    shard.flush()?;
    publish(shard)?;
    while shard.merge(&AtomicBool::new(false))?.is_some() {
        publish(shard)?;
    }
    println!("loaded at {:.0} MB/s", text.len() as f64 / 1e6 / started.elapsed().as_secs_f64());
    Ok(())
}

fn publish(shard: &Shard) -> Result<(), Box<dyn Error>> {
    if let Some(manifest) = shard.next_manifest() {
        shard.published(manifest)?;
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
        source: document.into_source(),
    })
}

/// Prints the first and the best later time, for an exact count on one thread and on two, and for the newest hundred.
fn ask(view: &View, pattern: &str) -> Result<(), Box<dyn Error>> {
    let form = match pattern.strip_prefix("re:") {
        Some(regex) => Pattern::Regex(regex.to_owned()),
        None => Pattern::Wildcard(pattern.to_owned()),
    };
    let root = Node::Match { pattern: form, field: None, case_sensitive: false };
    let query = compile(Query { root, indexes: Vec::new(), time: TimeRange::default() })?;
    for (what, count, threads) in [("newest 100", false, 1), ("count", true, 1), ("count, 2 threads", true, 2)] {
        let (first, _) = timed(view, &query, count, threads)?;
        let again: Vec<_> = (0..5).map(|_| timed(view, &query, count, threads)).collect::<Result<_, _>>()?;
        let (best, answer) = again.into_iter().min_by_key(|(time, _)| *time).ok_or("no run")?;
        println!(
            "{pattern:24} {what:16} {:>9.3} ms first, {:>9.3} ms  total {:?}, {} of {} blocks, {:.1} MB, grams {:.3} ms",
            first.as_secs_f64() * 1e3,
            best.as_secs_f64() * 1e3,
            answer.total,
            answer.metrics.blocks_read,
            answer.metrics.blocks_total,
            answer.metrics.bytes_read as f64 / 1e6,
            answer.metrics.plan.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

fn timed(
    view: &View,
    query: &CompiledQuery,
    count: bool,
    threads: usize,
) -> Result<(Duration, LeafAnswer), Box<dyn Error>> {
    let started = Instant::now();
    let request = LeafRequest {
        query,
        shard: ShardId(0),
        order: Order::Newest,
        size: if count { 10 } else { 100 },
        after: None,
        upto: view.upto(),
        since: SeqNo(0),
        count,
        aggregations: Aggregations::default(),
        threads,
        deadline: started + Duration::from_secs(60),
        candidates_max: u64::MAX,
    };
    let answer = search(view, &request)?;
    Ok((started.elapsed(), answer))
}

//! How fast a shard comes back: reads JSON documents, one a line, from standard input, logs them in a folder, and opens the
//! log again as often as asked.
//!
//! ```text
//! zstd -dc --long=27 events.jsonl.zst | head -c 400000000 |
//!     cargo run --release -p grepzilla-storage --example replay_speed -- FOLDER TIMES
//! ```

use std::io::BufRead;
use std::path::Path;
use std::sync::{Arc, mpsc};

use grepzilla_model::{Batch, BodyHash, Bucket, ClusterUuid, IndexName, KeyHash, Record, RecordKind, ShardId, TimeNs};
use grepzilla_storage::disk::RealDisk;
use grepzilla_storage::{FsyncMode, Shard, ShardOptions};

const BATCH: usize = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, times] = arguments.as_slice() else { panic!("FOLDER TIMES") };
    let shard = open(folder);
    shard.start_epoch(shard.last_epoch().next()).expect("a newer epoch");
    let mut batch = Vec::with_capacity(BATCH);
    for line in std::io::stdin().lock().lines() {
        batch.push(record(&line.expect("UTF-8")));
        if batch.len() == BATCH {
            append(&shard, std::mem::take(&mut batch));
        }
    }
    shard.close().expect("closed");
    drop(shard);
    for _ in 0..times.parse::<u32>().expect("a number") {
        let shard = open(folder);
        let stats = shard.stats();
        let megabytes = stats.replay.bytes as f64 / 1e6;
        println!(
            "{megabytes:.0} MB, {} documents in {:.3} s: {:.0} MB/s",
            stats.hot.documents,
            stats.replay.seconds,
            megabytes / stats.replay.seconds
        );
    }
}

fn open(folder: &str) -> Shard {
    let options = ShardOptions { fsync: FsyncMode::Disabled, ..ShardOptions::default() };
    let cluster = ClusterUuid(uuid::Uuid::from_u128(1));
    Shard::open(Arc::new(RealDisk), Path::new(folder), cluster, ShardId(0), options, &|_| ()).expect("opens")
}

fn record(source: &str) -> Record {
    Record {
        kind: RecordKind::Put,
        bucket: Bucket(1),
        index: IndexName::default(),
        id: None,
        time: TimeNs(0),
        source: source.into(),
    }
}

fn append(shard: &Shard, records: Vec<Record>) {
    let (answer, answered) = mpsc::channel();
    let batch = Batch { key: KeyHash::default(), body: BodyHash::default(), received: TimeNs(1), records };
    shard.append(batch, Box::new(move |done| drop(answer.send(done)))).expect("queued");
    answered.recv().expect("answered").expect("logged");
}

//! Shards, batches and what is to be found again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use grepzilla_model::{
    Batch, BodyHash, Bucket, ClusterUuid, IndexName, KeyHash, Manifest, Record, RecordKind, SeqNo, ShardId, TimeNs,
};
use grepzilla_storage::disk::Disk;
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{AppendError, Appended, OpenError, Shard, ShardOptions, View};
use uuid::Uuid;

pub(crate) const DIR: &str = "/data/shard-7";

/// Files of 16 KiB, so that a few batches fill some.
pub(crate) fn options() -> ShardOptions {
    ShardOptions { wal_bytes_max: 16 << 10, ..ShardOptions::default() }
}

pub(crate) fn open(disk: Arc<dyn Disk>, options: ShardOptions) -> Result<Shard, OpenError> {
    open_at(disk, Path::new(DIR), options)
}

pub(crate) fn open_at(disk: Arc<dyn Disk>, dir: &Path, options: ShardOptions) -> Result<Shard, OpenError> {
    Shard::open(disk, dir, ClusterUuid(Uuid::from_u128(0xc1)), ShardId(7), options, &|_| ())
}

/// Opens a shard that must open, and starts the next epoch.
pub(crate) fn open_and_lead(disk: Arc<dyn Disk>, options: ShardOptions) -> Shard {
    let shard = open(disk, options).expect("the shard opens");
    shard.start_epoch(shard.last_epoch().next()).expect("a newer epoch");
    shard
}

/// Waits until the file that the log will need next is prepared.
pub(crate) fn wait_until_prepared(machine: &Machine, shard: &Shard) {
    let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "wal");
    while machine.files().keys().filter(|path| is_log(path)).count() as u64 <= shard.stats().log.files {
        std::thread::yield_now();
    }
}

/// The document with this number: about `bytes` long.
pub(crate) fn source(number: u64, bytes: usize) -> String {
    format!(r#"{{"n":{number},"text":"{}"}}"#, "x".repeat(bytes))
}

/// A batch of documents with these numbers.
pub(crate) fn batch(numbers: impl IntoIterator<Item = u64>, bytes: usize) -> Batch {
    let record = |number| Record {
        kind: RecordKind::Put,
        bucket: Bucket(1),
        index: IndexName::default(),
        id: None,
        time: TimeNs(i64::try_from(number).expect("small")),
        source: source(number, bytes).into(),
    };
    Batch {
        key: KeyHash::default(),
        body: BodyHash::default(),
        received: TimeNs(1),
        records: numbers.into_iter().map(record).collect(),
    }
}

/// Appends and waits for the answer.
pub(crate) fn append(shard: &Shard, batch: Batch) -> Result<Appended, AppendError> {
    queue(shard, batch)?.recv_timeout(Duration::from_secs(20)).expect("every queued batch is answered")
}

/// Appends without waiting.
pub(crate) fn queue(shard: &Shard, batch: Batch) -> Result<mpsc::Receiver<Result<Appended, AppendError>>, AppendError> {
    let (answer, answered) = mpsc::channel();
    shard.append(batch, Box::new(move |result| drop(answer.send(result))))?;
    Ok(answered)
}

/// The sources of all visible documents by position; a position that is there twice is an error.
pub(crate) fn documents(view: &View) -> BTreeMap<SeqNo, String> {
    let mut found = BTreeMap::new();
    let mut add = |seq: SeqNo, source: &str| {
        assert_eq!(found.insert(seq, source.to_owned()), None, "position {seq} is visible twice");
    };
    let flushed = view.segments().iter().flat_map(|segment| segment.blocks());
    for block in view.sealed().iter().chain(flushed) {
        let (mut sources, stamps) = (block.sources().expect("readable"), block.stamps().expect("readable"));
        for document in 0..block.document_count() {
            add(stamps.stamp(document).seq, &sources.source(document));
        }
    }
    for tail in view.open() {
        for document in tail.documents() {
            add(document.stamp.seq, document.source());
        }
    }
    found
}

/// The metadata store's part: the last manifest that was published, checked as the store checks it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) manifest: Option<Manifest>,
}

impl Store {
    /// Opens a shard, starts the next epoch and adopts the store's manifest.
    pub(crate) fn lead(&self, disk: Arc<dyn Disk>, options: ShardOptions) -> Shard {
        let shard = open_and_lead(disk, options);
        shard.adopt(self.manifest.clone()).expect("adopted");
        shard
    }

    /// Accepts what a shard has to publish, unless the shard does not know what was published last.
    pub(crate) fn accept(&mut self, shard: &Shard) -> Option<Manifest> {
        let last = self.manifest.clone().unwrap_or_default();
        let next = shard.next_manifest().filter(|next| next.generation == last.generation.next())?;
        next.check_follows(&last).expect("every invariant holds");
        self.manifest = Some(next.clone());
        Some(next)
    }

    /// Accepts it and says so.
    pub(crate) fn publish(&mut self, shard: &Shard) {
        if let Some(manifest) = self.accept(shard) {
            shard.published(manifest).expect("recorded");
        }
    }
}

//! A shard on a disk in memory, and what has been written to it.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use grepzilla_model::{
    Batch, BodyHash, Bucket, ClusterUuid, IndexName, KeyHash, Manifest, Record, RecordKind, SeqNo, TimeNs,
};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::hot::HotOptions;
use grepzilla_storage::segment::SegmentOptions;
use grepzilla_storage::{BlockCache, FsyncMode, Shard, ShardOptions, View};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fixtures::{INDEXES, SHARD, Sample, record, sample};

/// Numbers of documents; those that come again are newer versions of what they were.
const NUMBERS: u64 = 240;

pub(crate) struct World {
    machine: Machine,
    options: ShardOptions,
    shard: Arc<Shard>,
    /// What the metadata store has accepted.
    manifest: Option<Manifest>,
    /// By position.
    samples: Vec<Sample>,
}

impl World {
    pub(crate) fn new(random: &mut StdRng) -> World {
        let cursor_ttl = if random.random_bool(0.5) { Duration::ZERO } else { Duration::from_secs(600) };
        World::with(random, cursor_ttl)
    }

    /// One in which superseded versions stay readable at their positions.
    pub(crate) fn that_keeps_the_past(random: &mut StdRng) -> World {
        World::with(random, Duration::from_secs(600))
    }

    fn with(random: &mut StdRng, cursor_ttl: Duration) -> World {
        let cache_mib = if random.random_ratio(1, 4) { 0 } else { random.random_range(1..4) };
        let options = ShardOptions {
            fsync: FsyncMode::Disabled,
            wal_bytes_max: 64 << 10,
            cursor_ttl,
            merged_block_bytes: random.random_range(1..60) << 10,
            segment: SegmentOptions { own_unit_bytes: random.random_range(500..8_000), ..SegmentOptions::default() },
            cache: Arc::new(BlockCache::new(cache_mib << 20)),
            hot: HotOptions {
                block_documents_max: random.random_range(1..60),
                block_bytes_max: 20_000,
                open_blocks_max: random.random_range(1..5),
            },
            ..ShardOptions::default()
        };
        let machine = Machine::new(random.random());
        let shard = Arc::new(lead(&machine, &options, None));
        World { machine, options, shard, manifest: None, samples: Vec::new() }
    }

    pub(crate) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    pub(crate) fn view(&self) -> View {
        self.shard.view()
    }

    pub(crate) fn shard(&self) -> Arc<Shard> {
        Arc::clone(&self.shard)
    }

    pub(crate) fn keeps_the_past(&self) -> bool {
        self.options.cursor_ttl > Duration::ZERO
    }

    /// How many questions a step of this life has the patience for: without a cache everything is read for each.
    pub(crate) fn questions_per_step(&self) -> usize {
        if self.options.cache.stats().bytes_max == 0 { 10 } else { 100 }
    }

    /// Lets something happen.
    pub(crate) fn step(&mut self, random: &mut StdRng) {
        match random.random_range(0..20) {
            0..=8 => {
                let count = random.random_range(1..60);
                self.write(random, count);
            }
            9..=11 => drop(self.shard.flush().expect("flushed")),
            12..=13 => {
                for _ in 0..8 {
                    let count = random.random_range(1..12);
                    self.write(random, count);
                    self.shard.flush().expect("flushed");
                }
                self.shard.merge(&AtomicBool::new(false)).expect("merged");
            }
            14..=15 => drop(self.shard.merge(&AtomicBool::new(false)).expect("merged")),
            16..=17 => self.manifest = publish(&self.shard).or(self.manifest.take()),
            18 => self.restart(),
            _ => (0..random.random_range(1..6)).for_each(|_| self.delete(random)),
        }
    }

    /// Writes documents and moves them to a segment that is published.
    pub(crate) fn fill_segment(&mut self, random: &mut StdRng, count: usize) {
        self.fill_segment_with(samples(random, count));
    }

    /// Writes these documents and moves them to a segment that is published.
    pub(crate) fn fill_segment_with(&mut self, samples: Vec<Sample>) {
        self.write_these(samples);
        self.shard.flush().expect("flushed").expect("there was something");
        self.manifest = publish(&self.shard).or(self.manifest.take());
    }

    /// Changes a byte of each segment file, and starts again.
    pub(crate) fn damage_segments(&mut self, offset: usize) {
        self.shard.close().expect("closed");
        for (path, mut bytes) in self.machine.files() {
            if path.extension().is_some_and(|extension| extension == "seg") {
                bytes[offset] ^= 0x10;
                self.machine.plant(&path, bytes);
            }
        }
        self.shard = Arc::new(lead(&self.machine, &self.options, self.manifest.clone()));
    }

    /// What goes on writing, without keeping what it wrote.
    pub(crate) fn writer(&self, random: &mut StdRng) -> Writer {
        Writer { shard: Arc::clone(&self.shard), random: StdRng::seed_from_u64(random.random()), round: 0 }
    }

    fn write(&mut self, random: &mut StdRng, count: usize) {
        self.write_these(samples(random, count));
    }

    fn write_these(&mut self, samples: Vec<Sample>) {
        let first = append(&self.shard, samples.iter().map(record).collect());
        for (seq, mut sample) in (first.0..).zip(samples) {
            if let Some(id) = sample.id() {
                self.supersede(sample.index, id, seq);
            }
            sample.seq = seq;
            self.samples.push(sample);
        }
    }

    fn delete(&mut self, random: &mut StdRng) {
        let index = INDEXES[random.random_range(0..INDEXES.len())];
        let id = format!("id-{}", random.random_range(0..NUMBERS / 3) * 3);
        let first = append(&self.shard, vec![tombstone(index, &id)]);
        self.supersede(index, &id, first.0);
    }

    fn supersede(&mut self, index: &str, id: &str, by: u64) {
        let is_it = |sample: &&mut Sample| sample.index == index && sample.id() == Some(id);
        for sample in self.samples.iter_mut().filter(is_it) {
            sample.superseded_by.get_or_insert(by);
        }
    }

    fn restart(&mut self) {
        self.shard.close().expect("closed");
        self.shard = Arc::new(lead(&self.machine, &self.options, self.manifest.clone()));
    }
}

/// Writes from another thread.
pub(crate) struct Writer {
    shard: Arc<Shard>,
    random: StdRng,
    round: usize,
}

impl Writer {
    pub(crate) fn write_and_maintain(&mut self) {
        self.round += 1;
        let written = samples(&mut self.random, 10);
        append(&self.shard, written.iter().map(record).collect());
        let id = format!("id-{}", self.random.random_range(0..NUMBERS / 3) * 3);
        append(&self.shard, vec![tombstone(INDEXES[self.round % 3], &id)]);
        if self.round.is_multiple_of(3) {
            self.shard.flush().expect("flushed");
        }
        if self.round.is_multiple_of(9) {
            self.shard.merge(&AtomicBool::new(false)).expect("merged");
            publish(&self.shard);
        }
    }
}

fn samples(random: &mut StdRng, count: usize) -> Vec<Sample> {
    (0..count)
        .map(|_| {
            let number = random.random_range(0..NUMBERS);
            sample(random, number)
        })
        .collect()
}

fn tombstone(index: &str, id: &str) -> Record {
    Record {
        kind: RecordKind::Tombstone,
        bucket: Bucket(0),
        index: IndexName::new(index).expect("a good name"),
        id: Some(id.into()),
        time: TimeNs(0),
        source: "".into(),
    }
}

/// Opens the shard, starts an epoch, and takes over what was published.
fn lead(machine: &Machine, options: &ShardOptions, manifest: Option<Manifest>) -> Shard {
    let cluster = ClusterUuid(uuid::Uuid::from_u128(0xc1));
    let shard = Shard::open(machine.boot(), Path::new("/data/4"), cluster, SHARD, options.clone(), &|_| ());
    let shard = shard.expect("the shard opens");
    shard.start_epoch(shard.last_epoch().next()).expect("a newer epoch");
    shard.adopt(manifest).expect("adopted");
    shard
}

/// The manifest that the store has accepted now, if there was a new one.
fn publish(shard: &Shard) -> Option<Manifest> {
    let manifest = shard.next_manifest()?;
    shard.published(manifest.clone()).expect("recorded");
    Some(manifest)
}

/// Appends and waits. The first position.
fn append(shard: &Shard, records: Vec<Record>) -> SeqNo {
    let (answer, answered) = mpsc::channel();
    let batch = Batch { key: KeyHash::default(), body: BodyHash::default(), received: TimeNs(1), records };
    shard.append(batch, Box::new(move |result| drop(answer.send(result)))).expect("taken");
    answered.recv().expect("answered").expect("appended").first_seq
}

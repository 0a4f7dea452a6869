//! Random documents, blocks of them, and segments on the twin of a disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grepzilla_model::manifest::SegmentEntry;
use grepzilla_model::{BodyHash, Bucket, ClusterUuid, Epoch, IndexName, KeyHash, SeqNo, ShardId, TimeNs};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use uuid::Uuid;

use crate::block::{Block, BlockBuilder, Stamp, UnitLayout};
use crate::cache::BlockCache;
use crate::disk::Disk;
use crate::segment::{
    ExpectedSegment, KeyEntry, OpenSegmentError, Segment, SegmentIdentity, SegmentOptions, SegmentWriter,
};

pub(super) const DIR: &str = "/segments";

/// A column of more has a unit of its own.
pub(super) const OPTIONS: SegmentOptions = SegmentOptions { level: 3, own_unit_bytes: 200 };

pub(super) fn identity(first: u64, last: u64) -> SegmentIdentity {
    SegmentIdentity {
        cluster: ClusterUuid(Uuid::from_u128(7)),
        shard: ShardId(3),
        epoch: Epoch(2),
        first: SeqNo(first),
        last: SeqNo(last),
    }
}

pub(super) fn expected(entry: &SegmentEntry) -> ExpectedSegment {
    ExpectedSegment { cluster: ClusterUuid(Uuid::from_u128(7)), shard: ShardId(3), name: entry.name }
}

pub(super) fn path(entry: &SegmentEntry) -> PathBuf {
    Path::new(DIR).join(entry.name.file_name())
}

/// A document as it went in.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) source: String,
    pub(super) id: Option<String>,
    pub(super) stamp: Stamp,
    pub(super) bucket: Bucket,
}

/// Blocks of one index each with the documents they were made of, positions from `first` on.
pub(super) fn random_blocks(rng: &mut StdRng, first: u64, block_count: usize) -> Vec<(Block, Vec<Document>)> {
    let mut builders = [0; 2].map(|_| BlockBuilder::new(UnitLayout::One));
    let mut seq = first;
    let mut block = |rng: &mut StdRng| {
        let number = rng.random_range(0..2);
        let index = IndexName::new(["main", "other"][number]).expect("valid");
        let mut documents = Vec::new();
        for _ in 0..rng.random_range(1..40) {
            let (source, id) = random_document(rng);
            let time = TimeNs(1_600_000_000_000_000_000 + rng.random_range(-5..5) * 1_000_000);
            let stamp = Stamp { time, seq: SeqNo(seq), epoch: Epoch(1 + seq / 50) };
            let bucket = Bucket(rng.random_range(0..4));
            builders[number].add(&source, stamp, bucket, TimeNs(time.0 + 9));
            documents.push(Document { source, id, stamp, bucket });
            seq += rng.random_range(1..4);
        }
        (builders[number].finish(&index), documents)
    };
    (0..block_count).map(|_| block(rng)).collect()
}

fn random_document(rng: &mut StdRng) -> (String, Option<String>) {
    let id = rng.random_bool(0.5).then(|| format!("id-{}", rng.random_range(0..60)));
    let mut leaves = Vec::new();
    if let Some(id) = &id {
        leaves.push(format!("\"_id\":\"{id}\""));
    }
    if rng.random_bool(0.8) {
        leaves.push(format!("\"message\":\"{}\"", words(rng, 12)));
    }
    if rng.random_bool(0.5) {
        leaves.push(format!("\"tags\":[\"{}\",{{\"deep\":{}}},null]", words(rng, 2), rng.random_range(-3..300)));
    }
    if rng.random_bool(0.3) {
        leaves.push(format!("\"user.name\":{{\"first\":\"{}\",\"is\":{}}}", words(rng, 1), rng.random_bool(0.5)));
    }
    leaves.push("\"constant\":1.0".into());
    (format!("{{{}}}", leaves.join(",")), id)
}

const WORDS: [&str; 12] =
    ["error", "Connection", "10.0.0.1", "Zażółć", "кошки", "КОШКИ", "漢字", "हिन्दी", "ＦＵＬＬ", "x", "C:/Temp", "😀"];

pub(super) fn words(rng: &mut StdRng, count_max: usize) -> String {
    let words: Vec<&str> = (0..rng.random_range(0..=count_max)).map(|_| *WORDS.choose(rng).expect("some")).collect();
    words.join(" ")
}

pub(super) fn key(first: u64) -> KeyEntry {
    KeyEntry {
        key: KeyHash([first as u8; 16]),
        body: BodyHash([1; 16]),
        first: SeqNo(first),
        count: 2,
        epoch: Epoch(2),
        received: TimeNs(5),
    }
}

/// Writes a segment from position 1 on.
pub(super) fn write<'a>(
    disk: &Arc<dyn Disk>,
    blocks: impl IntoIterator<Item = &'a Block> + Clone,
) -> Result<SegmentEntry, crate::segment::WriteSegmentError> {
    let last = blocks.clone().into_iter().map(|block| block.span().seq_max.0).max().unwrap_or(1);
    let mut writer = SegmentWriter::create(disk, Path::new(DIR), identity(1, last), OPTIONS)?;
    for block in blocks {
        writer.add(block)?;
    }
    writer.key(key(4));
    writer.key(key(1));
    writer.finish()
}

pub(super) fn open(disk: &Arc<dyn Disk>, entry: &SegmentEntry) -> Result<Segment, OpenSegmentError> {
    Segment::open(disk, &path(entry), &expected(entry), &Arc::new(BlockCache::default()))
}

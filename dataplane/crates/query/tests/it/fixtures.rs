//! Random documents, and tiers that hold them in every state.

use grepzilla_model::document::{Document, DocumentLimits};
use grepzilla_model::{Bucket, Epoch, IndexName, Record, RecordKind, SeqNo, ShardId, TimeNs};
use grepzilla_storage::hot::{HotOptions, HotTier, OpenTail};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::alphabet::FOLDINGS;
use crate::naive::{Leaf, leaves};

pub(crate) const SHARD: ShardId = ShardId(4);
pub(crate) const EPOCH: Epoch = Epoch(7);
pub(crate) const INDEXES: [&str; 3] = ["main", "web", "audit"];
pub(crate) const PATHS: [&str; 10] =
    ["message", "text", "text2", "host.name", "tags", "a\\.b", "rows.k", "n", "when", "big"];

/// A document, and what the naive scan knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) seq: u64,
    /// The position of what took its place.
    pub(crate) superseded_by: Option<u64>,
    pub(crate) time: i64,
    pub(crate) index: &'static str,
    pub(crate) source: String,
    pub(crate) leaves: Vec<Leaf>,
}

impl Sample {
    pub(crate) fn new(seq: u64, time: i64, index: &'static str, source: String) -> Sample {
        Sample { seq, superseded_by: None, time, index, leaves: leaves(&source), source }
    }

    /// Whether a search at this position sees it.
    pub(crate) fn is_there_at(&self, upto: u64) -> bool {
        self.seq <= upto && self.superseded_by.is_none_or(|by| upto < by)
    }

    /// Its explicit id.
    pub(crate) fn id(&self) -> Option<&str> {
        self.leaves.iter().find(|leaf| leaf.path == "_id").map(|leaf| leaf.written.as_str())
    }
}

/// The seed of this run: `GREPZILLA_SEED`, or a new one. It is printed, so that a failure can be had again.
pub(crate) fn seeded(test: &str) -> StdRng {
    let given = std::env::var("GREPZILLA_SEED").ok().map(|seed| seed.parse().expect("GREPZILLA_SEED is a number"));
    let seed: u64 = given.unwrap_or_else(rand::random);
    println!("{test}: GREPZILLA_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

pub(crate) fn samples(random: &mut StdRng, first: u64, count: u64) -> Vec<Sample> {
    (first..first + count).map(|seq| sample(random, seq)).collect()
}

/// A document; that of every third number has an explicit id, which depends on the number only.
pub(crate) fn sample(random: &mut StdRng, seq: u64) -> Sample {
    let mut members = serde_json::Map::new();
    if seq.is_multiple_of(3) {
        members.insert("_id".to_owned(), format!("id-{seq}").into());
    }
    for key in ["message", "text", "text2", "host", "tags", "a.b", "rows", "n", "when", "big", "flag", "none"] {
        if random.random_bool(0.5) {
            members.insert(key.to_owned(), member(random, key));
        }
    }
    let source = Value::Object(members).to_string();
    let index = INDEXES[random.random_range(0..INDEXES.len())];
    Sample::new(seq, random.random_range(-20..20), index, source)
}

fn member(random: &mut StdRng, key: &str) -> Value {
    match key {
        "host" => json!({"name": text(random), "deep": [{"er": [text(random)]}]}),
        "tags" => (0..random.random_range(0..4)).map(|_| Value::from(text(random))).collect(),
        "rows" => (0..random.random_range(0..4)).map(|number| json!({"k": text(random), "v": number})).collect(),
        "n" => number(random),
        "when" => time(random).into(),
        "big" => (u64::MAX - random.random_range(0..9)).into(),
        "flag" => random.random_bool(0.5).into(),
        "none" => Value::Null,
        _ => text(random).into(),
    }
}

/// A small number, sometimes with a fraction or as a string.
fn number(random: &mut StdRng) -> Value {
    match random.random_range(0..4) {
        0 => (f64::from(random.random_range(-200..2_000)) / 10.0).into(),
        1 => random.random_range(-20..200).to_string().into(),
        _ => random.random_range(-20..200).into(),
    }
}

/// A moment of a few days of 2026, in one of several spellings.
pub(crate) fn time(random: &mut StdRng) -> String {
    let mut part = |to: u32| random.random_range(0..to);
    let date = format!("2026-02-{:02}T{:02}:{:02}:00", 26 + part(3), part(24), part(60));
    date + ["Z", "+01:00", "-05:30", ".25Z", ".000000001+14:00"].choose(random).expect("there are some")
}

const WORDS: [&str; 14] = [
    "Error",
    "error",
    "ERROR",
    "timeout",
    "GET",
    "/var/log",
    "C:\\Windows\\System32",
    "user=admin",
    "Żółć",
    "кошка",
    "straße",
    "10.0.0.1",
    "a*b?c",
    "\"quoted\"",
];

/// A value: words that repeat, any characters, nothing, or a lot.
pub(crate) fn text(random: &mut StdRng) -> String {
    match random.random_range(0..20) {
        0 => String::new(),
        1..=10 => {
            let count = random.random_range(1..5);
            let words: Vec<&str> = (0..count).map(|_| *WORDS.choose(random).expect("there are words")).collect();
            words.join([" ", "\n", "", ", "].choose(random).expect("there are joints"))
        }
        11..=17 => {
            let count = random.random_range(1..30);
            (0..count).map(|_| character(random)).collect()
        }
        18 => (0..random.random_range(200..600)).map(|_| character(random)).collect(),
        _ => "ab".repeat(random.random_range(0..400)),
    }
}

/// A character of any kind, the plain ones more often.
pub(crate) fn character(random: &mut StdRng) -> char {
    match random.random_range(0..10) {
        0..=3 => *b"aAbBeEkKsSiI".choose(random).expect("there are letters") as char,
        4..=5 => random.random_range(b' '..=b'~') as char,
        6 => *['\n', '\t', '\0', ' ', '.', '\r'].choose(random).expect("there are some"),
        _ => FOLDINGS.choose(random).expect("there are some").0,
    }
}

/// The shape of the tier: everything open, everything sealed, or some of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Sealed,
    Mixed,
}

impl State {
    pub(crate) const ALL: [State; 3] = [State::Open, State::Sealed, State::Mixed];

    pub(crate) fn tier(self) -> HotTier {
        let block_documents_max = if self == State::Open { 1 << 16 } else { 23 };
        let open_blocks_max = match self {
            State::Open => INDEXES.len() + SEALING.len(),
            State::Sealed => SEALING.len(),
            State::Mixed => 2,
        };
        HotTier::new(SHARD, HotOptions { block_documents_max, block_bytes_max: 20_000, open_blocks_max })
    }

    /// A tier with these samples, which [`with_sealing`] gave, in batches of seven.
    pub(crate) fn tier_with(self, samples: &[Sample]) -> HotTier {
        let tier = self.tier();
        insert(&tier, samples, 7);
        let is_filler = |tail: &OpenTail| SEALING.contains(&tail.index().as_str());
        assert!(self != State::Sealed || tier.view().open().iter().all(is_filler));
        tier
    }
}

/// Indexes whose documents take the places of the open blocks of others.
const SEALING: [&str; 3] = ["seal-1", "seal-2", "seal-3"];

/// The samples with documents behind them that seal the blocks of [`State::Sealed`].
pub(crate) fn with_sealing(mut samples: Vec<Sample>) -> Vec<Sample> {
    let next = samples.last().map_or(0, |sample| sample.seq) + 1;
    samples.extend((next..).zip(SEALING).map(|(seq, index)| Sample::new(seq, 0, index, "{}".to_owned())));
    samples
}

/// Inserts samples in batches.
pub(crate) fn insert(tier: &HotTier, samples: &[Sample], batch: usize) {
    for batch in samples.chunks(batch) {
        let records = batch.iter().map(record).collect();
        tier.insert(EPOCH, SeqNo(batch[0].seq), TimeNs(0), records);
    }
}

pub(crate) fn record(sample: &Sample) -> Record {
    let document = Document::parse(sample.source.as_bytes(), &DocumentLimits::default()).expect("a good document");
    Record {
        kind: RecordKind::Put,
        bucket: Bucket(0),
        index: IndexName::new(sample.index).expect("a good name"),
        id: document.id().cloned(),
        time: TimeNs(sample.time),
        source: document.into_source(),
    }
}

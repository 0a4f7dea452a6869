//! Patterns of every form over texts of every kind, in every state that documents have.
//!
//! 1. A pattern that is refused is refused for a reason that it has: a literal that is not empty is always taken, and a regular
//!    expression that another engine knows as one is not called malformed.
//! 2. The documents found are those that a plain scan finds: in open blocks, in sealed ones, and in a segment.
//! 3. What is shown of a hit is text of one value, and what is highlighted in it lies within.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use grepzilla_model::document::{Document, DocumentLimits};
use grepzilla_model::{Bucket, ClusterUuid, Epoch, IndexName, Record, RecordKind, SeqNo, ShardId, TimeNs};
use grepzilla_query::{LeafHit, Node, Pattern, QueryError};
use grepzilla_storage::block::{Block, BlockBuilder, Stamp, UnitLayout};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::hot::{HotOptions, HotTier};
use grepzilla_storage::segment::{ExpectedSegment, Segment, SegmentIdentity, SegmentOptions, SegmentWriter};
use grepzilla_storage::{BlockCache, View};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::asking::{ask, compiled};
use crate::choices::Choices;
use crate::naive::Naive;

const SHARD: ShardId = ShardId(3);
const CLUSTER: ClusterUuid = ClusterUuid(Uuid::from_u128(7));
const DOCUMENTS_MAX: usize = 8;
const PATTERNS_MAX: usize = 4;

/// A repeated text becomes so long: more than engines look at in one piece, and not more than a plain scan is quick with.
const VALUE_BYTES_MAX: usize = 18 << 10;

/// A document, and its leaves as they went in: path and value.
struct Sample {
    source: String,
    leaves: Vec<(&'static str, String)>,
}

/// What is asked, and which documents a plain scan finds.
struct Question {
    node: Node,
    found: BTreeSet<u64>,
}

/// Compiles patterns, and compares what is found with a plain scan.
pub fn pattern(data: &[u8]) {
    let mut choices = Choices::new(data);
    let samples: Vec<Sample> = (0..=choices.one_of(DOCUMENTS_MAX)).map(|_| sample(&mut choices)).collect();
    let asked = (0..=choices.one_of(PATTERNS_MAX)).filter_map(|_| question(&mut choices, &samples));
    let mut questions: Vec<Question> = asked.collect();
    if questions.len() > 1 {
        questions.push(combined(&questions, samples.len() as u64, choices.flag()));
    }
    if questions.is_empty() {
        return;
    }
    for view in views(&samples) {
        questions.iter().for_each(|question| check(&view, question, &samples));
    }
}

fn sample(choices: &mut Choices<'_>) -> Sample {
    let shape = choices.u8();
    let (one, other) = (value(choices), value(choices));
    let (document, leaves) = match shape % 4 {
        0 => (json!({ "t": one }), vec![("t", one)]),
        1 => (json!({ "t": one, "u": { "v": other } }), vec![("t", one), ("u.v", other)]),
        2 => (
            json!({ "t": [one, { "x": null }, other], "n": shape }),
            vec![("t", one), ("t", other), ("n", shape.to_string())],
        ),
        _ => (json!({ "b": shape > 127, "t": other }), vec![("b", (shape > 127).to_string()), ("t", other)]),
    };
    let source = Value::to_string(&document);
    let document = Document::parse(source.as_bytes(), &DocumentLimits::default()).expect("a small document");
    Sample { source: document.source().to_owned(), leaves }
}

fn value(choices: &mut Choices<'_>) -> String {
    let text = choices.text();
    match choices.u8() {
        times @ 240.. if !text.is_empty() => text.repeat((VALUE_BYTES_MAX / text.len()).min(1 << (times & 15)).max(1)),
        _ => text,
    }
}

/// A pattern, cut from a value or made up, and who has it. `None`: it was refused, and rightly so.
fn question(choices: &mut Choices<'_>, samples: &[Sample]) -> Option<Question> {
    let kind = choices.u8();
    let text = if kind & 0x40 == 0 { choices.text() } else { cut(choices, samples) };
    let (field, case_sensitive) = ((kind & 0x30 == 0x30).then_some("t"), kind & 8 == 8);
    let pattern = match kind % 4 {
        0 => Pattern::Contains(text),
        1 => Pattern::Exact(text),
        2 => Pattern::Wildcard(text),
        _ => Pattern::Regex(text),
    };
    let naive = Naive::new(&pattern, case_sensitive);
    let node = Node::Match { pattern: pattern.clone(), field: field.map(str::to_owned), case_sensitive };
    if let Err(error) = compiled(node.clone()) {
        assert!(is_reason(&error, &pattern, naive.as_ref()), "{pattern:?} is refused: {error}");
        return None;
    }
    let naive = naive.unwrap_or_else(|| panic!("{pattern:?} is taken, but is no regular expression"));
    let matches = |(path, value): &(&str, String)| {
        field.is_none_or(|field| field == *path) && naive.matches(value, case_sensitive)
    };
    let has = |sample: &Sample| sample.leaves.iter().any(matches);
    let found = (1..).zip(samples).filter(|(_, sample)| has(sample)).map(|(seq, _)| seq).collect();
    Some(Question { node, found })
}

/// Something before a piece of some value, and something behind it.
fn cut(choices: &mut Choices<'_>, samples: &[Sample]) -> String {
    let sample = &samples[choices.one_of(samples.len())];
    let (_, value) = &sample.leaves[choices.one_of(sample.leaves.len())];
    let range = choices.range(value.len());
    let piece = String::from_utf8_lossy(&value.as_bytes()[range]).replace('\u{FFFD}', "");
    let before = choices.text();
    format!("{before}{piece}{}", choices.text())
}

/// Whether a refusal is right.
fn is_reason(error: &QueryError, pattern: &Pattern, naive: Option<&Naive>) -> bool {
    match error {
        QueryError::Empty => pattern.text().is_empty() && !matches!(pattern, Pattern::Exact(_)),
        QueryError::TooLong { found, max } => *found == pattern.text().len() && found > max,
        QueryError::FoldsToNothing => match naive {
            Some(Naive::Contains(folded)) => folded.is_empty(),
            Some(Naive::Wildcard(_)) => true,
            _ => false,
        },
        QueryError::DanglingEscape => matches!(pattern, Pattern::Wildcard(text) if text.ends_with('\\')),
        QueryError::RegexSyntax { .. } => matches!(pattern, Pattern::Regex(_)) && naive.is_none(),
        QueryError::RegexBytes { .. } | QueryError::RegexTooDeep { .. } | QueryError::RegexTooBig { .. } => {
            matches!(pattern, Pattern::Regex(_))
        }
        _ => false,
    }
}

/// The first question and not the second, or either or not the last.
fn combined(questions: &[Question], documents: u64, all: bool) -> Question {
    let (first, last) = (&questions[0], &questions[questions.len() - 1]);
    let not_last = Node::Not(Box::new(last.node.clone()));
    let lacks_last = |seq: &u64| !last.found.contains(seq);
    let nodes = vec![first.node.clone(), not_last];
    if all {
        let found = first.found.iter().copied().filter(lacks_last).collect();
        Question { node: Node::All(nodes), found }
    } else {
        let found = (1..=documents).filter(|seq| first.found.contains(seq) || lacks_last(seq)).collect();
        Question { node: Node::Any(nodes), found }
    }
}

fn check(view: &View, question: &Question, samples: &[Sample]) {
    let query = compiled(question.node.clone()).expect("it was taken before");
    let answer = ask(view, &query).expect("everything is readable");
    let found: BTreeSet<u64> = answer.hits.iter().map(|hit| hit.key.seq.0).collect();
    assert_eq!(found, question.found, "{:?} in {:?}", question.node, sources(samples));
    assert_eq!(answer.total, Some(found.len() as u64), "{:?} in {:?}", question.node, sources(samples));
    answer.hits.iter().for_each(|hit| check_hit(hit, &samples[hit.key.seq.0 as usize - 1]));
}

fn check_hit(hit: &LeafHit, sample: &Sample) {
    assert_eq!(String::from_utf8_lossy(&hit.source), sample.source);
    let is_shown = |(path, value): &(&str, String)| *path == hit.matched_field && value.contains(&hit.preview);
    assert!(hit.matched_field.is_empty() || sample.leaves.iter().any(is_shown), "{hit:?}");
    let mut end = 0;
    for [start, next] in &hit.highlights {
        assert!(end <= *start && start < next && hit.preview.get(*start..*next).is_some(), "{hit:?}");
        end = *next;
    }
}

fn sources(samples: &[Sample]) -> Vec<&str> {
    samples.iter().map(|sample| sample.source.as_str()).collect()
}

/// The same documents in open blocks, in sealed ones, and in a segment.
fn views(samples: &[Sample]) -> [View; 3] {
    [hot(samples, 1 << 10), hot(samples, 2), segment(samples)]
}

fn hot(samples: &[Sample], block_documents_max: usize) -> View {
    let tier = HotTier::new(SHARD, HotOptions { block_documents_max, ..HotOptions::default() });
    for (seq, sample) in (1..).zip(samples) {
        let record = Record {
            kind: RecordKind::Put,
            bucket: Bucket(0),
            index: IndexName::default(),
            id: None,
            time: TimeNs(seq as i64),
            source: sample.source.as_str().into(),
        };
        tier.insert(Epoch(1), SeqNo(seq), TimeNs(0), vec![record]);
    }
    View::from(tier.view())
}

/// Two blocks of one segment, columns of some length in units of their own.
fn segment(samples: &[Sample]) -> View {
    let machine = Machine::new(1);
    let (disk, dir) = (machine.boot(), Path::new("/segments"));
    disk.create_dir(dir).expect("made");
    let last = SeqNo(samples.len() as u64);
    let identity = SegmentIdentity { cluster: CLUSTER, shard: SHARD, epoch: Epoch(1), first: SeqNo(1), last };
    let options = SegmentOptions { level: 1, own_unit_bytes: 64 };
    let mut writer = SegmentWriter::create(&disk, dir, identity, options).expect("begun");
    let mut builder = BlockBuilder::new(UnitLayout::Split { own_unit_bytes: options.own_unit_bytes });
    let mut block = |first: u64, samples: &[Sample]| -> Block {
        for (seq, sample) in (first..).zip(samples) {
            let stamp = Stamp { time: TimeNs(seq as i64), seq: SeqNo(seq), epoch: Epoch(1) };
            builder.add(&sample.source, stamp, Bucket(0), TimeNs(0));
        }
        builder.finish(&IndexName::default())
    };
    let (one, two) = samples.split_at(samples.len().div_ceil(2));
    writer.add(&block(1, one)).expect("added");
    if !two.is_empty() {
        writer.add(&block(1 + one.len() as u64, two)).expect("added");
    }
    let entry = writer.finish().expect("written");
    let expected = ExpectedSegment { cluster: CLUSTER, shard: SHARD, name: entry.name };
    let path = dir.join(entry.name.file_name());
    let cache = Arc::new(BlockCache::default());
    View::of_segment(Segment::open(&disk, &path, &expected, &cache).expect("as written"), entry)
}

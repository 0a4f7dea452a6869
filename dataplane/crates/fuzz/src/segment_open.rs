//! Opening a segment to which anything may have happened, and reading all of it.
//!
//! 1. After damage, every answer is the one that the undamaged file gives, or an error; verifying finds the damage, and so does
//!    who inspects the file.
//! 2. With checksums computed anew an answer may be wrong, but opening, reading, searching, merging and inspecting end without a panic
//!    and without taking memory beyond measure.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use grepzilla_model::fold::fold;
use grepzilla_model::manifest::{SegmentEntry, SegmentName};
use grepzilla_model::{BodyHash, Bucket, ClusterUuid, Epoch, IndexName, KeyHash, SeqNo, ShardId, TimeNs};
use grepzilla_query::{Bound, Bounds, Node, Pattern};
use grepzilla_storage::block::{Block, BlockBuilder, ColumnNo, Spelling, Stamp, UnitLayout, UnitValues};
use grepzilla_storage::disk::Disk;
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::segment::inspect::inspect_file;
use grepzilla_storage::segment::{
    ExpectedSegment, GramKey, KeyEntry, OpenSegmentError, Segment, SegmentIdentity, SegmentOptions, SegmentWriter,
    grams_of,
};
use grepzilla_storage::{BlockCache, ReadError, View};
use uuid::Uuid;

use crate::asking::{ask, compiled};
use crate::choices::Choices;
use crate::edits::damage;
use crate::segment_file::{SegmentFile, name_hash};

const DIR: &str = "/segments";
const CLUSTER: ClusterUuid = ClusterUuid(Uuid::from_u128(7));
const SHARD: ShardId = ShardId(3);

/// Small, so that few documents have units of their own.
const OPTIONS: SegmentOptions = SegmentOptions { level: 3, own_unit_bytes: 150 };

/// Few enough that no checksum can be hit by chance or by search.
const DAMAGES_MAX: usize = 6;
const REWRITES_MAX: usize = 24;

/// A forged table may promise many documents that take no bytes. It is enough to read some of them.
const DOCUMENTS_READ: usize = 100;
const PARTS_READ: usize = 64;

type Answers = Vec<Result<String, ReadError>>;

/// A good file, and everything that it answers.
struct Original {
    bytes: Vec<u8>,
    entry: SegmentEntry,
    answers: Answers,
}

/// Of one document; of two indexes with several blocks; without any document.
static ORIGINALS: LazyLock<[Original; 3]> =
    LazyLock::new(|| [vec![("main", 1)], vec![("main", 16), ("main", 3), ("other", 9)], vec![]].map(original));

/// Opens and reads what becomes of a segment.
pub fn segment_open(data: &[u8]) {
    let mut choices = Choices::new(data);
    let original = &ORIGINALS[choices.one_of(ORIGINALS.len())];
    if choices.flag() { check_forged(original, &mut choices) } else { check_harmed(original, &mut choices) }
}

fn check_harmed(original: &Original, choices: &mut Choices<'_>) {
    let mut bytes = original.bytes.clone();
    for _ in 0..DAMAGES_MAX {
        if !choices.is_empty() {
            damage(&mut bytes, choices);
        }
    }
    let is_same = bytes == original.bytes;
    let name = original.entry.name;
    let (disk, path) = planted(bytes, name);
    let inspected = inspect_file(&path, disk.open(&path).expect("planted")).expect("readable");
    assert_eq!(inspected.faults.is_empty(), is_same, "inspecting finds damage, and only damage");
    let segment = match open(&disk, &path, name) {
        Ok(segment) => segment,
        Err(OpenSegmentError::Read(ReadError::Corrupt(_)) | OpenSegmentError::NewerFormat { .. }) if !is_same => return,
        Err(error) => panic!("{error:?}"),
    };
    assert_eq!(segment.verify().is_ok(), is_same, "verifying finds damage, and only damage");
    let found = answers(segment, &original.entry);
    assert_eq!(found.len(), original.answers.len());
    for (found, right) in found.iter().zip(&original.answers) {
        match found {
            Ok(found) => assert_eq!(found, right.as_ref().expect("undamaged")),
            Err(ReadError::Corrupt(_)) if !is_same => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn check_forged(original: &Original, choices: &mut Choices<'_>) {
    let mut file = SegmentFile::of(&original.bytes);
    let counts_blocks = choices.flag();
    for _ in 0..REWRITES_MAX {
        if !choices.is_empty() {
            file.rewrite(choices);
        }
    }
    if counts_blocks {
        file.count_blocks();
    }
    let bytes = file.to_bytes();
    let name = name_of(&bytes);
    let (disk, path) = planted(bytes, name);
    drop(inspect_file(&path, disk.open(&path).expect("planted")).expect("readable"));
    let Ok(segment) = open(&disk, &path, name) else { return };
    drop(merged(&segment, &disk));
    drop(answers(segment, &SegmentEntry { name, ..original.entry.clone() }));
}

/// What a file is called by its header and footer, as a forger would call it.
fn name_of(bytes: &[u8]) -> SegmentName {
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    SegmentName { epoch: Epoch(u64_at(40)), first: SeqNo(u64_at(48)), last: SeqNo(u64_at(56)), hash: name_hash(bytes) }
}

fn planted(bytes: Vec<u8>, name: SegmentName) -> (Arc<dyn Disk>, PathBuf) {
    let machine = Machine::new(1);
    let path = Path::new(DIR).join(name.file_name());
    machine.plant(&path, bytes);
    (machine.boot(), path)
}

fn open(disk: &Arc<dyn Disk>, path: &Path, name: SegmentName) -> Result<Segment, OpenSegmentError> {
    let expected = ExpectedSegment { cluster: CLUSTER, shard: SHARD, name };
    Segment::open(disk, path, &expected, &Arc::new(BlockCache::default()))
}

fn original(blocks: Vec<(&str, u64)>) -> Original {
    let machine = Machine::new(1);
    let disk = machine.boot();
    disk.create_dir(Path::new(DIR)).expect("made");
    let last = blocks.iter().map(|(_, documents)| documents).sum::<u64>().max(1);
    let identity =
        SegmentIdentity { cluster: CLUSTER, shard: SHARD, epoch: Epoch(2), first: SeqNo(1), last: SeqNo(last) };
    let mut writer = SegmentWriter::create(&disk, Path::new(DIR), identity, OPTIONS).expect("begun");
    let (mut builder, mut seq) = (BlockBuilder::new(UnitLayout::One), 1);
    for (index, documents) in blocks {
        for seq in seq..seq + documents {
            let stamp = Stamp { time: TimeNs(seq as i64 % 7 * 1_000_000), seq: SeqNo(seq), epoch: Epoch(1 + seq / 30) };
            builder.add(&document(seq), stamp, Bucket(seq as u16 % 3), TimeNs(9_000_000));
        }
        seq += documents;
        writer.add(&builder.finish(&IndexName::new(index).expect("a good name"))).expect("added");
    }
    let key = |first| KeyEntry {
        key: KeyHash([first as u8; 16]),
        body: BodyHash([1; 16]),
        first: SeqNo(first),
        count: 2,
        epoch: Epoch(2),
        received: TimeNs(5),
    };
    (1..=last.min(3)).for_each(|first| writer.key(key(first)));
    let entry = writer.finish().expect("written");
    let path = Path::new(DIR).join(entry.name.file_name());
    let segment = open(&disk, &path, entry.name).expect("as written");
    Original { bytes: machine.files()[&path].clone(), answers: answers(segment, &entry), entry }
}

/// Documents of several shapes, with values of every group, constant columns, dense columns and columns of few.
fn document(number: u64) -> String {
    const WORDS: [&str; 8] = ["error", "Connection", "10.0.0.1", "Zażółć", "кошки", "КОШКИ", "漢字", "C:\\\\Temp\\n"];
    let word = |number: u64| WORDS[number as usize % WORDS.len()];
    let mut leaves = vec!["\"constant\":1.0".to_owned(), format!("\"n\":{number}")];
    if number.is_multiple_of(2) {
        leaves.push(format!("\"_id\":\"id-{}\"", number % 9));
    }
    if number % 4 < 3 {
        leaves.push(format!("\"message\":\"{} {} {number}\"", word(number), word(number / 3)));
    }
    if number.is_multiple_of(5) {
        leaves.push(format!("\"tags\":[\"{}\",{{\"deep\":{}}},null,true]", word(number), number * 7));
    }
    if number.is_multiple_of(11) {
        leaves.push("\"user.name\":{\"first\":\"\",\"none\":{},\"is\":false}".to_owned());
    }
    format!("{{{}}}", leaves.join(","))
}

/// Everything that can be asked of a segment, each answer or its error.
fn answers(segment: Segment, entry: &SegmentEntry) -> Answers {
    let mut answers = vec![Ok(format!("{:?} {:?} {}", segment.identity(), segment.bounds(), segment.memory_bytes()))];
    answers.push(segment.keys().map(|keys| format!("{keys:?}")));
    for text in ["e", "er", "error 1", "ZAŻÓŁĆ", "кошки", "漢字", "zz", "qqqqq", "id-3", "true"] {
        let mut keys = Vec::new();
        grams_of(fold(text).as_bytes(), &mut keys);
        answers.extend(keys.into_iter().map(|key| segment.grams(key).map(|units| format!("{units:?}"))));
    }
    let (first, last) = (GramKey::three([0; 3]), GramKey::one(255));
    answers.extend([first, last].map(|key| segment.grams(key).map(|units| format!("{units:?}"))));
    for id in (0..10).map(|number| format!("id-{number}")) {
        answers.push(segment.find_id(&IndexName::default(), &id).map(|found| format!("{found:?}")));
    }
    segment.blocks().iter().take(PARTS_READ).for_each(|block| answers_of_block(block, &mut answers));
    let view = View::of_segment(segment, entry.clone());
    answers.extend(nodes().map(|node| {
        let query = compiled(node).expect("a good query");
        // What was read says how much is in the cache, so it is no part of the answer.
        ask(&view, &query).map(|found| {
            let times = found.histogram.map(|histogram| histogram.buckets());
            format!("{:?} {:?} {times:?} {:?}", found.hits, found.total, found.terms)
        })
    }));
    answers
}

fn answers_of_block(block: &Block, answers: &mut Answers) {
    let documents = block.document_count().min(DOCUMENTS_READ);
    answers.push(Ok(format!("{:?}", block.facts())));
    answers.push(block.stamps().map(|stamps| {
        let stamp = |document| (stamps.stamp(document), stamps.bucket(document), stamps.find(SeqNo(document as u64)));
        format!("{:?} {:?}", stamps.span(), (0..documents).map(stamp).collect::<Vec<_>>())
    }));
    answers.push(block.sources().map(|mut sources| (0..documents).map(|document| sources.source(document)).collect()));
    for document in 0..documents {
        answers.push(block.id(document).map(|id| format!("{id:?}")));
    }
    for unit in 0..block.unit_count().min(PARTS_READ) {
        answers.push(block.unit(unit).map(|unit| {
            let folded = unit.runs(Spelling::Folded, &UnitValues::All).map(|run| run.bytes().to_vec());
            format!("{:?} {:?}", unit.written(), folded.collect::<Vec<_>>())
        }));
        answers.push(holders(block, unit));
    }
    answers.push(block.columns().and_then(|columns| {
        let mut text = String::new();
        for column in (0..columns.len().min(PARTS_READ) as u32).map(ColumnNo) {
            let mut having = Vec::new();
            block.documents_having(column, &mut |word, bits| having.push((word, bits)))?;
            text += &format!("{} {:?} {having:?};", columns.path(column), columns.column(column));
        }
        Ok(text)
    }));
}

/// The documents that have each of the first values of a unit.
fn holders(block: &Block, unit: usize) -> Result<String, ReadError> {
    let values = block.unit(unit)?.value_count().min(PARTS_READ) as u32;
    let mut found = Vec::new();
    for value in 0..values {
        block.documents_with(unit, &[value], &mut |word, bits| found.push((value, word, bits)))?;
    }
    Ok(format!("{found:?}"))
}

fn nodes() -> impl Iterator<Item = Node> {
    let matching = |pattern: Pattern| Node::Match { pattern, field: None, case_sensitive: false };
    let number = |number: &str| Some(Bound::Number(number.to_owned()));
    let bounds = Bounds { gte: number("3"), lt: number("30.5"), ..Bounds::default() };
    [
        matching(Pattern::Contains("zazołc".to_owned())),
        matching(Pattern::Exact("1.0".to_owned())),
        matching(Pattern::Wildcard("кош*1".to_owned())),
        matching(Pattern::Regex("(error|10\\.0)+ [^x]*$".to_owned())),
        Node::Not(Box::new(matching(Pattern::Contains("qqqqq".to_owned())))),
        Node::Exists { field: "tags.deep".to_owned() },
        Node::Range { field: "n".to_owned(), bounds },
    ]
    .into_iter()
}

/// All documents of a segment in blocks and a file of their own, as a merge writes them.
fn merged(segment: &Segment, disk: &Arc<dyn Disk>) -> Result<(), ReadError> {
    let mut builder = BlockBuilder::new(UnitLayout::Split { own_unit_bytes: OPTIONS.own_unit_bytes });
    let mut blocks = Vec::new();
    for block in segment.blocks().iter().take(PARTS_READ) {
        for document in 0..block.document_count().min(DOCUMENTS_READ) {
            builder.add_from(block, document)?;
        }
        blocks.push(builder.finish(block.index()));
    }
    // The forged positions may be those of another segment, which is refused before anything is written.
    let fits = |block: &Block| {
        let (identity, span) = (segment.identity(), block.span());
        identity.first <= span.seq_min && span.seq_max <= identity.last
    };
    if blocks.iter().all(fits) {
        let dir = Path::new(DIR);
        let mut writer = SegmentWriter::create(disk, dir, segment.identity(), OPTIONS).expect("there is room");
        blocks.iter().for_each(|block| writer.add(block).expect("there is room"));
        writer.finish().expect("there is room");
    }
    Ok(())
}

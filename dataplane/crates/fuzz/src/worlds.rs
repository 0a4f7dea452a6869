//! The folders of shards that lived: what the fuzzer begins with, made by the shard itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use grepzilla_model::{
    Batch, BodyHash, Bucket, ClusterUuid, IndexName, KeyHash, Record, RecordKind, SeqNo, ShardId, TimeNs,
};
use grepzilla_storage::disk::Disk;
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::segment::SegmentOptions;
use grepzilla_storage::{Appended, OpenError, ReadError, Shard, ShardOptions, View};
use uuid::Uuid;

use crate::envelope;
use crate::wal_files::{Files, is_log, settle_lots};

const DIR: &str = "/data/shard-7";

/// What every shard of these worlds gets in place of the number it drew.
const INCARNATION: u64 = 0x1bad_b002_dead_cafe;

/// Sources by position.
pub(crate) type Documents = BTreeMap<SeqNo, String>;

/// A folder, and what was acknowledged in it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) files: Files,
    pub(crate) acknowledged: Documents,
    /// Whether the shard was closed, so that all of it was proven to be durable.
    pub(crate) closed: bool,
}

/// Closed; killed; closed with segments in front of a trimmed log.
pub(crate) static WORLDS: LazyLock<[World; 3]> = LazyLock::new(|| [two_lives(true), two_lives(false), with_segments()]);

/// The smallest files there are.
fn options() -> ShardOptions {
    ShardOptions {
        wal_bytes_max: 8 << 10,
        segment: SegmentOptions { own_unit_bytes: 100, ..SegmentOptions::default() },
        ..ShardOptions::default()
    }
}

/// A machine whose disk holds these files.
pub(crate) fn machine_with(files: &Files) -> Machine {
    let machine = Machine::new(1);
    for (path, bytes) in files {
        machine.plant(path, bytes.clone());
    }
    machine
}

/// Opens the shard of a folder.
pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<Shard, OpenError> {
    Shard::open(disk, Path::new(DIR), ClusterUuid(Uuid::from_u128(0xc1)), ShardId(7), options(), &|_| ())
}

/// A batch that replaces, deletes and adds, and sometimes comes with a key.
pub(crate) fn batch(number: u64, text_bytes: usize) -> Batch {
    let id = |number: u64| Some(Arc::from(format!("id-{}", number % 5)));
    let record = |kind, id, source: String| Record {
        kind,
        bucket: Bucket(number as u16),
        index: IndexName::new(["main", "other"][number as usize % 2]).expect("a good name"),
        id,
        time: TimeNs(number as i64 * 1_000),
        source: source.into(),
    };
    let text = "Zażółć x".repeat(text_bytes / 8);
    let mut records = vec![
        record(RecordKind::Put, None, format!("{{\"n\":{number},\"text\":\"{text}\"}}")),
        record(RecordKind::Put, id(number), format!("{{\"_id\":\"id-{}\",\"n\":{number}}}", number % 5)),
    ];
    if number.is_multiple_of(4) {
        records.push(record(RecordKind::Tombstone, id(number + 1), String::new()));
    }
    let key = if number.is_multiple_of(3) { KeyHash([number as u8 + 1; 16]) } else { KeyHash::default() };
    Batch { key, body: BodyHash([number as u8; 16]), received: TimeNs(1), records }
}

/// Appends, and waits for the answer.
pub(crate) fn append(shard: &Shard, batch: Batch) -> Result<Appended, grepzilla_storage::AppendError> {
    let (answer, answered) = mpsc::channel();
    shard.append(batch, Box::new(move |result| drop(answer.send(result))))?;
    answered.recv_timeout(Duration::from_secs(20)).expect("every queued batch is answered")
}

fn lead(machine: &Machine) -> Shard {
    let shard = open(machine.boot()).expect("a good folder opens");
    shard.start_epoch(shard.last_epoch().next()).expect("a newer epoch");
    shard
}

fn two_lives(closed: bool) -> World {
    let machine = Machine::new(1);
    let shard = lead(&machine);
    for number in 0..6 {
        append(&shard, batch(number, 900)).expect("taken");
    }
    shard.close().expect("closed");
    drop(shard);
    let shard = lead(&machine);
    for number in 6..9 {
        append(&shard, batch(number, 300)).expect("taken");
    }
    world(&machine, shard, closed)
}

fn with_segments() -> World {
    let machine = Machine::new(1);
    let shard = lead(&machine);
    shard.adopt(None).expect("adopted");
    for number in 0..9 {
        append(&shard, batch(number, 600)).expect("taken");
        if number % 3 == 2 {
            shard.flush().expect("flushed");
            shard.published(shard.next_manifest().expect("something to publish")).expect("recorded");
        }
    }
    for number in 9..12 {
        append(&shard, batch(number, 100)).expect("taken");
    }
    world(&machine, shard, true)
}

fn world(machine: &Machine, shard: Shard, closed: bool) -> World {
    // The file that the log will need next is made by a thread of its own: with it, the folder is always the same.
    while machine.files().keys().filter(|path| is_log(path)).count() as u64 <= shard.stats().log.files {
        std::thread::yield_now();
    }
    let acknowledged = documents(&shard.view()).expect("a good folder is readable");
    if closed {
        shard.close().expect("closed");
    }
    let (mut files, drawn) = (machine.files(), format!("{:016x}", shard.incarnation().0));
    drop(shard);
    settle_lots(&mut files, INCARNATION);
    for (_, bytes) in files.iter_mut().filter(|(path, _)| is_json(path)) {
        let text = String::from_utf8(bytes.clone()).expect("JSON");
        *bytes = envelope::resealed(text.replace(&drawn, &format!("{INCARNATION:016x}")).as_bytes());
    }
    World { files, acknowledged, closed }
}

/// Whether a path is that of a file which checks itself as JSON.
pub(crate) fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// The paths of a world's files that an input may name.
pub(crate) fn paths(files: &Files) -> Vec<PathBuf> {
    files.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(path, _)| path.clone()).collect()
}

/// Every document that a view holds, superseded or not. A position that is there twice is a panic.
pub(crate) fn documents(view: &View) -> Result<Documents, ReadError> {
    let mut found = Documents::new();
    let mut add = |seq: SeqNo, source: String| {
        assert!(found.insert(seq, source).is_none(), "position {seq} is visible twice");
    };
    let flushed = view.segments().iter().flat_map(|segment| segment.blocks());
    for block in view.sealed().iter().chain(flushed) {
        let (mut sources, stamps) = (block.sources()?, block.stamps()?);
        (0..block.document_count()).for_each(|document| add(stamps.stamp(document).seq, sources.source(document)));
    }
    for tail in view.open() {
        tail.documents().for_each(|document| add(document.stamp.seq, document.source().to_owned()));
    }
    Ok(found)
}

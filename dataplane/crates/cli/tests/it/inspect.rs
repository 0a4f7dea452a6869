//! `gz inspect` on the files of a real shard: good, damaged, and in use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use grepzilla_model::{
    Batch, BodyHash, Bucket, ClusterUuid, Epoch, IndexName, KeyHash, Record, RecordKind, ShardId, TimeNs,
};
use grepzilla_storage::disk::RealDisk;
use grepzilla_storage::{Shard, ShardOptions};
use serde_json::Value;
use tempfile::TempDir;

use crate::run;

/// A shard that is open, with two batches of one document each in its log.
fn shard() -> (TempDir, Shard) {
    let dir = tempfile::tempdir().expect("a folder");
    let (options, path) = (ShardOptions::default(), dir.path().join("0"));
    let shard = Shard::open(Arc::new(RealDisk), &path, ClusterUuid(uuid::Uuid::nil()), ShardId(0), options, &|_| ());
    let shard = shard.expect("it opens");
    shard.start_epoch(Epoch(1)).expect("the first");
    for (id, source) in [(None, "{\"text\":\n\"first ż\"}"), (Some("order-7"), r#"{"number":1.0}"#)] {
        let record = Record {
            kind: RecordKind::Put,
            bucket: Bucket(1),
            index: IndexName::default(),
            id: id.map(Arc::from),
            time: TimeNs(0),
            source: source.into(),
        };
        let batch = Batch {
            key: id.map_or(KeyHash([7; 16]), |_| KeyHash::default()),
            body: BodyHash::default(),
            received: TimeNs(1),
            records: vec![record],
        };
        let (answer, answered) = mpsc::channel();
        shard.append(batch, Box::new(move |result| drop(answer.send(result)))).expect("queued");
        answered.recv().expect("answered").expect("durable");
    }
    (dir, shard)
}

fn log_file(dir: &TempDir) -> PathBuf {
    let begun = "0000000000000000-0000000000000001.wal";
    let path = dir.path().join("0").join(begun);
    assert!(path.exists(), "{:?}", std::fs::read_dir(dir.path().join("0")).expect("there").collect::<Vec<_>>());
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn json(arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let (code, out, err) = run(&[&["inspect", "wal", "--json"], arguments].concat(), "");
    assert_eq!(err, "");
    (code, out.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect())
}

#[test]
fn the_log_of_a_shard_in_use_is_shown_frame_by_frame_and_record_by_record() {
    let (dir, shard) = shard();
    let (code, out, err) = run(&["inspect", "wal", "--records", text(&dir.path().join("0"))], "");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("      4096  EPOCH_START"), "{out}");
    assert!(out.contains(r#" 2 PUT main/0.1.2 bucket 1 1970-01-01T00:00:00Z {"text": "first ż"}"#), "{out}");
    assert!(out.contains(r#" 3 PUT main/order-7 bucket 1 1970-01-01T00:00:00Z {"number":1.0}"#), "{out}");
    assert!(out.contains("key 07070707070707070707070707070707") && out.contains("without a key"), "{out}");
    assert!(out.lines().last().expect("a line").contains(" 2 records: no damage"), "{out}");
    let narrow = run(&["inspect", "wal", "--records", "--width", "40", text(&dir.path().join("0"))], "").1;
    assert!(narrow.contains("            3 PUT main/order-7 bucket 1…\n"), "{narrow}");
    shard.close().expect("the shard did not notice");
}

#[test]
fn json_is_one_object_a_line_and_keeps_documents_as_they_are() {
    let (dir, shard) = shard();
    shard.close().expect("closed");
    let (code, lines) = json(&["--records", text(&dir.path().join("0"))]);
    assert_eq!(code, Some(0), "{lines:?}");
    let of = |part: &str| lines.iter().filter(|line| line["part"] == part).cloned().collect::<Vec<_>>();
    assert_eq!(of("file")[0]["role"], "log");
    assert_eq!(of("frame")[0]["type"], "EPOCH_START");
    assert_eq!((of("frame")[1]["chain_ok"].clone(), of("frame")[1]["payload_ok"].clone()), (true.into(), true.into()));
    let records = of("record");
    assert_eq!((records[0]["seq"].clone(), records[0]["source"]["text"].clone()), (2.into(), "first ż".into()));
    assert_eq!((records[1]["id"].clone(), records.len()), ("order-7".into(), 2));
}

#[test]
fn damage_is_named_by_its_place_and_ends_with_1_and_a_torn_tail_with_0() {
    let (dir, shard) = shard();
    shard.close().expect("closed");
    let path = log_file(&dir);
    let good = std::fs::read(&path).expect("there");
    let frames = json(&[text(&path)]).1;
    let frames: Vec<_> = frames.iter().filter(|line| line["part"] == "frame").collect();
    let (data, last) = (frames[1]["offset"].as_u64().expect("a number"), frames[frames.len() - 1]["offset"].clone());
    for (offset, code, word) in [(data, 1, "DAMAGE"), (last.as_u64().expect("a number"), 0, "interrupted write")] {
        let mut bad = good.clone();
        bad[usize::try_from(offset).expect("small") + 17] ^= 1;
        std::fs::write(&path, bad).expect("written");
        let (found, out, _) = run(&["inspect", "wal", text(&path)], "");
        assert!(out.contains(&format!("  {word} at {offset}, frame_header: expected frame header crc ")), "{out}");
        assert_eq!(found, Some(code), "{out}");
    }
}

#[test]
fn segments_and_the_manifest_of_a_replica_are_shown_without_a_node() {
    let (dir, shard) = shard();
    let folder = dir.path().join("0");
    let nothing = run(&["inspect", "manifest", text(&folder)], "");
    assert!(nothing.1.starts_with("shard 0: generation 0 of epoch 0, positions 1 to 0 in 0 segments"), "{nothing:?}");
    shard.adopt(None).expect("a new shard");
    shard.flush().expect("there is room").expect("there is something to flush");
    shard.published(shard.next_manifest().expect("a segment to publish")).expect("recorded");
    let (code, out, err) = run(&["inspect", "manifest", text(&folder)], "");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("shard 0: generation 1 of epoch 1, positions 1 to 3 in 1 segment"), "{out}");
    let segments: Vec<PathBuf> =
        std::fs::read_dir(folder.join("segments")).expect("there").map(|entry| entry.expect("a file").path()).collect();
    let [segment] = segments.as_slice() else { panic!("{segments:?}") };
    let (code, out, _) = run(&["inspect", "segment", "--blocks", text(segment)], "");
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("  positions 1 to 3 of shard 0, epoch 1, ") && out.contains("  2 documents of "), "{out}");
    assert!(out.contains("\nblock table ") && out.contains("\n0      main   128     2          2..3 "), "{out}");
    let mut bytes = std::fs::read(segment).expect("there");
    bytes[130] ^= 1;
    std::fs::write(segment, bytes).expect("written");
    let (code, out, _) = run(&["inspect", "segment", "--json", text(segment)], "");
    let object: Value = serde_json::from_str(&out).expect("one object");
    assert_eq!((code, &object["sections"][1]["crc_ok"]), (Some(1), &Value::Bool(false)), "{out}");
    assert!(object["faults"][0].as_str().expect("a sentence").contains("damaged at byte 128"), "{out}");
}

#[test]
fn what_is_no_log_is_said_with_exit_code_2() {
    let dir = tempfile::tempdir().expect("a folder");
    for path in [text(dir.path()), "/no/such/file"] {
        let (code, _, err) = run(&["inspect", "wal", path], "");
        assert_eq!((code, err.lines().count()), (Some(2), 1), "{err}");
    }
}

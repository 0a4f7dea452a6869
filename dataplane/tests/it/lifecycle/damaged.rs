//! Segments that are damaged under a node: named, kept, left out of answers that say so, and made good from the log where it
//! still has what was in them.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde_json::{Value, json};

use super::segments::{BATCH, get, manifest, metric, metrics, published, write};
use super::{count, eventually};
use crate::process::NodeProcess;

/// Small segments, and files of the log that end after a second, so that the log soon lacks what segments hold.
fn short_logs() -> Value {
    json!({
        "storage": { "flush_bytes": 16 << 10, "flush_age_seconds": 1, "merge": false },
        "wal": { "max_age_seconds": 1 },
    })
}

/// A node with 1,000 documents or more and, of shard 0, the files of the segments that its log lacks.
async fn with_trimmed_logs() -> (NodeProcess, u64, Vec<PathBuf>) {
    let node = NodeProcess::start_alone_with(&short_logs());
    let mut written = 0;
    let mut files = Vec::new();
    eventually("the log still has the first segments", async || {
        let token = write(&node, written, 5 * BATCH).await;
        written += 5 * BATCH;
        published(&node, &token).await;
        let trimmed =
            node.log().into_iter().filter(|line| line["message"] == "trimmed the log" && line["shard"] == "0");
        let upto = trimmed.filter_map(|line| line["upto"].as_str()?.parse().ok()).max().unwrap_or(0);
        let segments = manifest(&node, &json!(0)).await["segments"].as_array().expect("segments").clone();
        files = segments.iter().map(|segment| folder(&node).join(file_name(segment))).collect();
        files.retain(|file| span(file).1 <= upto);
        // The oldest file that is left may begin within the last of them.
        files.pop();
        if files.len() >= 2 && written >= 1_000 { Ok(()) } else { Err(json!({ "upto": upto, "segments": segments })) }
    })
    .await;
    (node, written, files)
}

fn folder(node: &NodeProcess) -> PathBuf {
    node.data().join("shards/0/segments")
}

/// Files of shard 0 that were set aside.
fn aside(node: &NodeProcess) -> Vec<String> {
    let names = std::fs::read_dir(folder(node)).expect("reads").filter_map(Result::ok);
    let names = names.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".damaged")).collect()
}

fn name(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a name")
}

fn file_name(segment: &Value) -> String {
    format!("{}.seg", segment["name"].as_str().expect("a name"))
}

/// The first and the last position in a segment.
fn span(file: &Path) -> (u64, u64) {
    let parts: Vec<_> = name(file).split('-').map(|part| u64::from_str_radix(part, 16).expect("a number")).collect();
    (parts[1], parts[2])
}

async fn search(node: &NodeProcess) -> Value {
    let search = json!({ "contains": "filler", "count": true, "page": { "size": 0 } });
    let (status, answer) = node.answer(node.request("POST", "/search").json(&search)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// What must be so when some of shard 0 is missing for good. Answers how many documents are left.
async fn is_named_and_the_rest_goes_on(node: &NodeProcess, written: u64, missing: &Path, what: &str) -> u64 {
    let answer = search(node).await;
    let left = answer["total"].as_u64().expect("a total");
    assert!(0 < left && left < written, "{what}: {left} of {written}");
    assert_eq!((&answer["partial"], &answer["total_relation"]), (&json!(true), &json!("gte")), "{what}");
    let failed = &answer["failed_shards"][0];
    assert_eq!((&failed["shard"], &failed["code"]), (&json!(0), &json!("damaged")), "{what}: {answer}");
    let (said, (first, last)) = (failed["message"].as_str().expect("a sentence"), span(missing));
    assert!(said.contains(&format!("positions {first} to {last} are missing")), "{what}: {said}");

    eventually("it is not told", async || {
        let (status, ready) = node.answer(node.request("GET", "/readyz")).await;
        let (_, cluster) = node.answer(node.request("GET", "/cluster")).await;
        let tells = |said: &Value| said.as_str().is_some_and(|said| said.contains(name(missing)));
        let damaged = metric(&metrics(node).await, "grepzilla_damaged_segments");
        let is_told = status == StatusCode::OK && tells(&ready["notes"][0]) && tells(&cluster["shards"][0]["blocker"]);
        if is_told && damaged >= 1.0 { Ok(()) } else { Err(json!([ready, cluster, damaged])) }
    })
    .await;
    assert!(node.log().iter().any(|line| line["level"] == "ERROR" && line.to_string().contains(name(missing))));

    let mut missed = 0;
    for number in 0..60 {
        let (status, answer) = get(node, &format!("d{number}")).await;
        assert!(status == StatusCode::OK || answer["error"]["code"] == "damaged", "{what}: {answer}");
        missed += u64::from(status != StatusCode::OK);
    }
    assert!((1..60).contains(&missed), "{what}: some of the first documents stand in the segment");
    let documents: Value = (0..50).map(|number| json!({ "_id": format!("n{number}"), "text": "new" })).collect();
    let (status, answer) = node.answer(node.request("POST", "/ingest").json(&documents)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{what}: {answer}");
    assert!(answer["appended"].as_u64().is_some_and(|appended| (1..50).contains(&appended)), "{what}: {answer}");
    left
}

/// What is done to two files of segments.
type Harm = fn(&Path, &Path);

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_not_what_it_was_is_kept_and_named_at_the_start_and_the_rest_goes_on() {
    let harms: [(&str, Harm); 5] = [
        ("cut", |file, _| {
            let length = std::fs::metadata(file).expect("is there").len();
            std::fs::OpenOptions::new().write(true).open(file).expect("opens").set_len(length / 2).expect("cuts");
        }),
        ("zeros", |file, _| {
            std::fs::write(file, vec![0; 4_096]).expect("writes");
        }),
        ("swapped", |file, other| {
            let (one, two) = (std::fs::read(file).expect("reads"), std::fs::read(other).expect("reads"));
            std::fs::write(file, two).expect("writes");
            std::fs::write(other, one).expect("writes");
        }),
        ("renamed", |file, _| {
            std::fs::rename(file, file.with_extension("old")).expect("renames");
        }),
        ("flipped", |file, _| {
            let mut bytes = std::fs::read(file).expect("reads");
            let place = bytes.len() - 5;
            bytes[place] ^= 1;
            std::fs::write(file, bytes).expect("writes");
        }),
    ];
    let (mut node, written, files) = with_trimmed_logs().await;
    let good: Vec<_> = files.iter().map(|file| std::fs::read(file).expect("reads")).collect();
    for (what, harm) in harms {
        assert_eq!(node.terminate().await.code(), Some(0), "{what}");
        harm(&files[0], &files[1]);
        node.restart();
        is_named_and_the_rest_goes_on(&node, written, &files[0], what).await;
        let kept = if what == "renamed" { 0 } else { 1 + usize::from(what == "swapped") };
        assert_eq!(aside(&node).len(), kept, "{what}");

        // The good files are put back: the shard is whole again.
        assert_eq!(node.terminate().await.code(), Some(0), "{what}");
        files.iter().zip(&good).for_each(|(file, bytes)| std::fs::write(file, bytes).expect("writes"));
        aside(&node).iter().for_each(|name| std::fs::remove_file(folder(&node).join(name)).expect("removes"));
        node.restart();
        assert_eq!(count(&node, "filler").await, (written, false), "{what}, put back");
    }
}

/// Spoils what is read of a segment only when it is asked for.
fn spoil(file: &Path) {
    let length = std::fs::metadata(file).expect("is there").len() as usize;
    let file = std::fs::OpenOptions::new().write(true).open(file).expect("opens");
    file.write_all_at(&vec![0x55; length / 2], 128).expect("writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_turns_out_to_be_damaged_is_left_out_of_the_answer_that_found_it_and_of_all_later_ones() {
    let (mut node, written, files) = with_trimmed_logs().await;
    node.kill();
    node.restart();
    spoil(&files[0]);
    let left = is_named_and_the_rest_goes_on(&node, written, &files[0], "while reading").await;
    assert_eq!(aside(&node).len(), 1);
    node.kill();
    node.restart();
    assert_eq!(is_named_and_the_rest_goes_on(&node, written, &files[0], "after a restart").await, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_still_has_of_a_damaged_segment_is_made_good_by_itself() {
    let config = json!({ "storage": { "flush_bytes": 16 << 10, "flush_age_seconds": 1, "merge": false } });
    let mut node = NodeProcess::start_alone_with(&config);
    let token = write(&node, 0, 1_000).await;
    let files: Vec<PathBuf> = published(&node, &token).await[0]["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .map(|segment| folder(&node).join(file_name(segment)))
        .collect();
    node.kill();
    node.restart();
    spoil(&files[0]);
    let first = count(&node, "filler").await;
    assert!(first.1 && first.0 < 1_000, "{first:?}");
    eventually("it is not made good", async || {
        let found = count(&node, "filler").await;
        if found == (1_000, false) { Ok(()) } else { Err(json!(found)) }
    })
    .await;
    assert_eq!(aside(&node).len(), 1);
    let token = write(&node, 1_000, BATCH).await;
    let manifest = &published(&node, &token).await[0];
    assert!(!manifest.to_string().contains(name(&files[0])), "{manifest}");
    node.kill();
    std::fs::remove_file(folder(&node).join(&aside(&node)[0])).expect("removes");
    node.restart();
    assert_eq!(count(&node, "filler").await, (1_100, false));
    assert_eq!(metric(&metrics(&node).await, "grepzilla_damaged_segments"), 0.0);
}

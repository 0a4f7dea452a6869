//! What becomes of documents behind the writes: flushed, published, merged, and there again after every kind of end.

use http::StatusCode;
use serde_json::{Value, json};

use super::{count, eventually};
use crate::etcd::{Etcd, ROOT};
use crate::process::NodeProcess;

/// Documents of one request.
pub(super) const BATCH: u64 = 100;

/// A configuration with which a few hundred documents are several segments.
fn small_segments() -> Value {
    json!({ "storage": { "flush_bytes": 16 << 10, "flush_age_seconds": 1 } })
}

/// Writes documents `d<from>`, `d<from + 1>`, ...: each tenth one says `tenth`, and all say `filler`. Gives the token of the
/// last batch.
pub(super) async fn write(node: &NodeProcess, from: u64, documents: u64) -> Value {
    let mut token = Value::Null;
    for first in (from..from + documents).step_by(BATCH as usize) {
        let document = |number: u64| {
            let word = if number.is_multiple_of(10) { "tenth" } else { "other" };
            json!({ "_id": format!("d{number}"), "text": format!("{word} filler {number:0>80}") })
        };
        let batch: Value = (first..first + BATCH).map(document).collect();
        let (status, answer) = node.answer(node.request("POST", "/ingest").json(&batch)).await;
        assert_eq!((status, &answer["appended"]), (StatusCode::OK, &json!(BATCH)), "{answer}");
        token = answer["token"].clone();
    }
    token
}

pub(super) async fn manifest(node: &NodeProcess, shard: &Value) -> Value {
    let (status, manifest) = node.answer(node.request("GET", &format!("/manifest/{shard}"))).await;
    assert_eq!(status, StatusCode::OK, "{manifest}");
    manifest
}

/// Waits until the positions of a token stand in published segments, and gives the manifests of their shards.
pub(super) async fn published(node: &NodeProcess, token: &Value) -> Vec<Value> {
    let mut published = Vec::new();
    eventually("not all is published", async || {
        published.clear();
        for part in token.as_array().expect("a token") {
            let manifest = manifest(node, &part["shard"]).await;
            if manifest["flushed"].as_u64() < part["seq"].as_u64() {
                return Err(json!({ "token": part, "manifest": manifest }));
            }
            published.push(manifest);
        }
        Ok(())
    })
    .await;
    published
}

fn generation(manifest: &Value) -> u64 {
    manifest["gen"].as_u64().expect("a generation")
}

pub(super) async fn get(node: &NodeProcess, id: &str) -> (StatusCode, Value) {
    node.answer(node.request("GET", &format!("/doc/{id}"))).await
}

async fn delete(node: &NodeProcess, id: &str) -> Value {
    let (status, answer) = node.answer(node.request("DELETE", &format!("/doc/{id}"))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

pub(super) async fn metrics(node: &NodeProcess) -> String {
    node.request("GET", "/metrics").send().await.expect("an answer").text().await.expect("text")
}

/// The value of a line of the metrics.
pub(super) fn metric(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_flushed_is_found_like_what_was_not_before_and_after_a_kill() {
    let mut node = NodeProcess::start_alone_with(&small_segments());
    let written = write(&node, 0, 2_000).await;
    let published = published(&node, &written).await;
    assert_eq!(published.len(), 2);
    assert!(published.iter().all(|manifest| !manifest["segments"].as_array().expect("segments").is_empty()));
    // Some of it is in segments, some is not.
    write(&node, 2_000, 100).await;
    let found = async |node: &NodeProcess| {
        let mut found = Vec::new();
        for needle in ["filler", "tenth", "00042", "no such thing"] {
            found.push(count(node, needle).await);
        }
        found
    };
    let before = found(&node).await;
    assert_eq!(before, [(2_100, false), (210, false), (11, false), (0, false)]);
    let text = metrics(&node).await;
    assert!(metric(&text, "flush_duration_ms_count") >= 2.0);
    assert!(metric(&text, "manifest_publish_total{status=\"ok\"}") >= 2.0);
    assert!(metric(&text, "grepzilla_segments") >= 2.0);

    node.kill();
    node.restart();
    assert_eq!(found(&node).await, before);
    for published in &published {
        let now = manifest(&node, &published["shard"]).await;
        assert!(generation(&now) >= generation(published), "{now}");
    }
    let (status, document) = get(&node, "d1234").await;
    assert_eq!((status, &document["source"]["_id"]), (StatusCode::OK, &json!("d1234")), "{document}");
    let spoken = node.log();
    for (message, field) in [("flushed the hot tier", "first_seq"), ("published the manifest", "generation")] {
        let line = spoken
            .iter()
            .find(|line| line["message"] == message && !line["shard"].is_null())
            .unwrap_or_else(|| panic!("no {message:?}"));
        assert!(!line[field].is_null() && !line["shard"].is_null() && !line["last_seq"].is_null(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_and_a_newer_version_count_at_once_and_after_flushes_and_a_kill() {
    let mut node = NodeProcess::start_alone_with(&small_segments());
    let written = write(&node, 0, 500).await;
    published(&node, &written).await;
    let mut deleted = Value::Null;
    for id in ["d10", "d11", "d499"] {
        deleted = delete(&node, id).await;
        assert_eq!(deleted["found"], true, "{id}");
        assert_eq!(get(&node, id).await.0, StatusCode::NOT_FOUND, "{id}");
    }
    let newer = json!([{ "_id": "d20", "text": "newer" }]);
    node.answer(node.request("POST", "/ingest").json(&newer)).await;
    let is_as_it_should_be = async |node: &NodeProcess, when: &str| {
        assert_eq!(count(node, "filler").await, (496, false), "{when}");
        assert_eq!(count(node, "tenth").await, (48, false), "{when}");
        assert_eq!(get(node, "d11").await.0, StatusCode::NOT_FOUND, "{when}");
        assert_eq!(get(node, "d20").await.1["source"]["text"], "newer", "{when}");
        assert_eq!(get(node, "d21").await.0, StatusCode::OK, "{when}");
    };
    is_as_it_should_be(&node, "at once").await;
    node.kill();
    node.restart();
    is_as_it_should_be(&node, "after a kill").await;
    published(&node, &deleted["token"]).await;
    is_as_it_should_be(&node, "after a flush").await;
    assert_eq!(node.terminate().await.code(), Some(0));
    node.restart();
    is_as_it_should_be(&node, "after a clean end").await;
    assert_eq!(delete(&node, "d11").await["found"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_known_after_a_kill_and_after_its_batch_has_left_the_log() {
    let mut node = NodeProcess::start_alone_with(&small_segments());
    let send = async |node: &NodeProcess, key: &str, text: &str| {
        let request = node.request("POST", "/ingest").header("idempotency-key", key);
        node.answer(request.json(&json!([{ "text": text }, { "text": text }]))).await
    };
    let (_, logged) = send(&node, "logged", "one").await;
    node.kill();
    node.restart();
    let (status, again) = send(&node, "logged", "one").await;
    assert_eq!((status, &again["idempotent"], &again["segment"]), (StatusCode::OK, &json!(true), &logged["segment"]));
    published(&node, &logged["token"]).await;
    node.kill();
    node.restart();
    let (status, again) = send(&node, "logged", "one").await;
    assert_eq!((status, &again["idempotent"], &again["segment"]), (StatusCode::OK, &json!(true), &logged["segment"]));
    assert_eq!(again["hot_added"], logged["hot_added"]);
    assert_eq!(send(&node, "logged", "other").await.0, StatusCode::CONFLICT);
    assert_eq!(count(&node, "one").await, (2, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_change_nothing_that_a_search_sees() {
    let mut node = NodeProcess::start_alone_with(&json!({ "storage": { "flush_bytes": 1 << 10 } }));
    let has_merged = |node: &NodeProcess, shard: &str| {
        node.log().iter().any(|line| line["message"] == "merged segments" && line["shard"] == shard)
    };
    let (mut written, mut token) = (0, Value::Null);
    let merging = async || {
        if has_merged(&node, "0") && has_merged(&node, "1") {
            return Ok(());
        }
        token = write(&node, written, BATCH).await;
        // An older version of one document of the batch before.
        let newer = json!([{ "_id": format!("d{}", written.saturating_sub(1)), "text": "tenth filler again" }]);
        node.answer(node.request("POST", "/ingest").json(&newer)).await;
        written += BATCH;
        assert_eq!(count(&node, "filler").await, (written, false));
        Err(json!(written))
    };
    eventually("nothing is merged", merging).await;
    published(&node, &token).await;
    let again = count(&node, "again").await;
    assert_eq!((count(&node, "filler").await, again.0 > 1), ((written, false), true));
    node.kill();
    node.restart();
    assert_eq!((count(&node, "filler").await, count(&node, "again").await), ((written, false), again));
    let folder = node.data().join("shards/0/segments");
    let files = std::fs::read_dir(&folder).expect("reads").filter_map(Result::ok);
    let segments = files.filter(|file| file.file_name().to_string_lossy().ends_with(".seg")).count();
    let named = manifest(&node, &json!(0)).await["segments"].as_array().map_or(0, Vec::len);
    assert!(segments >= named && named > 0, "{segments} files, {named} named");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hot_tiers_of_a_node_are_flushed_before_they_together_reach_the_mark() {
    let node = NodeProcess::start_alone_with(&json!({
        "storage": { "flush_bytes": 1 << 30, "flush_age_seconds": 86_400 },
        "admission": { "hot_soft_bytes": 2 << 20, "hot_hard_bytes": 4 << 20 },
    }));
    for round in 0..40 {
        write(&node, round * 5 * BATCH, 5 * BATCH).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    eventually("the hot tiers stay large", async || {
        let text = metrics(&node).await;
        let (hot, flushes) = (metric(&text, "hot_mem_size"), metric(&text, "flush_duration_ms_count"));
        if hot < f64::from(1 << 20) && flushes >= 2.0 { Ok(()) } else { Err(json!([hot, flushes])) }
    })
    .await;
    assert_eq!(count(&node, "filler").await, (40 * 5 * BATCH, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_what_etcd_accepts_and_the_record_on_the_disk_loses_and_doubles_nothing() {
    let etcd = Etcd::start().await;
    etcd.write_ring(1, 2).await;
    let mut node = NodeProcess::spawn_in_cluster_with(0, ROOT, &etcd.endpoint(), &small_segments()).ready();
    let written = write(&node, 0, 300).await;
    let first = published(&node, &written).await;
    // Nothing can be recorded from now on: the name of the file that is to be renamed is taken.
    let blocks = [0, 1].map(|shard| node.data().join(format!("shards/{shard}/manifest.json.tmp")));
    blocks.iter().for_each(|block| std::fs::create_dir(block).expect("makes a folder"));
    let recorded =
        |shard: u32| std::fs::read(node.data().join(format!("shards/{shard}/manifest.json"))).expect("reads");
    let before = [recorded(0), recorded(1)];
    write(&node, 300, 700).await;
    delete(&node, "d7").await;
    let mut accepted = Vec::new();
    eventually("etcd has accepted nothing new", async || {
        accepted = vec![manifest(&node, &json!(0)).await, manifest(&node, &json!(1)).await];
        let failed = metric(&metrics(&node).await, "manifest_publish_total{status=\"not_recorded\"}");
        let is_ahead = accepted
            .iter()
            .all(|now| first.iter().all(|first| first["shard"] != now["shard"] || generation(now) > generation(first)));
        if is_ahead && failed >= 2.0 { Ok(()) } else { Err(json!(accepted)) }
    })
    .await;
    assert_eq!([recorded(0), recorded(1)], before, "etcd is ahead of the disk");
    assert_eq!(count(&node, "filler").await, (999, false));

    node.kill();
    blocks.iter().for_each(|block| std::fs::remove_dir(block).expect("removes the folder"));
    node.restart();
    eventually("something is lost, or there twice", async || {
        let found = count(&node, "filler").await;
        if found == (999, false) { Ok(()) } else { Err(json!(found)) }
    })
    .await;
    let written = write(&node, 1_000, BATCH).await;
    for (accepted, after) in accepted.iter().zip(&published(&node, &written).await) {
        assert!(generation(after) > generation(accepted), "{after}");
    }
    assert_eq!(count(&node, "filler").await, (1_099, false));
    assert_eq!(get(&node, "d7").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_that_is_away_delays_publishing_and_nothing_else() {
    let mut etcd = Etcd::start().await;
    etcd.write_ring(1, 2).await;
    let node = NodeProcess::spawn_in_cluster_with(0, ROOT, &etcd.endpoint(), &small_segments()).ready();
    let written = write(&node, 0, 300).await;
    let before = published(&node, &written).await;

    etcd.kill();
    let written = write(&node, 300, 700).await;
    assert_eq!(count(&node, "filler").await, (1_000, false));
    let text = metrics(&node).await;
    let flushes = metric(&text, "flush_duration_ms_count");
    eventually("nothing was flushed, or nobody tried to publish", async || {
        let text = metrics(&node).await;
        let failed = metric(&text, "manifest_publish_total{status=\"unavailable\"}");
        let hot = metric(&text, "hot_size");
        if failed >= 3.0 && hot == 0.0 {
            Ok(())
        } else {
            Err(json!({ "failed": failed, "hot": hot, "flushes": flushes }))
        }
    })
    .await;
    let spoken = || node.log().iter().filter(|line| line["level"] == "WARN" && line["status"] == "unavailable").count();
    assert!(spoken() <= 4, "each failure is spoken of");
    for before in &before {
        let away = manifest(&node, &before["shard"]).await;
        assert_eq!(away["gen"], before["gen"], "what is published is what this replica has recorded");
        assert!(away["manifest_error"].is_string(), "{away}");
    }
    assert_eq!(count(&node, "filler").await, (1_000, false));

    etcd.restart().await;
    let after = published(&node, &written).await;
    for (before, after) in before.iter().zip(&after) {
        assert!(generation(after) > generation(before), "{after}");
        eventually("what is over is still told", async || {
            let now = manifest(&node, &after["shard"]).await;
            if now["manifest_error"].is_null() { Ok(()) } else { Err(now) }
        })
        .await;
    }
    assert_eq!(count(&node, "filler").await, (1_000, false));
}

//! A node that is alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{count, documents};
use crate::process::NodeProcess;

/// Rounds of loading and killing.
const ROUNDS: u64 = 4;
/// Clients that write at the same time.
const WRITERS: u64 = 4;
/// Documents of one request.
const BATCH: u64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_folder_is_refused_and_the_first_one_goes_on() {
    let node = NodeProcess::start_alone(1);
    let data = node.data();
    let (status, log) = NodeProcess::refused(&["--data", data.to_str().expect("UTF-8")]);
    assert!(!status.success());
    assert!(log.contains(data.to_str().expect("UTF-8")) && log.contains("another process"), "{log}");
    assert_eq!(count(&node, "x").await, (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_another_cluster_is_refused_with_both_clusters_named() {
    let (mut one, mut other) = (NodeProcess::start_alone(1), NodeProcess::start_alone(1));
    let cluster_of = async |node: &NodeProcess| node.answer(node.request("GET", "/cluster")).await.1["cluster"].clone();
    let clusters = [cluster_of(&one).await, cluster_of(&other).await];
    for node in [&mut one, &mut other] {
        assert!(node.terminate().await.success());
    }
    std::fs::copy(other.data().join("identity.json"), one.data().join("identity.json")).expect("copies");
    let (status, log) = NodeProcess::refused(&["--data", one.data().to_str().expect("UTF-8")]);
    assert!(!status.success());
    for cluster in clusters {
        assert!(log.contains(cluster.as_str().expect("a UUID")), "{cluster} is not in {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_exits_with_0_and_a_restart_brings_everything_back() {
    let mut node = NodeProcess::start_alone(3);
    let ids: Vec<String> = (0..100).map(|n| format!("doc-{n}")).collect();
    let (status, answer) = node.answer(node.request("POST", "/ingest").json(&documents(&ids))).await;
    assert_eq!((status, &answer["appended"]), (StatusCode::OK, &json!(100)), "{answer}");
    let (_, before) = node.answer(node.request("GET", "/cluster")).await;

    assert_eq!(node.terminate().await.code(), Some(0));
    assert!(node.stdout_rest().is_empty(), "more than one line was printed");
    node.restart();

    assert_eq!(count(&node, "doc-").await, (100, false));
    let (_, after) = node.answer(node.request("GET", "/cluster")).await;
    assert_eq!(after["cluster"], before["cluster"]);
    for (before, after) in std::iter::zip(shards(&before), shards(&after)) {
        let epoch = |shard: &Value| shard["epoch"].as_u64().expect("an epoch");
        assert_eq!(epoch(after), epoch(before) + 1, "each start of a leader is a new epoch");
    }
}

fn shards(cluster: &Value) -> &[Value] {
    cluster["shards"].as_array().expect("shards")
}

#[tokio::test(flavor = "multi_thread")]
async fn sigkill_under_load_loses_nothing_that_was_acknowledged_and_nothing_is_there_twice() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut node = NodeProcess::start_alone(2);
    let mut acknowledged = Vec::new();
    let mut sent = 0;
    for round in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write_until_it_fails(
                    node.request("POST", "/ingest"),
                    format!("r{round}w{writer}"),
                    stop.clone(),
                ))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200 + (seed >> (8 * round)) % 700)).await;
        node.kill();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            let wrote = writer.await.expect("a writer ends");
            acknowledged.extend(wrote.acknowledged);
            sent += wrote.sent;
        }
        node.restart();
        let found = everything(&node).await;
        for document in &acknowledged {
            assert_eq!(found.get(document), Some(&1), "{document} was acknowledged, seed {seed}, round {round}");
        }
        assert!(found.values().all(|times| *times == 1), "something is there twice, seed {seed}, round {round}");
        assert!(found.len() as u64 <= sent, "there is more than was sent, seed {seed}, round {round}");
    }
    assert!(acknowledged.len() as u64 >= ROUNDS * WRITERS * BATCH, "only {} were acknowledged", acknowledged.len());
}

struct Wrote {
    acknowledged: Vec<String>,
    sent: u64,
}

/// Writes batches of documents, each with a text of its own, until an answer does not come.
async fn write_until_it_fails(request: reqwest::RequestBuilder, name: String, stop: Arc<AtomicBool>) -> Wrote {
    let mut wrote = Wrote { acknowledged: Vec::new(), sent: 0 };
    while !stop.load(Ordering::Relaxed) {
        let texts: Vec<String> = (wrote.sent..wrote.sent + BATCH).map(|n| format!("{name}n{n}e")).collect();
        wrote.sent += BATCH;
        let batch: Value = texts.iter().map(|text| json!({ "text": text })).collect();
        let request = request.try_clone().expect("a request without a body");
        let Ok(answer) = request.json(&batch).send().await else { break };
        if answer.status() == StatusCode::OK && answer.bytes().await.is_ok() {
            wrote.acknowledged.extend(texts);
        }
    }
    wrote
}

/// How often each text is there: all pages of a search that every document matches.
async fn everything(node: &NodeProcess) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut cursor = Value::Null;
    loop {
        let search = json!({"regex": "^r[0-9]+w[0-9]+n[0-9]+e$", "page": {"size": 1000, "cursor": cursor}});
        let (status, answer) = node.answer(node.request("POST", "/search").json(&search)).await;
        assert_eq!((status, &answer["partial"]), (StatusCode::OK, &json!(false)), "{answer}");
        for hit in answer["hits"].as_array().expect("hits") {
            let text = hit["source"]["text"].as_str().expect("a text").to_owned();
            *found.entry(text).or_insert(0) += 1;
        }
        cursor = answer["cursor"].clone();
        if cursor.is_null() {
            return found;
        }
    }
}

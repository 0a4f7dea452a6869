//! A real process that is killed again and again while it writes, flushes, publishes and merges. After each start everything
//! that was acknowledged is there, once, in its newest version.
//!
//! `GREPZILLA_KILLS` says how often; 50 times if it is not set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::process::NodeProcess;

const KILLS: u64 = 50;
/// Clients that write at the same time.
const WRITERS: u64 = 4;
/// Documents without an id of one request.
const BATCH: u64 = 10;

/// What one client did in one round.
struct Wrote {
    /// Texts of documents without an id.
    acknowledged: Vec<String>,
    sent: u64,
    /// The last version of the client's own document that was acknowledged, and the last that was sent.
    version_acknowledged: u64,
    version_sent: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_was_acknowledged_and_doubles_nothing() {
    let kills = std::env::var("GREPZILLA_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number of kills"));
    let seed: u64 = rand::random();
    println!("seed {seed}, {kills} kills");
    let mut random = StdRng::seed_from_u64(seed);
    // So small that each round flushes and many rounds merge.
    let mut node =
        NodeProcess::start_alone_with(&json!({ "storage": { "flush_bytes": 8 << 10, "flush_age_seconds": 1 } }));
    let mut acknowledged = Vec::new();
    let mut sent = 0;
    let mut versions = BTreeMap::from_iter((0..WRITERS).map(|writer| (writer, 0..=0)));
    for round in 0..kills {
        let wrote =
            write_until_killed(&mut node, round, &versions, Duration::from_millis(random.random_range(20..300))).await;
        node.restart();
        let of_round = everything(&node, &format!("^r{round}w")).await;
        for (writer, wrote) in wrote {
            for text in &wrote.acknowledged {
                assert_eq!(of_round.get(text), Some(&1), "{text} was acknowledged, seed {seed}, round {round}");
            }
            acknowledged.extend(wrote.acknowledged);
            sent += wrote.sent;
            let found = version(&node, writer).await;
            let (acknowledged, sent) = (wrote.version_acknowledged.max(*versions[&writer].start()), wrote.version_sent);
            assert!(
                (acknowledged..=sent).contains(&found),
                "version {found} of {writer}, {acknowledged} acknowledged, seed {seed}, round {round}"
            );
            versions.insert(writer, found..=sent);
        }
    }
    let found = everything(&node, "^r[0-9]+w").await;
    assert!(acknowledged.iter().all(|text| found.contains_key(text)), "something was lost later, seed {seed}");
    assert!(found.values().all(|times| *times == 1), "something is there twice, seed {seed}");
    assert!(found.len() as u64 <= sent, "there is more than was sent, seed {seed}");
    assert!(acknowledged.len() as u64 >= kills * BATCH, "only {} were acknowledged", acknowledged.len());
    println!("{} documents were acknowledged and are there, of {sent} sent", acknowledged.len());
}

/// Lets all clients write for a while, kills the node, and hears what each did.
async fn write_until_killed(
    node: &mut NodeProcess,
    round: u64,
    versions: &BTreeMap<u64, std::ops::RangeInclusive<u64>>,
    after: Duration,
) -> Vec<(u64, Wrote)> {
    let stop = Arc::new(AtomicBool::new(false));
    let start = |writer: u64| {
        let (request, next) = (node.request("POST", "/ingest"), versions[&writer].end() + 1);
        (writer, tokio::spawn(write_until_it_fails(request, round, writer, next, stop.clone())))
    };
    let writers: Vec<_> = (0..WRITERS).map(start).collect();
    tokio::time::sleep(after).await;
    node.kill();
    stop.store(true, Ordering::Relaxed);
    let mut wrote = Vec::new();
    for (writer, task) in writers {
        wrote.push((writer, task.await.expect("a writer ends")));
    }
    wrote
}

/// Writes batches until an answer does not come: new documents, each with a text of its own, and a newer version of one document.
async fn write_until_it_fails(
    request: reqwest::RequestBuilder,
    round: u64,
    writer: u64,
    next_version: u64,
    stop: Arc<AtomicBool>,
) -> Wrote {
    let before = next_version - 1;
    let mut wrote = Wrote { acknowledged: Vec::new(), sent: 0, version_acknowledged: 0, version_sent: before };
    while !stop.load(Ordering::Relaxed) {
        let texts: Vec<String> = (wrote.sent..wrote.sent + BATCH).map(|n| format!("r{round}w{writer}n{n}e")).collect();
        wrote.sent += BATCH;
        wrote.version_sent += 1;
        let own = json!({ "_id": format!("own-{writer}"), "version": wrote.version_sent });
        let batch: Value = texts.iter().map(|text| json!({ "text": text })).chain([own]).collect();
        let request = request.try_clone().expect("a request without a body");
        let Ok(answer) = request.json(&batch).send().await else { break };
        if answer.status() == StatusCode::OK && answer.bytes().await.is_ok() {
            wrote.acknowledged.extend(texts);
            wrote.version_acknowledged = wrote.version_sent;
        }
    }
    wrote
}

/// The version of a client's own document: that of `GET`, which is also the only one that a search finds. 0: there is none.
async fn version(node: &NodeProcess, writer: u64) -> u64 {
    let (status, answer) = node.answer(node.request("GET", &format!("/doc/own-{writer}"))).await;
    let search = json!({"query": {"exact": format!("own-{writer}"), "field": "_id"}, "count": true});
    let (_, found) = node.answer(node.request("POST", "/search").json(&search)).await;
    if status == StatusCode::NOT_FOUND {
        assert_eq!(found["total"], 0, "{found}");
        return 0;
    }
    assert_eq!((status, &found["total"], &found["partial"]), (StatusCode::OK, &json!(1), &json!(false)), "{found}");
    assert_eq!(found["hits"][0]["source"], answer["source"], "{answer}");
    answer["source"]["version"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}

/// How often each text is there: all pages of a search that every document without an id matches.
async fn everything(node: &NodeProcess, regex: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut cursor = Value::Null;
    loop {
        let search = json!({"regex": regex, "field": "text", "page": {"size": 1000, "cursor": cursor}});
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

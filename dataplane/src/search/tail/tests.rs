//! Tails of a real cluster: everything is told, once, and from wherever a reader left.

use std::collections::BTreeSet;

use grepzilla_api::client::{Client, Retry, Tail as Following, TailEvent};
use grepzilla_api::tail::TailParameters;
use serde_json::json;

use super::*;
use crate::server::fixtures::Cluster;

async fn follow(cluster: &Cluster, node: usize, contains: &str, id: Option<&str>) -> Following {
    let client = Client::new(&cluster.nodes[node].api.to_string()).expect("an address").with_retry(Retry::never());
    let parameters = TailParameters { contains: Some(contains.to_owned()), ..TailParameters::default() };
    let mut tail = client.tail(&parameters, id).await.expect("followed");
    let first = tail.next().await.expect("an event");
    assert!(matches!(&first, Some(TailEvent::Beat(beat)) if beat.failed_shards.is_empty()), "{first:?}");
    tail
}

/// The `n` of the next documents.
async fn numbers(tail: &mut Following, count: usize) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    while found.len() < count {
        match tail.next().await.expect("an event").expect("no end") {
            TailEvent::Hit(hit) => {
                let source: serde_json::Value = serde_json::from_str(hit.source.get()).expect("JSON");
                assert!(found.insert(source["n"].as_u64().expect("a number")), "{source} was told twice");
            }
            TailEvent::Beat(_) => {}
            TailEvent::End(end) => panic!("{end:?}"),
        }
    }
    found
}

async fn put(cluster: &Cluster, numbers: std::ops::Range<u64>, text: &str) {
    let documents: Vec<_> = numbers.map(|n| json!({"_id": format!("{text}-{n}"), "n": n, "text": text})).collect();
    let (status, answer) = cluster.ingest(0, "", json!(documents).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn what_matches_is_told_once_from_all_shards_and_nothing_from_before() {
    let cluster = Cluster::start(2, 4).await;
    put(&cluster, 0..20, "needle").await;
    let mut tail = follow(&cluster, 1, "needle", None).await;
    put(&cluster, 100..103, "hay").await;
    put(&cluster, 20..40, "needle").await;
    assert_eq!(numbers(&mut tail, 20).await, (20..40).collect());
    // More than fits on a page, in one look.
    put(&cluster, 40..400, "needle").await;
    assert_eq!(numbers(&mut tail, 360).await, (40..400).collect());
}

#[tokio::test]
async fn a_reader_goes_on_at_another_node_where_it_left() {
    let cluster = Cluster::start(2, 4).await;
    let mut tail = follow(&cluster, 0, "needle", None).await;
    put(&cluster, 0..10, "needle").await;
    assert_eq!(numbers(&mut tail, 10).await, (0..10).collect());
    let id = loop {
        // The id comes with the last document of a look, or with the next beat.
        match tail.last_event_id() {
            Some(id) => break id.to_owned(),
            None => drop(tail.next().await.expect("an event")),
        }
    };
    drop(tail);
    put(&cluster, 10..20, "needle").await;
    let mut tail = follow(&cluster, 1, "needle", Some(&id)).await;
    let mut found = numbers(&mut tail, 10).await;
    // Where two looks found the first ten, the id may lie between them.
    while !found.contains(&19) || !(10..20).all(|n| found.contains(&n)) {
        found.extend(numbers(&mut tail, 1).await);
    }
    assert!(found.iter().all(|n| *n < 20), "{found:?}");
}

#[tokio::test]
async fn a_node_that_drains_ends_its_tails_with_a_word() {
    let cluster = Cluster::start(1, 1).await;
    let mut tail = follow(&cluster, 0, "needle", None).await;
    cluster.nodes[0].signals.begin_draining();
    let end = loop {
        match tail.next().await.expect("an event").expect("an end with a word") {
            TailEvent::End(end) => break end,
            TailEvent::Beat(_) | TailEvent::Hit(_) => {}
        }
    };
    assert_eq!(end.code, "draining");
    assert!(tail.next().await.expect("the end").is_none());
}

#[tokio::test]
async fn a_reader_that_stops_is_let_go_with_a_word() {
    let cluster = Cluster::start(1, 1).await;
    let mut tail = follow(&cluster, 0, "needle", None).await;
    // More than the buffers between the two hold.
    let long = "x".repeat(250_000);
    for batch in 0..4 {
        let documents: Vec<_> =
            (0..10).map(|n| json!({"n": batch * 10 + n, "text": "needle", "a": long, "b": long, "c": long})).collect();
        let (status, answer) = cluster.ingest(0, "", json!(documents).to_string()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    sleep(TAKE_TIME_MAX * 3).await;
    let end = loop {
        match tail.next().await.expect("an event").expect("an end with a word") {
            TailEvent::End(end) => break end,
            TailEvent::Beat(_) | TailEvent::Hit(_) => {}
        }
    };
    assert_eq!(end.code, "slow", "{end:?}");
}

#[tokio::test]
async fn a_wrong_request_is_a_400() {
    let cluster = Cluster::start(1, 1).await;
    for (query, code) in [
        ("contains=a&regex=b", "bad_pattern"),
        ("contians=a", "bad_parameter"),
        ("query=%7B", "bad_query"),
        ("regex=(", "regex_syntax"),
    ] {
        let answer = cluster.request(0, "GET", &format!("/tail?{query}")).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        let body: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(body["error"]["code"], code, "{query}");
    }
    let answer = cluster.request(0, "GET", "/tail").header(LAST_EVENT_ID, "x").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

/// A tail of a node of `cluster`, without a reader, that was told nothing; and the answer to its first look.
async fn looked(cluster: &Cluster) -> (Tail, Answer) {
    let app = Arc::new(App::new(cluster.nodes[0].node.clone()).expect("an app"));
    let trace = TraceId::of_request(&HeaderMap::new());
    let mut tail =
        open(app, trace, &HeaderMap::new(), &Uri::from_static("/tail?contains=needle")).await.expect("opened");
    drop(std::mem::take(&mut tail.waiting));
    put(cluster, 0..20, "needle").await;
    let answer = root::run(&tail.app, trace, tail.next_search().expect("a search"), tail.query.clone(), Instant::now());
    let answer = answer.await.expect("an answer");
    assert_eq!((answer.response.hits.len(), &answer.cut), (20, &BTreeSet::new()));
    (tail, answer)
}

fn missing(shard: ShardId, code: &str) -> FailedShard {
    FailedShard { shard, code: code.to_owned(), message: code.to_owned() }
}

#[tokio::test]
async fn a_look_that_was_cut_off_is_not_taken_for_a_whole_one_even_if_another_shard_was_late_too() {
    let cluster = Cluster::start(1, 2).await;
    let (mut tail, mut answer) = looked(&cluster).await;
    let told = tail.told.clone();
    answer.cut.insert(ShardId(0));
    answer.response.metrics.deadline_hit = true;
    answer.response.token.retain(|part| part.shard != ShardId(1));
    answer.response.failed_shards.push(missing(ShardId(1), "deadline"));
    tail.take(answer);
    assert!(tail.ended, "documents of shard 0 would have been missed");
    assert_eq!(tail.told, told, "whoever goes on begins before what was cut off");
    let text = String::from_utf8(std::mem::take(&mut tail.waiting).into_bytes().to_vec()).expect("text");
    assert!(text.contains("in shard 0") && !text.contains("event: hit"), "{text}");
}

#[tokio::test]
async fn a_shard_that_was_late_is_asked_again_and_a_damaged_one_is_not() {
    for (code, again) in [("deadline", true), (DAMAGED, false)] {
        let cluster = Cluster::start(1, 2).await;
        let (mut tail, mut answer) = looked(&cluster).await;
        let before = tail.search.since[&ShardId(0)];
        answer.response.failed_shards.push(missing(ShardId(0), code));
        tail.take(answer);
        assert!(!tail.ended);
        assert_eq!(tail.search.since[&ShardId(0)] == before, again, "{code}");
    }
}

#[tokio::test]
async fn what_is_told_and_who_is_told_is_counted() {
    let cluster = Cluster::start(1, 1).await;
    let scraped = async |line: &str| {
        let text = cluster.request(0, "GET", "/metrics").send().await.expect("an answer").text().await.expect("text");
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    };
    scraped("grepzilla_tails 0").await;
    scraped("grepzilla_tail_documents_total 0").await;
    let mut tail = follow(&cluster, 0, "needle", None).await;
    put(&cluster, 0..10, "needle").await;
    numbers(&mut tail, 10).await;
    scraped("grepzilla_tails 1").await;
    scraped("grepzilla_tail_documents_total 10").await;
}

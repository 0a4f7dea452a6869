//! The documents that ship with the repository, through HTTP, and every count compared with a plain scan of them.

use std::fs::File;
use std::io::{BufRead, BufReader};

use http::StatusCode;
use serde_json::{Value, json};

use crate::process::NodeProcess;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/security-events.jsonl.zst");
/// How many of them: enough for blocks that are sealed and one that grows, on each shard.
const DOCUMENTS: usize = 9_000;
/// Lines of one request.
const BATCH: usize = 500;

fn sample() -> Vec<String> {
    let mut decoder = zstd::Decoder::new(File::open(SAMPLE).expect("the sample is in the repository")).expect("zstd");
    decoder.window_log_max(27).expect("the window it was packed with");
    BufReader::new(decoder).lines().take(DOCUMENTS).map(|line| line.expect("UTF-8")).collect()
}

/// The scan: every leaf of every document, compared as text.
fn scan(documents: &[Value], matches: impl Fn(&str) -> bool) -> usize {
    documents.iter().filter(|document| any_leaf(document, &matches)).count()
}

fn any_leaf(value: &Value, matches: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => matches(text),
        Value::Bool(_) | Value::Number(_) => matches(&value.to_string()),
        Value::Array(elements) => elements.iter().any(|element| any_leaf(element, matches)),
        Value::Object(members) => members.values().any(|member| any_leaf(member, matches)),
    }
}

#[tokio::test]
async fn counts_over_real_documents_equal_a_plain_scan() {
    let (node, lines) = (NodeProcess::start_alone(3), sample());
    for batch in lines.chunks(BATCH) {
        let body = zstd::encode_all(batch.join("\n").as_bytes(), 1).expect("packs");
        let request = node.request("POST", "/ingest").header("content-type", "application/x-ndjson");
        let (status, answer) = node.answer(request.header("content-encoding", "zstd").body(body)).await;
        assert_eq!((status, &answer["appended"]), (StatusCode::OK, &json!(batch.len())), "{answer}");
    }
    let documents: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for needle in
        ["powershell", "PEDRO", "arn:aws:iam", "0x3e7", "4688", "日本", "no such thing anywhere", "a", "\\system32\\"]
    {
        let folded = needle.to_lowercase();
        let any_case = scan(&documents, |text| text.to_lowercase().contains(&folded));
        expect(&node, json!({ "contains": needle }), any_case).await;
        expect(
            &node,
            json!({ "contains": needle, "case_sensitive": true }),
            scan(&documents, |text| text.contains(needle)),
        )
        .await;
    }
    let wild = scan(&documents, |text| text.split_once("Describe").is_some_and(|(_, rest)| rest.contains("Types")));
    assert!(wild > 0, "the sample has what the wildcard looks for");
    expect(&node, json!({ "wildcard": "Describe*Types", "case_sensitive": true }), wild).await;
    let anchored = scan(&documents, |text| text.len() == 20 && text.starts_with("ASIA"));
    expect(&node, json!({ "regex": "^ASIA.{16}$", "case_sensitive": true }), anchored).await;
    let field =
        documents.iter().filter(|document| document["eventSource"].as_str() == Some("ec2.amazonaws.com")).count();
    expect(&node, json!({ "regex": "^ec2\\.amazonaws\\.com$", "field": "eventSource" }), field).await;
}

/// Asks for a count and for the newest hits, and checks both, and that what a hit shows is what was sent.
async fn expect(node: &NodeProcess, mut request: Value, count: usize) {
    request["count"] = json!(true);
    request["page"] = json!({ "size": 5 });
    request["limits"] = json!({ "deadline_ms": 60_000 });
    let (status, answer) = node.answer(node.request("POST", "/search").json(&request)).await;
    assert_eq!(status, StatusCode::OK, "{request}: {answer}");
    assert_eq!((&answer["total"], &answer["total_relation"]), (&json!(count), &json!("eq")), "{request}");
    let hits = answer["hits"].as_array().expect("hits");
    assert_eq!(hits.len(), count.min(5), "{request}");
    let times: Vec<_> = hits.iter().map(|hit| hit["time"].as_str().expect("a time").to_owned()).collect();
    assert!(times.is_sorted_by(|one, next| instant(one) >= instant(next)), "{request}: {times:?}");
}

fn instant(text: &str) -> jiff::Timestamp {
    text.parse().expect("RFC 3339")
}

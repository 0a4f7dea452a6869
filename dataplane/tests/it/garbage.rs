//! What nobody should send: requests damaged at random get an answer that is not our fault, and the node lives on.

use std::ops::RangeInclusive;

use http::StatusCode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::process::NodeProcess;

const REQUESTS: usize = 1_500;
/// What a client may be told about its own mistakes, or that there were none.
const CLIENT: RangeInclusive<u16> = 200..=499;

const WELL_FORMED: [(&str, &str); 7] = [
    (
        "/ingest",
        r#"[{"_id":"a","text":"one \u00e4 \ud83d\ude00","n":[1,2.5e3,{"x":null}]},{"ts":"2026-01-02T03:04:05Z"}]"#,
    ),
    ("/ingest?atomic=true&timeout_ms=900", r#"{"records":[{"a":{"b":{"c":true}}},{"a":"\\\"\n"}],"ingest_id":"k"}"#),
    ("/ingest?index=web&ack=all", "{\"a\":1}\n{\"b\":\"x\"}\n\n{\"c\":[[[]]]}\n"),
    ("/search", r#"{"contains":"one","page":{"size":3},"count":true,"time":{"from":"2020-01-01T00:00:00Z"}}"#),
    (
        "/search",
        r#"{"wildcard":"o*e?\\*","field":"text","order":"oldest","limits":{"deadline_ms":900,"parallelism":3}}"#,
    ),
    ("/search", r#"{"regex":"(a|b)+[^c]{1,9}\\d*(?i:x)$","case_sensitive":true,"shards":[0,1],"index":["main"]}"#),
    ("/search", r#"{"contains":"a","token":[{"shard":0,"epoch":1,"seq":1}],"page":{"cursor":"01ff"}}"#),
];

/// Cuts, doubles, overwrites and inserts, a few times.
fn damage(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..5) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_slice(&bytes.clone()[at..]),
            2 => bytes.insert(at, b"{}[]\",:\\0-e\xff\x00*?("[rng.random_range(0..16)]),
            3 if at < bytes.len() => bytes[at] = rng.random(),
            _ => drop(bytes.drain(at.min(bytes.len())..(at + rng.random_range(0..4)).min(bytes.len()))),
        }
    }
}

#[tokio::test]
async fn damaged_requests_get_an_answer_that_names_the_trace_and_never_a_fault_of_ours() {
    let seed = rand::random();
    println!("seed {seed}");
    let (mut rng, node) = (StdRng::seed_from_u64(seed), NodeProcess::start_alone(2));
    for _ in 0..REQUESTS {
        let (path, body) = WELL_FORMED[rng.random_range(0..WELL_FORMED.len())];
        let mut bytes = body.as_bytes().to_vec();
        damage(&mut rng, &mut bytes);
        let encoding = ["identity", "identity", "identity", "gzip", "zstd"][rng.random_range(0..5)];
        if encoding == "zstd" && rng.random() {
            bytes = zstd::encode_all(&bytes[..], 1).expect("packs");
            damage(&mut rng, &mut bytes);
        }
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let request = node.request("POST", path).header("content-type", "application/json").body(bytes);
        let answer = request.header("content-encoding", encoding).send().await.expect("an answer");
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        assert!(CLIENT.contains(&status.as_u16()), "{path} {encoding} {shown:?}: {status} {body}");
        assert_eq!(body["trace_id"].as_str().map(str::len), Some(32), "{body}");
        let is_error = !status.is_success();
        assert_eq!(body["error"]["code"].is_string(), is_error, "{path} {shown:?}: {status} {body}");
    }
    assert!(node.log().iter().all(|line| line["level"] != "ERROR"), "something panicked");
    let (status, answer) =
        node.answer(node.request("POST", "/search").json(&json!({"wildcard": "*", "count": true}))).await;
    assert_eq!((status, &answer["partial"]), (StatusCode::OK, &json!(false)), "{answer}");
}

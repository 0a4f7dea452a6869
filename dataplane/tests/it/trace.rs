//! One trace id through two nodes: received by one, forwarded, appended to a log of the other.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};

use crate::etcd::{Etcd, ROOT};
use crate::process::NodeProcess;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_id_shows_the_path_of_a_batch_from_the_node_that_received_it_to_the_log_of_another() {
    let etcd = Etcd::start().await;
    etcd.write_ring(2, 2).await;
    let nodes = [0, 1].map(|index| NodeProcess::start_in_cluster(index, ROOT, &etcd.endpoint()));
    for node in &nodes {
        wait_for_leaders(node).await;
    }
    // Ids of all shards: some document is led by the node that does not receive it.
    let documents: Vec<Value> = (0..16).map(|n| json!({"_id": format!("d{n}"), "text": "needle"})).collect();
    let request = nodes[0]
        .request("POST", "/ingest")
        .json(&documents)
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let (status, answer) = nodes[0].answer(request).await;
    assert_eq!(
        (status, &answer["appended"], &answer["trace_id"]),
        (StatusCode::OK, &json!(16), &json!(TRACE)),
        "{answer}"
    );
    assert_eq!(answer["shards"].as_array().map(Vec::len), Some(2), "{answer}");

    let said = |node: &NodeProcess| -> Vec<String> {
        let of_batch = node.log().into_iter().filter(|line| line["trace_id"] == TRACE);
        of_batch.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
    };
    let (first, second) = (said(&nodes[0]), said(&nodes[1]));
    for message in ["received", "forwarded", "appended frame"] {
        assert!(first.iter().any(|said| said == message), "{message:?} is not in {first:?}");
    }
    assert!(second.iter().any(|said| said == "appended frame"), "{second:?}");

    for node in &nodes {
        let (_, answer) =
            node.answer(node.request("POST", "/search").json(&json!({"contains": "needle", "count": true}))).await;
        assert_eq!((&answer["total"], &answer["partial"]), (&json!(16), &json!(false)), "{answer}");
    }
}

async fn wait_for_leaders(node: &NodeProcess) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, cluster) = node.answer(node.request("GET", "/cluster")).await;
        let shards = cluster["shards"].as_array().expect("shards");
        if shards.len() == 2 && shards.iter().all(|shard| shard["leader"].is_string()) {
            return;
        }
        assert!(Instant::now() < deadline, "no leaders: {cluster}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

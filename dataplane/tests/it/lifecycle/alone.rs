//! A node that is alone.

use http::StatusCode;
use serde_json::{Value, json};

use super::{count, documents};
use crate::process::NodeProcess;

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

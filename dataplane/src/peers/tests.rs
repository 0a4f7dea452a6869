use grepzilla_api::peer;
use grepzilla_model::{Batch, BodyHash, Bucket, IndexName, KeyHash, Record, RecordKind, TimeNs};
use grepzilla_storage::wal::encode_payload;
use http::StatusCode;
use serde_json::{Value, json};

use crate::server::fixtures::{CLUSTER, Cluster, SECRET, answer, bearer};

/// A payload of one document in a bucket of the given shard, out of `shards`.
fn payload(shard: u32, shards: u32) -> Vec<u8> {
    let record = Record {
        kind: RecordKind::Put,
        bucket: Bucket((shard * (65_536 / shards)) as u16),
        index: IndexName::default(),
        id: None,
        time: TimeNs(1),
        source: "{\"a\":\"forwarded\"}".into(),
    };
    encode_payload(&Batch {
        key: KeyHash::default(),
        body: BodyHash::default(),
        received: TimeNs(2),
        records: vec![record],
    })
}

async fn send(cluster: &Cluster, node: usize, method: &str, path: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let request = cluster.peer_request(node, method, path).body(body);
    answer(request.header(peer::AUTHORIZATION, bearer(SECRET)).header(peer::CLUSTER, CLUSTER.to_string())).await
}

#[tokio::test]
async fn a_peer_without_the_secret_or_of_another_cluster_gets_nothing() {
    let cluster = Cluster::start(1, 1).await;
    let hello = || cluster.peer_request(0, "GET", peer::HELLO_PATH).header(peer::CLUSTER, CLUSTER.to_string());
    let mut other = SECRET;
    other[31] ^= 1;
    for request in [
        hello(),
        hello().header(peer::AUTHORIZATION, bearer(other)),
        hello().header(peer::AUTHORIZATION, bearer(SECRET).trim_start_matches("Bearer ")),
        hello().header(peer::AUTHORIZATION, "Bearer "),
    ] {
        let (status, body) = answer(request).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("wrong_secret")));
    }
    let request = cluster.peer_request(0, "GET", peer::HELLO_PATH).header(peer::AUTHORIZATION, bearer(SECRET));
    let (status, body) = answer(request.header(peer::CLUSTER, uuid::Uuid::nil().to_string())).await;
    assert_eq!((status, &body["error"]["details"]["cluster"]), (StatusCode::CONFLICT, &json!(CLUSTER)));

    let (status, body) = answer(hello().header(peer::AUTHORIZATION, bearer(SECRET))).await;
    assert_eq!((status, &body["node"], &body["cluster"]), (StatusCode::OK, &json!("n-0"), &json!(CLUSTER)));
}

#[tokio::test]
async fn a_forwarded_batch_is_appended_and_searchable() {
    let cluster = Cluster::start(1, 2).await;
    let (status, body) = send(&cluster, 0, "POST", &peer::append_path("1"), payload(1, 2)).await;
    assert_eq!((status, &body["epoch"], &body["durability"]), (StatusCode::OK, &json!(1), &json!("fsync")), "{body}");
    assert_eq!(body["first_seq"], body["last_seq"]);
    assert_eq!(cluster.count(0, "forwarded").await, 1);
}

#[tokio::test]
async fn a_batch_that_is_damaged_misrouted_or_for_another_leader_is_refused_and_nothing_enters() {
    let cluster = Cluster::start(2, 2).await;
    let damaged = payload(0, 2).split_last().expect("not empty").1.to_vec();
    for (node, shard, bytes, status, code) in [
        (0, "0", damaged, StatusCode::UNPROCESSABLE_ENTITY, "not_a_batch"),
        (0, "0", Vec::new(), StatusCode::UNPROCESSABLE_ENTITY, "not_a_batch"),
        (0, "0", payload(1, 2), StatusCode::CONFLICT, "wrong_shard"),
        (0, "1", payload(1, 2), StatusCode::MISDIRECTED_REQUEST, "not_leader"),
        (0, "x", payload(0, 2), StatusCode::NOT_FOUND, "no_such_shard"),
        (0, "0", vec![0; 17 << 20], StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
    ] {
        let (found, body) = send(&cluster, node, "POST", &peer::append_path(shard), bytes).await;
        assert_eq!((found, &body["error"]["code"]), (status, &json!(code)), "{body}");
    }
    assert_eq!(cluster.count(0, "forwarded").await, 0);
}

#[tokio::test]
async fn a_leaf_search_that_is_not_one_is_refused_by_name() {
    let cluster = Cluster::start(1, 1).await;
    let (status, body) = send(&cluster, 0, "POST", peer::SEARCH_PATH, b"{\"qeury\":1}".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("qeury")), "{body}");
}

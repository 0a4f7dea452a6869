use grepzilla_model::IndexName;
use grepzilla_model::routing::bucket_of_id;
use http::StatusCode;
use serde_json::{Value, json};

use crate::server::fixtures::{Cluster, answer};

/// Ids that a path cannot hold as they are, and one that it can.
const IDS: [&str; 6] = ["plain", "a/b", "50% off?", "ключ 🔑", "x#y&z=1", "../up"];

/// A path segment of any text: everything but letters and digits is percent-encoded.
fn encoded(id: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    id.bytes().map(encode).collect()
}

async fn get(cluster: &Cluster, node: usize, id: &str, query: &str) -> (StatusCode, Value) {
    answer(cluster.request(node, "GET", &format!("/doc/{}{query}", encoded(id)))).await
}

async fn delete(cluster: &Cluster, node: usize, id: &str, query: &str) -> (StatusCode, Value) {
    answer(cluster.request(node, "DELETE", &format!("/doc/{}{query}", encoded(id)))).await
}

#[tokio::test]
async fn a_tombstone_goes_to_the_shard_of_its_id_from_any_node_and_is_acknowledged_like_a_write() {
    let cluster = Cluster::start(2, 4).await;
    let ring = cluster.nodes[0].node.topology().ring.clone();
    let index = IndexName::new("other").expect("valid");
    for (number, id) in IDS.into_iter().enumerate() {
        let (status, body) = delete(&cluster, number % 2, id, "?index=other").await;
        let shard = ring.shard_of(bucket_of_id(&index, id)).0;
        assert_eq!((status, &body["ok"], &body["shard"]), (StatusCode::OK, &json!(true), &json!(shard)), "{body}");
        assert_eq!(body["found"], false);
        assert_eq!(body["token"], json!([{ "shard": shard, "epoch": 1, "seq": body["seq"] }]));
        assert_eq!(body["trace_id"].as_str().map(str::len), Some(32));
        let leader = &cluster.nodes[shard as usize % 2].node;
        let log = leader.led_here().into_iter().find(|led| led.shard.0 == shard).expect("led there");
        assert_eq!(json!(log.log.positions().committed), body["seq"], "the position is committed");
    }
}

#[tokio::test]
async fn a_document_is_read_and_deleted_through_any_node_whatever_its_id() {
    let cluster = Cluster::start(2, 4).await;
    for (number, id) in IDS.into_iter().enumerate() {
        let (one, other) = (number % 2, (number + 1) % 2);
        for version in [1, 2] {
            let document = json!({ "_id": id, "version": version, "ts": "2026-01-02T03:04:05Z" });
            let (status, _) = cluster.ingest(one, "?index=web", document.to_string()).await;
            assert_eq!(status, StatusCode::OK);
        }
        let (status, body) = get(&cluster, other, id, "?index=web").await;
        assert_eq!((status, &body["id"], &body["index"]), (StatusCode::OK, &json!(id), &json!("web")), "{body}");
        assert_eq!((&body["source"]["version"], &body["time"]), (&json!(2), &json!("2026-01-02T03:04:05Z")));
        assert!(body["seq"].as_u64() > Some(1) && body["epoch"] == 1 && body["shard"].is_u64(), "{body}");
        assert_eq!(get(&cluster, other, id, "").await.0, StatusCode::NOT_FOUND, "it is in another index");

        let (status, deleted) = delete(&cluster, other, id, "?index=web").await;
        assert_eq!((status, &deleted["found"]), (StatusCode::OK, &json!(true)), "{deleted}");
        let (status, body) = get(&cluster, one, id, "?index=web").await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::NOT_FOUND, &json!("no_such_document")), "{body}");
        assert_eq!(delete(&cluster, one, id, "?index=web").await.1["found"], false);
    }
    let (_, found) = cluster.search(0, &json!({ "contains": "2026", "count": true })).await;
    assert_eq!(found["total"], 0, "what is deleted is not found");
}

#[tokio::test]
async fn a_document_without_an_id_is_read_by_its_place_and_an_id_of_that_form_comes_first() {
    let cluster = Cluster::start(2, 2).await;
    cluster.ingest(0, "?index=web", r#"{"a":"needle"}"#).await;
    let (_, found) = cluster.search(1, &json!({ "contains": "needle" })).await;
    let place = found["hits"][0]["id"].as_str().expect("an id").to_owned();
    for (node, query) in [(0, ""), (1, "?index=web")] {
        let (status, body) = get(&cluster, node, &place, query).await;
        assert_eq!((status, &body["source"], &body["id"]), (StatusCode::OK, &json!({"a": "needle"}), &json!(place)));
        assert_eq!(body["index"], "web");
    }
    assert_eq!(get(&cluster, 0, &place, "?index=main").await.0, StatusCode::NOT_FOUND);
    for nowhere in ["0.1.999", "0.9.2", "77.1.2"] {
        assert_eq!(get(&cluster, 0, nowhere, "").await.0, StatusCode::NOT_FOUND, "{nowhere}");
    }
    assert_eq!(delete(&cluster, 0, &place, "?index=web").await.1["error"]["code"], "no_explicit_id");

    cluster.ingest(0, "?index=web", json!({ "_id": place, "a": "explicit" }).to_string()).await;
    assert_eq!(get(&cluster, 1, &place, "?index=web").await.1["source"]["a"], "explicit");
    assert_eq!(delete(&cluster, 1, &place, "?index=web").await.1["found"], true);
    assert_eq!(get(&cluster, 1, &place, "?index=web").await.1["source"]["a"], "needle");
}

#[tokio::test]
async fn a_document_with_an_id_is_not_named_by_its_place() {
    let cluster = Cluster::start(1, 1).await;
    let (_, written) = cluster.ingest(0, "", r#"{"_id":"x"}"#).await;
    let place = format!("0.1.{}", written["shards"][0]["seq"]);
    assert_eq!(get(&cluster, 0, &place, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&cluster, 0, "x", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_be_deleted_says_why() {
    let cluster = Cluster::start(1, 1).await;
    for (id, query, code) in [
        ("0.1.2", "", "no_explicit_id"),
        (&*"x".repeat(513), "", "bad_id"),
        ("a", "?index=-", "bad_index"),
        ("a", "?idx=a", "bad_parameter"),
        ("a", "?timeout_ms=600001", "bad_parameter"),
    ] {
        let (status, body) = delete(&cluster, 0, id, query).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{body}");
    }
    let (status, body) = answer(cluster.request(0, "DELETE", "/doc/%ff")).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("bad_id")), "{body}");
    let (status, _) = answer(cluster.request(0, "DELETE", "/doc/")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_shard_without_a_leader_deletes_nothing_and_says_so() {
    let cluster = Cluster::start(2, 2).await;
    for node in 0..2 {
        cluster.change_picture(node, |picture| picture.configs.clear());
    }
    let ring = cluster.nodes[0].node.topology().ring.clone();
    let elsewhere = |id: &String| ring.shard_of(bucket_of_id(&IndexName::default(), id)).0 == 1;
    let id = (0..).map(|number| format!("id-{number}")).find(elsewhere).expect("ids are many");
    let (status, body) = delete(&cluster, 0, &id, "").await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no_leader")), "{body}");
    let (status, body) = get(&cluster, 0, &id, "").await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no_leader")), "{body}");
}

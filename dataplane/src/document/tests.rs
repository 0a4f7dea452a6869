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
        assert_eq!(body["token"], json!([{ "shard": shard, "epoch": 1, "seq": body["seq"] }]));
        assert_eq!(body["trace_id"].as_str().map(str::len), Some(32));
        let leader = &cluster.nodes[shard as usize % 2].node;
        let log = leader.led_here().into_iter().find(|led| led.shard.0 == shard).expect("led there");
        assert_eq!(json!(log.log.positions().committed), body["seq"], "the position is committed");
    }
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
}

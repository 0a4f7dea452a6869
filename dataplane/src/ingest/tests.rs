use std::sync::Arc;
use std::time::{Duration, Instant};

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use grepzilla_model::{Epoch, SeqNo, ShardId};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::server::fixtures::{Cluster, answer, id_on, name, silent_port};
use crate::shards::table::LocalShard;

async fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(text.as_bytes()).await.expect("writes to memory");
    encoder.shutdown().await.expect("writes to memory");
    encoder.into_inner()
}

async fn zstd(text: &str) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(text.as_bytes()).await.expect("writes to memory");
    encoder.shutdown().await.expect("writes to memory");
    encoder.into_inner()
}

#[tokio::test]
async fn every_form_in_every_encoding_is_acknowledged_and_searchable_at_once() {
    let cluster = Cluster::start(1, 2).await;
    let forms = [
        ("application/json", r#"[{"a":"needle one"},{"a":"needle two"}]"#),
        ("application/json; charset=utf-8", r#"{"records":[{"a":"needle one"},{"a":"needle two"}]}"#),
        ("application/x-ndjson", "{\"a\":\"needle one\"}\n{\"a\":\"needle two\"}\n"),
    ];
    let mut expected = 0;
    for (content_type, body) in forms {
        let multi = [gzip(&body[..20]).await, gzip(&body[20..]).await].concat();
        let packed =
            [("identity", body.into()), ("gzip", gzip(body).await), ("gzip", multi), ("zstd", zstd(body).await)];
        for (encoding, bytes) in packed {
            let request = cluster.request(0, "POST", "/ingest").header("content-type", content_type);
            let (status, answer) = answer(request.header("content-encoding", encoding).body(bytes)).await;
            assert_eq!(
                (status, &answer["ok"], &answer["appended"]),
                (StatusCode::OK, &json!(true), &json!(2)),
                "{answer}"
            );
            expected += 2;
            assert_eq!(cluster.count(0, "NEEDLE").await, expected, "{content_type} {encoding}");
        }
    }
}

#[tokio::test]
async fn the_answer_names_the_batch_the_position_and_what_it_rests_on() {
    let cluster = Cluster::start(1, 1).await;
    let (_, first) = cluster.ingest(0, "?ack=leader", r#"[{"a":1},{"a":2},{"a":3}]"#).await;
    let (_, second) = cluster.ingest(0, "?ack=all", r#"{"a":4}"#).await;
    let seq = first["shards"][0]["seq"].as_u64().expect("a position");
    assert_eq!(first["segment"], format!("0-1-{}", seq - 2));
    assert_eq!(second["segment"], format!("0-1-{}", seq + 1));
    assert_eq!(
        first["shards"][0],
        json!({"shard": 0, "epoch": 1, "seq": seq, "durability": "fsync", "committed": true})
    );
    assert_eq!(first["token"], json!([{"shard": 0, "epoch": 1, "seq": seq}]));
    assert_eq!((&first["idempotent"], &first["hot_added"]), (&json!(false), &json!(3)));
}

#[tokio::test]
async fn bad_input_gets_its_status_and_nothing_of_it_enters() {
    let cluster = Cluster::start_with(1, 1, |config| config.ingest.body_bytes_max = 100_000).await;
    let bomb = gzip(&format!("[{{\"a\":\"needle\",\"b\":\"{}\"}}]", " ".repeat(20 << 20))).await;
    let cut = gzip("[{\"a\":\"needle\"}]").await;
    let json = "application/json";
    for (content_type, encoding, path, body, status, code) in [
        (json, "gzip", "/ingest", bomb, 413, "body_too_large"),
        (json, "identity", "/ingest", vec![b' '; 100_001], 413, "body_too_large"),
        (json, "gzip", "/ingest", cut[..cut.len() - 9].to_vec(), 400, "body_corrupt"),
        (json, "br", "/ingest", b"x".to_vec(), 415, "unsupported_encoding"),
        ("text/plain", "identity", "/ingest", b"[{\"a\":\"needle\"}]".to_vec(), 415, "unsupported_media_type"),
        (json, "identity", "/ingest", b"[{\"a\":\"needle\"},{\"a\":]".to_vec(), 422, "malformed_body"),
        (
            json,
            "identity",
            "/ingest",
            b"{\"records\":[{\"a\":\"needle\"}],\"recrod\":1}".to_vec(),
            400,
            "unknown_field",
        ),
        (json, "identity", "/ingest", b"".to_vec(), 400, "empty_body"),
        (json, "identity", "/ingest", b"[]".to_vec(), 400, "no_documents"),
        (json, "identity", "/ingest?indx=a", b"[{\"a\":\"needle\"}]".to_vec(), 400, "bad_parameter"),
        (json, "identity", "/ingest", b"[1,[{\"a\":\"needle\"}]]".to_vec(), 400, "no_valid_document"),
        (json, "identity", "/ingest?atomic=true", b"[{\"a\":\"needle\"},7]".to_vec(), 400, "atomic_refused"),
    ] {
        let request = cluster.request(0, "POST", path).header("content-type", content_type);
        let (found, answer) = answer(request.header("content-encoding", encoding).body(body)).await;
        assert_eq!((found.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{answer}");
        assert_eq!(answer["trace_id"].as_str().map(str::len), Some(32), "{answer}");
    }
    assert_eq!(cluster.count(0, "needle").await, 0);
}

#[tokio::test]
async fn documents_that_are_wrong_are_named_and_the_others_enter() {
    let cluster = Cluster::start(1, 1).await;
    let body = "{\"a\":\"needle\"}\n{\"a\":\n{\"b\":{\"c\":1,\"c\":2}}\n{\"a\":\"needle\"}";
    let (status, answer) = cluster.ingest(0, "", body).await;
    assert_eq!(
        (status, &answer["ok"], &answer["appended"]),
        (StatusCode::MULTI_STATUS, &json!(false), &json!(2)),
        "{answer}"
    );
    let errors: Vec<_> = answer["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| (&error["index"], &error["code"], &error["field"]))
        .collect();
    assert_eq!(
        errors,
        [(&json!(1), &json!("syntax"), &Value::Null), (&json!(2), &json!("duplicate_key"), &json!("b.c"))]
    );
    assert_eq!(cluster.count(0, "needle").await, 2);
}

#[tokio::test]
async fn any_node_takes_documents_for_any_shard() {
    let cluster = Cluster::start(3, 6).await;
    let documents: Vec<Value> = (0..6).map(|shard| json!({"_id": id_on(shard, 6), "a": "needle"})).collect();
    for node in 0..3 {
        let (status, answer) = cluster.ingest(node, "", json!(documents).to_string()).await;
        assert_eq!((status, &answer["appended"]), (StatusCode::OK, &json!(6)), "{answer}");
        let shards: Vec<_> =
            answer["token"].as_array().expect("a token").iter().map(|part| part["shard"].as_u64()).collect();
        assert_eq!(shards, (0..6).map(Some).collect::<Vec<_>>());
        // Documents without ids go to one shard together, wherever it is.
        let (_, answer) = cluster.ingest(node, "", r#"[{"a":"needle"},{"a":"needle"},{"a":"needle"}]"#).await;
        assert_eq!(answer["shards"].as_array().map(Vec::len), Some(1));
    }
    for node in 0..3 {
        // Each of the six ids has one newest document, and each node took three documents without one.
        assert_eq!(cluster.count(node, "needle").await, 6 + 9);
    }
}

#[tokio::test]
async fn atomic_over_several_shards_is_refused_and_over_one_taken() {
    let cluster = Cluster::start(1, 2).await;
    let two = json!([{"_id": id_on(0, 2), "a": "needle"}, {"_id": id_on(1, 2), "a": "needle"}]).to_string();
    let (status, answer) = cluster.ingest(0, "?atomic=true", two).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("atomic_across_shards")));
    assert_eq!(cluster.count(0, "needle").await, 0);
    assert_eq!(cluster.ingest(0, "?atomic=true", r#"[{"a":"needle"},{"a":"needle"}]"#).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_shard_without_a_leader_is_a_503_that_says_when_to_come_again_and_others_notice_nothing() {
    let cluster = Cluster::start(2, 2).await;
    cluster.change_picture(0, |picture| {
        picture.nodes.remove(&name(1));
    });
    let document = json!([{"_id": id_on(1, 2), "a": "needle"}]).to_string();
    let request = cluster.request(0, "POST", "/ingest").header("content-type", "application/json").body(document);
    let refused = request.send().await.expect("an answer");
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &http::HeaderValue::from(1))
    );
    let body: Value = refused.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], "no_leader");
    for _ in 0..20 {
        let (status, answer) = cluster.ingest(0, "", r#"[{"a":"needle"}]"#).await;
        assert_eq!(
            (status, &answer["shards"][0]["shard"]),
            (StatusCode::OK, &json!(0)),
            "documents without ids go where a leader is"
        );
    }
    let both = json!([{"_id": id_on(0, 2), "a": "needle"}, {"_id": id_on(1, 2), "a": "needle"}]).to_string();
    let (status, answer) = cluster.ingest(0, "", both).await;
    assert_eq!(
        (status, &answer["appended"], &answer["error"]["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!(1), &json!("no_leader"))
    );
    assert_eq!((&answer["errors"][0]["index"], &answer["errors"][0]["id"]), (&json!(1), &json!(id_on(1, 2))));
}

#[tokio::test]
async fn a_leader_that_hangs_is_an_unknown_outcome_within_the_timeout_and_a_dead_one_is_unreachable() {
    let cluster = Cluster::start(2, 2).await;
    let (silent, _silence) = silent_port().await;
    let document = json!([{"_id": id_on(1, 2), "a": 1}]).to_string();
    for (peer, code) in [(silent.to_string(), "unknown_outcome"), ("127.0.0.1:1".to_owned(), "unreachable")] {
        cluster.change_picture(0, |picture| {
            picture.nodes.get_mut(&name(1)).expect("registered").peer = peer.clone();
        });
        let started = Instant::now();
        let (status, answer) = cluster.ingest(0, "?timeout_ms=400", document.clone()).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(code)), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(10), "{code} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_node_that_is_not_the_leader_any_more_is_asked_once_and_then_the_new_one() {
    let cluster = Cluster::start(3, 3).await;
    // Node 0 still believes that node 2 leads shard 1; the news that it is node 1 arrives while it asks.
    let right = cluster.nodes[0].picture.borrow().clone();
    cluster.change_picture(0, |picture| {
        picture.configs.get_mut(&ShardId(1)).expect("a shard").leader = name(2);
    });
    let news = cluster.nodes[0].picture.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        news.send_replace(right);
    });
    let document = json!([{"_id": id_on(1, 3), "a": "needle"}]).to_string();
    let (status, answer) = cluster.ingest(0, "", document.clone()).await;
    assert_eq!((status, &answer["shards"][0]["shard"]), (StatusCode::OK, &json!(1)), "{answer}");
    assert_eq!(cluster.count(1, "needle").await, 1);

    cluster.change_picture(0, |picture| {
        picture.configs.get_mut(&ShardId(1)).expect("a shard").leader = name(2);
    });
    let (status, answer) = cluster.ingest(0, "", document).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no_leader")), "{answer}");
    assert_eq!(cluster.count(1, "needle").await, 1);
}

#[tokio::test]
async fn a_log_that_may_only_be_read_takes_no_writes() {
    let cluster = Cluster::start(1, 1).await;
    cluster.ingest(0, "", r#"[{"a":"needle"}]"#).await;
    let Some(LocalShard::Leading(shard)) = cluster.nodes[0].table.get(ShardId(0)) else { panic!("it leads") };
    let reason = "the metadata store is away".to_owned();
    cluster.nodes[0].table.set(ShardId(0), LocalShard::ReadOnly { shard: Arc::clone(&shard), reason });
    let (status, answer) = cluster.ingest(0, "", r#"[{"a":"needle"}]"#).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no_leader")));
    assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains("store is away")), "{answer}");
    assert_eq!((shard.log.positions().epoch, cluster.count(0, "needle").await), (Epoch(1), 1));
    assert!(shard.log.positions().committed > SeqNo(0));
}

#[tokio::test]
async fn a_log_that_is_behind_says_how_much_waits_and_takes_the_batch_later() {
    let cluster = Cluster::start_with(1, 1, |config| config.ingest.queue_bytes_max = 1).await;
    let body = format!("[{{\"a\":\"needle {}\"}}]", "x".repeat(10_000));
    let answers = futures::future::join_all((0..200).map(|_| cluster.ingest(0, "", body.clone()))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == StatusCode::OK);
    assert!(!taken.is_empty() && !refused.is_empty(), "{} taken, {} refused", taken.len(), refused.len());
    for (status, answer) in refused {
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("queue_full")),
            "{answer}"
        );
        assert!(answer["error"]["details"]["backlog_ms"].as_u64().is_some_and(|ms| ms > 0), "{answer}");
    }
    assert_eq!(cluster.count(0, "needle").await, taken.len() as u64);
    assert_eq!(cluster.ingest(0, "", body).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_rules_of_an_index_hold_for_it_alone_and_what_they_change_is_what_is_stored() {
    let rules = json!({
        "required": ["message"], "types": {"status": "number"}, "defaults": {"env": "prod"},
        "field_bytes_max": {"message": 12}, "on_exceeded": "trim"
    });
    let cluster = Cluster::start_with(1, 1, |config| {
        config.indexes.insert("web".to_owned(), serde_json::from_value(rules.clone()).expect("an index"));
    })
    .await;
    let body = r#"[{"message":"needle 12345678"},{"status":200},{"message":"needle","status":"200"}]"#;
    let (status, answer) = cluster.ingest(0, "?index=web", body).await;
    assert_eq!((status, &answer["appended"]), (StatusCode::MULTI_STATUS, &json!(1)), "{answer}");
    let errors = answer["errors"].as_array().expect("errors");
    let told: Vec<_> = errors.iter().map(|error| [&error["index"], &error["code"], &error["field"]]).collect();
    let (missing, wrong) = (json!([1, "missing_field", "message"]), json!([2, "wrong_type", "status"]));
    assert_eq!(json!(told), json!([missing, wrong]));
    let (_, found) = cluster.search(0, &json!({"contains": "needle"})).await;
    assert_eq!(found["hits"][0]["source"], json!({"message": "needle 12345", "env": "prod"}), "{found}");
    let metrics = cluster.request(0, "GET", "/metrics").send().await.expect("an answer").text().await.expect("text");
    for (how, count) in [("trimmed", 1), ("defaulted", 1), ("dropped", 0)] {
        let line = format!("grepzilla_ingest_amended_values_total{{how=\"{how}\"}} {count}");
        assert!(metrics.contains(&line), "{line}");
    }
    assert_eq!(cluster.ingest(0, "", body).await.0, StatusCode::OK, "another index has no rules");
    let (status, answer) = cluster.ingest(0, "?index=web", r#"[{"status":200}]"#).await;
    assert_eq!((status, &answer["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("message")), "{answer}");
}

async fn ingest_with_key(cluster: &Cluster, node: usize, key: &str, query: &str, body: &str) -> (StatusCode, Value) {
    let request = cluster.request(node, "POST", &format!("/ingest{query}")).header("content-type", "application/json");
    answer(request.header("idempotency-key", key).body(body.to_owned())).await
}

#[tokio::test]
async fn a_repeat_through_any_node_is_answered_like_the_first_request_and_nothing_is_there_twice() {
    let cluster = Cluster::start(2, 2).await;
    let ids = [id_on(0, 2), id_on(1, 2)];
    let several = json!([{"_id": ids[0], "a": "needle"}, {"_id": ids[1], "a": "needle"}]).to_string();
    for (key, body, documents) in [("one", r#"[{"a":"needle"},{"a":"needle"}]"#, 2), ("several", &several, 2)] {
        let before = cluster.count(0, "needle").await;
        let (status, first) = ingest_with_key(&cluster, 0, key, "", body).await;
        assert_eq!((status, &first["idempotent"]), (StatusCode::OK, &json!(false)), "{first}");
        for node in [0, 1] {
            let (status, again) = ingest_with_key(&cluster, node, key, "", body).await;
            assert_eq!((status, &again["idempotent"]), (StatusCode::OK, &json!(true)), "{again}");
            for same in ["ok", "appended", "hot_added", "segment", "shards", "token"] {
                assert_eq!(again[same], first[same], "{same}");
            }
        }
        assert_eq!(cluster.count(1, "needle").await, before + documents);
    }
}

#[tokio::test]
async fn a_key_in_the_body_is_one_too() {
    let cluster = Cluster::start(2, 8).await;
    let body = r#"{"ingest_id":"k","records":[{"a":"needle"}]}"#;
    let (_, first) = cluster.ingest(0, "", body).await;
    let (_, again) = cluster.ingest(1, "", body).await;
    assert_eq!((&again["idempotent"], &again["segment"]), (&json!(true), &first["segment"]), "{again}");
    let (status, _) = ingest_with_key(&cluster, 1, "k", "", r#"[{"a":"needle"}]"#).await;
    assert_eq!(status, StatusCode::CONFLICT, "the same key met another shard");
}

#[tokio::test]
async fn a_key_with_another_body_is_a_409_from_any_node_and_nothing_enters() {
    let cluster = Cluster::start(2, 8).await;
    ingest_with_key(&cluster, 0, "k", "", r#"{"a":"needle"}"#).await;
    for node in [0, 1] {
        let (status, body) = ingest_with_key(&cluster, node, "k", "", r#"{"a":"needles"}"#).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("key_reused")), "{body}");
    }
    assert_eq!(cluster.count(0, "needle").await, 1);
    let (status, body) = ingest_with_key(&cluster, 0, "k", "?index=other", r#"{"a":"needle"}"#).await;
    assert_eq!(
        (status, &body["idempotent"]),
        (StatusCode::OK, &json!(false)),
        "another index has keys of its own: {body}"
    );
    assert_eq!(cluster.count(0, "needle").await, 2);
}

#[tokio::test]
async fn the_same_batch_at_the_same_time_enters_once() {
    let cluster = Cluster::start(2, 2).await;
    let again = (0..20).map(|number| ingest_with_key(&cluster, number % 2, "k", "", r#"{"a":"needle"}"#));
    let answers = futures::future::join_all(again).await;
    let first = answers.iter().filter(|(_, answer)| answer["idempotent"] == false).count();
    assert_eq!((first, cluster.count(0, "needle").await), (1, 1), "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|(status, answer)| *status == StatusCode::OK && answer["segment"] == answers[0].1["segment"])
    );
}

#[tokio::test]
async fn the_limits_of_the_design_hold_on_both_sides_and_so_do_the_highest_that_can_be_configured() {
    let cluster = Cluster::start_with(1, 1, |config| {
        (config.ingest.body_bytes_max, config.ingest.queue_bytes_max) = (15 << 20, 64 << 20);
        let largest = json!({"document_bytes_max": 8 << 20, "value_bytes_max": 8 << 20, "leaves_max": 65_535,
            "depth_max": 128});
        config.indexes.insert("large".to_owned(), serde_json::from_value(largest).expect("an index"));
    })
    .await;
    let text = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
    let whole = |bytes: usize| {
        let values = vec![format!("\"{}\"", "x".repeat(65_533)); bytes / (64 << 10) - 1].join(",");
        let left = bytes - values.len() - 11;
        format!(r#"{{"a":[{values},"{}"]}}"#, "x".repeat(left))
    };
    let leaves = |leaves: usize| format!(r#"{{"a":[{}]}}"#, vec!["1"; leaves].join(","));
    let deep = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    for (index, fits, beyond, code) in [
        ("main", text(256 << 10), text((256 << 10) + 1), "value_too_long"),
        ("main", whole(1 << 20), whole((1 << 20) + 1), "too_large"),
        ("main", leaves(1_000), leaves(1_001), "too_many_leaves"),
        ("main", deep(32), deep(33), "too_deep"),
        ("large", whole(8 << 20), whole((8 << 20) + 1), "too_large"),
        ("large", text((8 << 20) - 8), text((8 << 20) - 7), "too_large"),
        ("large", leaves(65_535), leaves(65_536), "too_many_leaves"),
        ("large", deep(128), deep(129), "too_deep"),
    ] {
        let query = format!("?index={index}");
        let (status, answer) = cluster.ingest(0, &query, fits).await;
        assert_eq!((status, &answer["appended"]), (StatusCode::OK, &json!(1)), "{index} {code}: {answer}");
        let (status, answer) = cluster.ingest(0, &query, beyond).await;
        let told = &answer["errors"][0];
        assert_eq!((status, &told["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{index}: {answer}");
        assert_eq!(told["field"].is_null(), code == "too_large", "{answer}");
    }
}

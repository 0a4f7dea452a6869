use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_model::ShardId;
use http::StatusCode;
use serde_json::{Value, json};

use crate::server::fixtures::{Cluster, name, silent_port};
use crate::shards::table::LocalShard;

/// Documents `{"n": from}` to `{"n": to - 1}` with an id, a time of `n` seconds and a text, into all shards.
async fn fill(cluster: &Cluster, from: u64, to: u64) {
    let documents =
        (from..to).map(|n| json!({"_id": format!("d{n}"), "n": n, "ts": 1_600_000_000 + n, "text": "needle"}));
    let body = documents.collect::<Vec<Value>>();
    let (status, answer) = cluster.ingest(0, "", json!(body).to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// The `n` of the hits.
fn numbers(answer: &Value) -> Vec<u64> {
    let hits = answer["hits"].as_array().unwrap_or_else(|| panic!("no hits: {answer}"));
    hits.iter().map(|hit| hit["source"]["n"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn a_hit_says_where_it_is_and_what_matched() {
    let cluster = Cluster::start(1, 1).await;
    cluster.ingest(0, "?index=web", r#"[{"ts":"2026-01-02T03:04:05Z","a":{"b":"Grüße, NEEDLE!"},"n":1.0}]"#).await;
    let (status, answer) = cluster.search(0, &json!({"contains": "needle"})).await;
    assert_eq!(status, StatusCode::OK);
    let hit = &answer["hits"][0];
    let seq = answer["token"][0]["seq"].as_u64().expect("a position");
    assert_eq!(hit["id"], format!("0.1.{seq}"));
    assert_eq!(
        (&hit["index"], &hit["time"], &hit["matched_field"]),
        (&json!("web"), &json!("2026-01-02T03:04:05Z"), &json!("a.b"))
    );
    assert_eq!((&hit["preview"], &hit["highlights"]), (&json!("Grüße, NEEDLE!"), &json!([[9, 15]])));
    assert_eq!(hit["source"].to_string(), r#"{"a":{"b":"Grüße, NEEDLE!"},"n":1.0,"ts":"2026-01-02T03:04:05Z"}"#);
    assert_eq!(
        (&answer["partial"], &answer["stale_read"], &answer["cursor"]),
        (&json!(false), &json!(false), &Value::Null)
    );
    assert_eq!((&answer["total"], &answer["total_relation"]), (&json!(1), &json!("eq")));
}

#[tokio::test]
async fn filters_and_orders_do_what_they_say() {
    let cluster = Cluster::start(2, 4).await;
    fill(&cluster, 0, 30).await;
    cluster.ingest(1, "?index=other", r#"[{"n":99,"ts":1600000099,"other":"needle"}]"#).await;
    let time = |from: u64, to: u64| {
        let text = |n: u64| grepzilla_model::TimeNs((1_600_000_000 + n as i64) * 1_000_000_000).to_string();
        json!({"from": text(from), "to": text(to)})
    };
    for (request, expected) in [
        (json!({"contains": "needle", "page": {"size": 3}}), vec![99, 29, 28]),
        (json!({"contains": "needle", "order": "oldest", "page": {"size": 3}}), vec![0, 1, 2]),
        (json!({"contains": "needle", "time": time(7, 9)}), vec![8, 7]),
        (json!({"contains": "needle", "index": ["other"]}), vec![99]),
        (json!({"contains": "needle", "field": "other"}), vec![99]),
        (json!({"wildcard": "n*dl?", "field": "text", "time": time(0, 1)}), vec![0]),
        (json!({"regex": "^nee[d]le$", "time": time(5, 6)}), vec![5]),
        (json!({"contains": "NEEDLE", "case_sensitive": true}), vec![]),
        (json!({"contains": "needle", "page": {"size": 0}}), vec![]),
        (json!({"exact": "needle", "field": "other"}), vec![99]),
        (json!({"exact": "7"}), vec![7]),
        (
            json!({"query": {"all": [{"contains": "needle"}, {"range": {"field": "n", "gt": 3, "lte": 5.0}}, {"not": {"exact": "5"}}]}}),
            vec![4],
        ),
        (
            json!({"query": {"any": [{"exists": "other"}, {"regex": "^d1[0-1]$", "field": "_id"}]}, "order": "oldest"}),
            vec![10, 11, 99],
        ),
        (json!({"query": {"contains": "NEEDLE", "field": "text"}, "case_sensitive": true}), vec![]),
        (
            json!({"query": {"contains": "NEEDLE", "case_sensitive": false}, "case_sensitive": true, "field": "other"}),
            vec![99],
        ),
    ] {
        let (status, answer) = cluster.search(0, &request).await;
        assert_eq!((status, numbers(&answer)), (StatusCode::OK, expected), "{request}");
    }
    let (_, one) = cluster.search(0, &json!({"contains": "needle", "shards": [1], "count": true})).await;
    let (_, rest) = cluster.search(1, &json!({"contains": "needle", "shards": [0, 2, 3], "count": true})).await;
    assert_eq!(one["total"].as_u64().expect("a total") + rest["total"].as_u64().expect("a total"), 31);
}

#[tokio::test]
async fn documents_are_counted_by_time_and_by_value_over_all_shards() {
    let cluster = Cluster::start(2, 4).await;
    fill(&cluster, 0, 25).await;
    let request = json!({
        "query": {"all": [{"contains": "needle"}, {"range": {"field": "n", "lt": 22}}]},
        "histogram": {"interval": "10s"}, "terms": {"field": "n", "size": 3}, "explain": true, "page": {"size": 0},
    });
    let (status, answer) = cluster.search(1, &request).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let bucket = |from: &str, count: u64| json!({"from": from, "count": count});
    let buckets = [("2020-09-13T12:26:40Z", 10), ("2020-09-13T12:26:50Z", 10), ("2020-09-13T12:27:00Z", 2)];
    let buckets: Vec<Value> = buckets.into_iter().map(|(from, count)| bucket(from, count)).collect();
    assert_eq!(answer["histogram"], json!({"interval": "10s", "buckets": buckets}));
    let values: Vec<Value> = ["0", "1", "10"].map(|value| json!({"value": value, "count": 1})).to_vec();
    assert_eq!(answer["terms"], json!({"field": "n", "buckets": values, "relation": "eq", "error_max": 0}));
    let explained = answer["explain"].as_array().expect("an explanation");
    let shards: BTreeSet<_> = explained.iter().map(|shard| shard["shard"].as_u64()).collect();
    assert_eq!(shards, (0..4).map(Some).collect());
    assert!(explained.iter().all(|shard| shard["patterns"][0]["required"] == "\"needle\""), "{answer}");
    let request = json!({"contains": "needle", "terms": {"field": "text"}});
    let (_, answer) = cluster.search(0, &request).await;
    assert_eq!(answer["terms"]["buckets"], json!([{"value": "needle", "count": 25}]));
    assert!(answer.get("histogram").is_none() && answer.get("explain").is_none());
}

#[tokio::test]
async fn pages_of_a_cursor_are_stable_while_others_write_and_any_node_goes_on() {
    let cluster = Cluster::start(2, 4).await;
    fill(&cluster, 0, 100).await;
    let mut request = json!({"contains": "needle", "page": {"size": 7}, "count": true});
    let (mut pages, mut seen, mut fresh) = (0, Vec::new(), 1_000);
    loop {
        let (status, answer) = cluster.search(pages % 2, &request).await;
        assert_eq!((status, &answer["partial"]), (StatusCode::OK, &json!(false)), "{answer}");
        assert_eq!((&answer["total"], &answer["total_relation"]), (&json!(100), &json!("eq")), "page {pages}");
        seen.extend(numbers(&answer));
        pages += 1;
        // Newer and older documents than any on the pages, and some in between.
        fill(&cluster, fresh, fresh + 5).await;
        cluster
            .ingest(1, "", r#"[{"n":5000,"ts":1500000000,"text":"needle"},{"n":5001,"ts":1600000050,"text":"needle"}]"#)
            .await;
        fresh += 5;
        if answer["cursor"].is_null() {
            break;
        }
        request["page"]["cursor"] = answer["cursor"].clone();
    }
    assert_eq!(seen, (0..100).rev().collect::<Vec<u64>>());
    assert_eq!(pages, 15);
}

#[tokio::test]
async fn a_cursor_of_another_search_a_damaged_one_and_an_old_one_are_told_apart() {
    let cluster = Cluster::start_with(1, 2, |config| config.search.cursor_ttl_seconds = 3).await;
    fill(&cluster, 0, 10).await;
    let page = |pattern: &str, cursor: &str| json!({"contains": pattern, "page": {"size": 3, "cursor": cursor}});
    let (_, first) = cluster.search(0, &json!({"contains": "needle", "page": {"size": 3}})).await;
    let cursor = first["cursor"].as_str().expect("there is more");
    assert_eq!((&first["total"], &first["total_relation"]), (&json!(3), &json!("gte")));
    let (_, second) = cluster.search(0, &page("needle", cursor)).await;
    assert_eq!((numbers(&second), &second["total"]), (vec![6, 5, 4], &json!(6)));
    for (request, status, code) in [
        (page("needl", cursor), 400, "bad_cursor"),
        (page("needle", &cursor[2..]), 400, "bad_cursor"),
        (page("needle", "cursor"), 400, "bad_cursor"),
    ] {
        let (found, answer) = cluster.search(0, &request).await;
        assert_eq!((found.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{answer}");
    }
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    let (status, answer) = cluster.search(0, &page("needle", cursor)).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::GONE, &json!("cursor_expired")));
}

#[tokio::test]
async fn a_token_of_a_write_is_waited_for_and_one_that_no_log_has_is_lost() {
    let cluster = Cluster::start(2, 2).await;
    let (_, written) = cluster.ingest(0, "", r#"[{"text":"needle","n":1}]"#).await;
    for node in 0..2 {
        let (status, answer) = cluster.search(node, &json!({"contains": "needle", "token": written["token"]})).await;
        assert_eq!((status, numbers(&answer)), (StatusCode::OK, vec![1]));
    }
    let mut lost = written["token"].clone();
    lost[0]["seq"] = json!(1_000_000);
    let (status, answer) = cluster.search(0, &json!({"contains": "needle", "token": lost})).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!("write_lost")), "{answer}");
    let mut later = written["token"].clone();
    later[0]["epoch"] = json!(9);
    let (_, answer) =
        cluster.search(0, &json!({"contains": "needle", "token": later, "limits": {"deadline_ms": 200}})).await;
    assert_eq!(
        (&answer["partial"], &answer["failed_shards"][0]["code"]),
        (&json!(true), &json!("deadline")),
        "{answer}"
    );
    let (status, answer) =
        cluster.search(0, &json!({"contains": "x", "token": [{"shard": 7, "epoch": 1, "seq": 1}]})).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("unknown_shard")));
}

#[tokio::test]
async fn a_node_that_is_gone_or_hangs_fails_its_shards_only_and_within_the_deadline() {
    let cluster = Cluster::start(2, 4).await;
    fill(&cluster, 0, 40).await;
    let (_, mine) = cluster.search(0, &json!({"contains": "needle", "shards": [0, 2], "page": {"size": 100}})).await;
    let (silent, _silence) = silent_port().await;
    for (peer, code) in [(silent.to_string(), "deadline"), ("127.0.0.1:1".to_owned(), "unreachable")] {
        cluster.change_picture(0, |picture| {
            picture.nodes.get_mut(&name(1)).expect("registered").peer = peer.clone();
        });
        let request =
            json!({"contains": "needle", "count": true, "page": {"size": 100}, "limits": {"deadline_ms": 1500}});
        let started = Instant::now();
        let (status, answer) = cluster.search(0, &request).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{code} took {:?}", started.elapsed());
        assert_eq!((status, numbers(&answer)), (StatusCode::OK, numbers(&mine)));
        assert_eq!((&answer["partial"], &answer["total_relation"]), (&json!(true), &json!("gte")));
        let failed = answer["failed_shards"].as_array().expect("failed shards");
        let failed: Vec<_> = failed.iter().map(|failed| (failed["shard"].as_u64(), failed["code"].as_str())).collect();
        assert_eq!(failed, [(Some(1), Some(code)), (Some(3), Some(code))]);
    }
    cluster.change_picture(0, |picture| {
        picture.nodes.remove(&name(1));
    });
    let (_, answer) = cluster.search(0, &json!({"contains": "needle"})).await;
    assert_eq!(answer["failed_shards"][0]["code"], "no_leader", "{answer}");
    assert_eq!(cluster.count(1, "needle").await, 40, "the other node sees everything");
}

#[tokio::test]
async fn a_shard_that_missed_the_first_page_stays_out_of_the_later_ones() {
    let cluster = Cluster::start(2, 2).await;
    fill(&cluster, 0, 40).await;
    let right = cluster.nodes[0].picture.borrow().clone();
    cluster.change_picture(0, |picture| {
        picture.nodes.remove(&name(1));
    });
    let mut request = json!({"contains": "needle", "page": {"size": 4}});
    let (_, first) = cluster.search(0, &request).await;
    cluster.nodes[0].picture.send_replace(right);
    request["page"]["cursor"] = first["cursor"].clone();
    let (_, second) = cluster.search(0, &request).await;
    assert_eq!((&second["partial"], &second["failed_shards"][0]["shard"]), (&json!(true), &json!(1)), "{second}");
    let shards: BTreeSet<_> =
        second["hits"].as_array().expect("hits").iter().map(|hit| hit["shard"].as_u64()).collect();
    assert_eq!(shards, BTreeSet::from([Some(0)]));
}

#[tokio::test]
async fn a_leader_that_has_just_moved_is_found_again() {
    let cluster = Cluster::start(3, 3).await;
    fill(&cluster, 0, 30).await;
    let right = cluster.nodes[0].picture.borrow().clone();
    cluster.change_picture(0, |picture| {
        picture.configs.get_mut(&ShardId(1)).expect("a shard").leader = name(2);
    });
    let news = cluster.nodes[0].picture.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        news.send_replace(right);
    });
    assert_eq!(cluster.count(0, "needle").await, 30);
}

#[tokio::test]
async fn a_log_that_may_only_be_read_answers_as_stale_and_not_at_all_where_a_leader_is_required() {
    let cluster = Cluster::start(1, 1).await;
    fill(&cluster, 0, 3).await;
    let Some(LocalShard::Leading(shard)) = cluster.nodes[0].table.get(ShardId(0)) else { panic!("it leads") };
    let reason = "the metadata store is away".to_owned();
    cluster.nodes[0].table.set(ShardId(0), LocalShard::ReadOnly { shard: Arc::clone(&shard), reason });
    let (_, answer) = cluster.search(0, &json!({"contains": "needle"})).await;
    assert_eq!((numbers(&answer), &answer["stale_read"]), (vec![2, 1, 0], &json!(true)));
    let (status, answer) = cluster.search(0, &json!({"contains": "needle", "require_primary": true})).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no_shard_answered")));
    assert_eq!(answer["error"]["details"]["failed_shards"][0]["code"], "no_leader", "{answer}");
}

#[tokio::test]
async fn bad_searches_get_a_400_that_names_the_limit() {
    let cluster = Cluster::start(1, 1).await;
    for (request, code, named) in [
        (json!({"contains": "x", "sise": 3}), "unknown_field", "`sise`"),
        (json!({"regex": "(a{1000}){1000}"}), "regex_too_big", &grepzilla_query::REGEX_BYTES_MAX.to_string()),
        (
            json!({"regex": format!("{}{}", "(".repeat(101), ")".repeat(101))}),
            "regex_too_deep",
            &grepzilla_query::REGEX_DEPTH_MAX.to_string(),
        ),
        (json!({"regex": "a[b"}), "regex_syntax", "byte 1"),
        (json!({"contains": ""}), "empty_pattern", "empty"),
        (
            json!({"contains": "x".repeat(grepzilla_query::PATTERN_BYTES_MAX + 1)}),
            "pattern_too_long",
            &grepzilla_query::PATTERN_BYTES_MAX.to_string(),
        ),
        (json!({"contains": "x", "shards": [4]}), "unknown_shard", "4"),
        (
            json!({"query": {"any": vec![json!({"contains": "x"}); grepzilla_query::NODES_MAX]}}),
            "query_too_large",
            &format!("more than {} nodes", grepzilla_query::NODES_MAX),
        ),
        (
            (0..grepzilla_query::DEPTH_MAX)
                .fold(json!({"query": {"contains": "x"}}), |sent, _| json!({"query": {"not": sent["query"]}})),
            "query_too_deep",
            &format!("deeper than {} levels", grepzilla_query::DEPTH_MAX),
        ),
        (json!({"query": {"all": []}}), "empty_query", "at least one"),
        (json!({"query": {"range": {"field": "n"}}}), "bad_range", "`gt`, `gte`, `lt` and `lte`"),
        (json!({"query": {"range": {"field": "n", "gt": 1, "lt": "2"}}}), "bad_range", "all numbers or all strings"),
        (json!({"contains": "x", "page": {"size": 1001}}), "out_of_range", "from 0 to 1000"),
    ] {
        let (status, answer) = cluster.search(0, &request).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains(named)), "{answer}");
    }
    let request = cluster.request(0, "POST", "/search").header("content-type", "text/plain").body("{}");
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let request = cluster.request(0, "POST", "/search").header("content-type", "application/json");
    let large = format!("{{\"contains\":\"{}\"}}", "x".repeat(300 << 10));
    assert_eq!(request.body(large).send().await.expect("an answer").status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn searches_beyond_the_limit_wait_for_their_turn() {
    let cluster = Cluster::start_with(1, 4, |config| config.search.concurrency_max = 1).await;
    fill(&cluster, 0, 200).await;
    let counts = futures::future::join_all((0..20).map(|_| cluster.count(0, "needle"))).await;
    assert_eq!(counts, vec![200; 20]);
}

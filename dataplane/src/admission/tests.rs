use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, stream};
use grepzilla_api::config::{IndexConfig, RateConfig};
use grepzilla_model::ShardId;
use grepzilla_storage::disk::twin::Machine;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::server::fixtures::{Cluster, answer, id_on};
use crate::shards::table::LocalShard;

const BODY: &str = r#"[{"a":"needle"}]"#;

/// The status, the `Retry-After` header and the body of an answer to `/ingest`.
async fn told(cluster: &Cluster, query: &str, body: impl Into<reqwest::Body>) -> (u16, Option<u64>, Value) {
    let request = cluster.request(0, "POST", &format!("/ingest{query}")).header("content-type", "application/json");
    let answer = request.body(body).send().await.expect("an answer");
    let seconds = answer.headers().get("retry-after").map(|value| value.to_str().expect("text").parse());
    let (status, seconds) = (answer.status().as_u16(), seconds.map(|seconds| seconds.expect("a number")));
    (status, seconds, answer.json().await.expect("JSON"))
}

/// Asks until the answer has this status: for what a node looks at only once a second.
async fn until(cluster: &Cluster, status: u16) -> (u16, Option<u64>, Value) {
    let started = Instant::now();
    loop {
        let found = told(cluster, "", BODY).await;
        if found.0 == status || started.elapsed() > Duration::from_secs(20) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The value of a metric.
pub(super) async fn metric(cluster: &Cluster, name: &str) -> f64 {
    let text = cluster.request(0, "GET", "/metrics").send().await.expect("an answer").text().await.expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is there")).parse().expect("a number")
}

#[tokio::test]
async fn a_node_takes_so_many_requests_in_a_second_and_says_when_to_come_again() {
    let cluster = Cluster::start_with(1, 1, |config| config.admission.rate.requests_per_second = Some(5)).await;
    let started = Instant::now();
    let answers = join_all((0..30).map(|_| told(&cluster, "", BODY))).await;
    let most = 6 + started.elapsed().as_secs() * 5 + 5;
    let taken = answers.iter().filter(|(status, ..)| *status == 200).count() as u64;
    assert!((5..=most.min(29)).contains(&taken), "{taken} of at most {most}");
    for (status, seconds, body) in answers.into_iter().filter(|(status, ..)| *status != 200) {
        assert_eq!((status, seconds, &body["error"]["code"]), (429, Some(1), &json!("rate_limited")), "{body}");
        let details = &body["error"]["details"];
        assert_eq!(details["scope"], "node");
        assert!(details["retry_after_ms"].as_u64().is_some_and(|ms| (1..=200).contains(&ms)), "{body}");
    }
    assert_eq!(cluster.count(0, "needle").await, taken, "what is refused does not enter");
    assert_eq!(metric(&cluster, "grepzilla_ingest_refused_total{reason=\"rate_node\"}").await, (30 - taken) as f64);
    assert_eq!(until(&cluster, 200).await.0, 200, "there is room again");
}

#[tokio::test]
async fn an_index_has_its_own_rate_in_bytes_after_decompression_and_others_share_the_default() {
    let of = |bytes_per_second| IndexConfig {
        rate: RateConfig { bytes_per_second: Some(bytes_per_second), requests_per_second: None },
        ..IndexConfig::default()
    };
    let cluster = Cluster::start_with(1, 1, |config| {
        config.indexes.insert("web".to_owned(), of(1 << 10));
        config.indexes.insert("default".to_owned(), of(1 << 30));
    })
    .await;
    let body = format!(r#"[{{"a":"{}"}}]"#, "x".repeat(100 << 10));
    let packed = zstd::encode_all(body.as_bytes(), 1).expect("packs");
    assert!(packed.len() < 1 << 10);
    let request = cluster.request(0, "POST", "/ingest?index=web").header("content-type", "application/json");
    let (status, _) = answer(request.header("content-encoding", "zstd").body(packed)).await;
    assert_eq!(status, StatusCode::OK);
    let (status, seconds, told_body) = told(&cluster, "?index=web", BODY).await;
    assert_eq!((status, &told_body["error"]["details"]["scope"]), (429, &json!("index")), "{told_body}");
    assert!(seconds.is_some_and(|seconds| (60..=100).contains(&seconds)), "100 KiB at 1 KiB in a second: {seconds:?}");
    for index in ["main", "other"] {
        assert_eq!(told(&cluster, &format!("?index={index}"), body.clone()).await.0, 200);
    }
}

#[tokio::test]
async fn beyond_the_soft_mark_of_the_hot_tier_clients_get_429_and_beyond_the_hard_one_503() {
    for (hard, status, code) in [(u64::MAX, 429, "hot_tier_filling"), (1, 503, "hot_tier_full")] {
        let cluster = Cluster::start_with(1, 1, |config| {
            (config.admission.hot_soft_bytes, config.admission.hot_hard_bytes) = (1, hard);
        })
        .await;
        assert_eq!(told(&cluster, "", BODY).await.0, 200, "the hot tier is empty");
        let (found, seconds, body) = told(&cluster, "", BODY).await;
        assert_eq!((found, &body["error"]["code"]), (status, &json!(code)), "{body}");
        assert!(seconds.is_some_and(|seconds| seconds >= 1));
        let details = &body["error"]["details"];
        assert!(details["backlog_ms"].as_u64().is_some_and(|ms| ms > 0) && details["hot_bytes"].is_u64(), "{body}");
        assert_eq!(cluster.count(0, "needle").await, 1, "searches go on");
        let Some(LocalShard::Leading(leader)) = cluster.nodes[0].table.get(ShardId(0)) else { panic!("it leads") };
        let flush = move || leader.log.adopt(None).and_then(|()| leader.log.flush());
        let flushed = tokio::task::spawn_blocking(flush).await.expect("no panic");
        assert!(flushed.expect("flushes").is_some());
        assert_eq!(told(&cluster, "", BODY).await.0, 200, "a flush makes room at once");
        assert_eq!(cluster.count(0, "needle").await, 2);
    }
}

#[tokio::test]
async fn a_leader_beyond_its_hard_mark_takes_no_batch_of_another_node_either() {
    let cluster = Cluster::start_with(2, 2, |config| config.admission.hot_hard_bytes = 1).await;
    let document = json!([{"_id": id_on(1, 2), "a": "needle"}]).to_string();
    assert_eq!(told(&cluster, "", document.clone()).await.0, 200);
    let (status, seconds, body) = told(&cluster, "", document).await;
    assert_eq!((status, seconds, &body["error"]["code"]), (503, Some(1), &json!("hot_tier_full")), "{body}");
    assert!(body["error"]["details"]["backlog_ms"].is_u64(), "{body}");
}

#[tokio::test]
async fn a_disk_that_fills_is_a_429_and_a_full_one_a_507() {
    let most = 1 << 60;
    for (hard, status, code, reason) in [(0, 429, "disk_filling", "disk_soft"), (most, 507, "no_space", "disk_hard")] {
        let cluster = Cluster::start_with(1, 1, |config| {
            (config.admission.disk_soft_free_bytes, config.admission.disk_hard_free_bytes) = (most, hard);
        })
        .await;
        let (found, seconds, body) = until(&cluster, status).await;
        assert_eq!((found, seconds, &body["error"]["code"]), (status, Some(10), &json!(code)), "{body}");
        assert!(body["error"]["details"]["free_bytes"].as_u64().is_some_and(|bytes| bytes < most), "{body}");
        assert!(metric(&cluster, &format!("grepzilla_ingest_refused_total{{reason=\"{reason}\"}}")).await > 0.0);
        assert!(metric(&cluster, "grepzilla_disk_free_bytes").await > 0.0);
    }
}

#[tokio::test]
async fn a_log_that_finds_no_room_is_a_507_and_takes_documents_again_once_there_is_some() {
    let machine = Machine::new(1);
    let cluster = Cluster::start_on(machine.boot(), 1, 1, |_| {}).await;
    machine.limit_bytes(Some(3 << 20));
    let body = format!(r#"[{{"a":"needle {}"}}]"#, "x".repeat(100 << 10));
    let mut taken = 0;
    let (status, seconds, refused) = loop {
        match told(&cluster, "", body.clone()).await {
            (200, ..) if taken < 100 => taken += 1,
            other => break other,
        }
    };
    assert_eq!((status, seconds, &refused["error"]["code"]), (507, Some(10), &json!("no_space")), "{refused}");
    assert!(taken > 5, "{taken}");
    assert_eq!(cluster.count(0, "needle").await, taken, "searches go on");
    machine.limit_bytes(None);
    assert_eq!(until(&cluster, 200).await.0, 200, "there is room again");
    assert_eq!(cluster.count(0, "needle").await, taken + 1);
}

/// A body of one document with a needle, more than 200 KiB long, that ends when it is told to.
fn slow_body(finished: oneshot::Receiver<()>) -> reqwest::Body {
    let start = Bytes::from(format!(r#"[{{"a":"needle {}"#, "x".repeat(200 << 10)));
    let end = async {
        finished.await.expect("told to go on");
        Ok(Bytes::from_static(b"\"}]"))
    };
    let start = async { Ok::<_, std::io::Error>(start) };
    reqwest::Body::wrap_stream(stream::once(start).chain(stream::once(end)))
}

/// Waits until bodies hold so many bytes.
async fn until_in_flight(cluster: &Cluster, bytes: u64) {
    let started = Instant::now();
    while metric(cluster, "grepzilla_in_flight_bytes").await < bytes as f64 {
        assert!(started.elapsed() < Duration::from_secs(8), "the slow body arrives");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn requests_hold_their_room_until_they_are_answered_and_more_are_sent_away() {
    const ROOM: u64 = 256 << 10;
    let cluster = Cluster::start_with(1, 1, |config| config.admission.in_flight_bytes_max = ROOM).await;
    let (finish, finished) = oneshot::channel();
    let slow = told(&cluster, "", slow_body(finished));
    let others = async {
        until_in_flight(&cluster, ROOM).await;
        let (status, seconds, body) = told(&cluster, "", BODY).await;
        assert_eq!((status, &body["error"]["code"]), (503, &json!("overloaded")), "{body}");
        assert!(seconds.is_some() && body["error"]["details"]["backlog_ms"].is_u64(), "{body}");
        finish.send(()).expect("the slow body waits");
    };
    let ((status, _, body), ()) = futures::join!(slow, others);
    assert_eq!(status, 200, "{body}");
    assert_eq!(told(&cluster, "", BODY).await.0, 200);
    assert_eq!(metric(&cluster, "grepzilla_in_flight_bytes").await, 0.0);
    assert_eq!(metric(&cluster, "grepzilla_in_flight_bytes_max").await, ROOM as f64);
    assert_eq!(cluster.count(0, "needle").await, 2);
}

#[tokio::test]
async fn what_another_node_has_let_in_finds_room_where_clients_have_taken_all_of_theirs() {
    const ROOM: u64 = 512 << 10;
    let cluster = Cluster::start_with(2, 2, |config| {
        config.admission.in_flight_bytes_max = ROOM;
        let cluster = json!({"root": "/root", "etcd": ["http://nowhere:1"]});
        config.cluster = serde_json::from_value(cluster).expect("a cluster");
    })
    .await;
    let (finish, finished) = oneshot::channel();
    let slow = told(&cluster, "", slow_body(finished));
    let others = async {
        until_in_flight(&cluster, ROOM / 2).await;
        assert_eq!(told(&cluster, "", BODY).await.0, 503, "no room for clients");
        let document = json!([{"_id": id_on(0, 2), "a": "needle"}]).to_string();
        let (status, answer) = cluster.ingest(1, "", document).await;
        assert_eq!((status, &answer["shards"][0]["shard"]), (StatusCode::OK, &json!(0)), "{answer}");
        finish.send(()).expect("the slow body waits");
    };
    let ((status, _, body), ()) = futures::join!(slow, others);
    assert_eq!(status, 200, "{body}");
    assert_eq!(cluster.count(0, "needle").await, 2);
}

#[tokio::test]
async fn whoever_is_sent_away_with_a_large_body_gets_to_see_the_answer() {
    let cluster = Cluster::start_with(1, 1, |config| config.admission.rate.requests_per_second = Some(1)).await;
    let body = format!(r#"[{{"a":"{}"}}]"#, "x".repeat(200 << 10));
    let large = format!("[{}]", vec![body.trim_matches(['[', ']']); 30].join(","));
    let answers = join_all((0..8).map(|_| told(&cluster, "", large.clone()))).await;
    assert!(answers.iter().all(|(status, ..)| matches!(status, 200 | 429)), "{answers:?}");
    assert!(answers.iter().any(|(status, ..)| *status == 429));
}

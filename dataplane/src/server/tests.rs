use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::fixtures::{Cluster, answer, client};
use super::*;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_answered_in_json_with_the_trace_id() {
    let cluster = Cluster::start(1, 1).await;
    let lost =
        cluster.request(0, "GET", "/nowhere").header("traceparent", TRACEPARENT).send().await.expect("an answer");
    assert_eq!(lost.status(), StatusCode::NOT_FOUND);
    assert_eq!(lost.headers()["grepzilla-trace-id"], TRACE);
    let body: Value = lost.json().await.expect("JSON");
    assert_eq!((&body["error"]["code"], &body["trace_id"]), (&json!("no_such_route"), &json!(TRACE)));

    let wrong = cluster.request(0, "GET", "/ingest").send().await.expect("an answer");
    assert_eq!(
        (wrong.status(), wrong.headers()["allow"].to_str().expect("ASCII")),
        (StatusCode::METHOD_NOT_ALLOWED, "POST")
    );
    let body: Value = wrong.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], "method_not_allowed");
}

#[tokio::test]
async fn the_routes_of_peers_are_not_on_the_public_port_and_the_other_way_round() {
    let cluster = Cluster::start(1, 1).await;
    let (status, _) = answer(cluster.request(0, "GET", "/peer/v1/hello")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = answer(cluster.peer_request(0, "GET", "/healthz")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_with_the_trace_id_and_the_node_lives_on() {
    let cluster = Cluster::start(1, 1).await;
    let app = Arc::new(App::new(cluster.nodes[0].node.clone()).expect("an app"));
    let router: Router = Router::new()
        .route("/", get(async || -> Response { panic!("a bug") }))
        .layer(from_fn_with_state(app, observe::observe));
    let request = Request::get("/").header("traceparent", TRACEPARENT).body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.expect("a body");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&body["error"]["code"], &body["trace_id"]), (&json!("internal"), &json!(TRACE)));
}

#[tokio::test]
async fn http_2_is_spoken_too() {
    let cluster = Cluster::start(1, 1).await;
    let client =
        reqwest::Client::builder().no_proxy().tls_certs_only([]).http2_prior_knowledge().build().expect("a client");
    let answered = client.get(format!("http://{}/healthz", cluster.nodes[0].api)).send().await.expect("an answer");
    assert_eq!((answered.version(), answered.status()), (http::Version::HTTP_2, StatusCode::OK));
}

#[tokio::test]
async fn a_node_that_drains_is_not_ready_says_goodbye_and_finishes_what_runs() {
    let cluster = Cluster::start(1, 1).await;
    let node = &cluster.nodes[0];
    assert_eq!(answer(cluster.request(0, "GET", "/readyz")).await.0, StatusCode::OK);
    let mut slow = TcpStream::connect(node.api).await.expect("connects");
    let head = "POST /ingest HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[{\"a\"";
    slow.write_all(head.as_bytes()).await.expect("writes");
    tokio::time::sleep(Duration::from_millis(100)).await;

    node.signals.begin_draining();
    let unready = cluster.request(0, "GET", "/readyz").send().await.expect("an answer");
    assert_eq!(
        (unready.status(), &unready.headers()["connection"]),
        (StatusCode::SERVICE_UNAVAILABLE, &http::HeaderValue::from_static("close"))
    );
    node.signals.begin_stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(node.api).await.is_err(), "nothing new is accepted");
    assert!(!node.server.is_finished(), "a request still runs");
    slow.write_all(b":1}]").await.expect("writes");
    let mut text = String::new();
    slow.read_to_string(&mut text).await.expect("reads to the end of the connection");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    tokio::time::timeout(Duration::from_secs(5), cluster.nodes.into_iter().next().expect("one").server)
        .await
        .expect("the server ends")
        .expect("without a panic")
        .expect("without an error");
}

#[tokio::test]
async fn a_client_that_says_nothing_or_half_a_request_is_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let shutdown = ShutdownSignals::new();
    let accept = AcceptLoop {
        port: "http",
        listener,
        router: Router::new().route("/", get(async || "here")),
        shutdown: shutdown.clone(),
        header_time_max: Duration::from_millis(300),
    };
    let serving = tokio::spawn(accept.run());
    for said in ["", "P", "GET / HTTP/1.1\r\nhost:", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(said.as_bytes()).await.expect("writes");
        let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "{said:?} was waited for");
    }
    let answered = client().get(format!("http://{address}/")).send().await.expect("an answer");
    assert_eq!(answered.text().await.expect("text"), "here");
    shutdown.begin_stop();
    tokio::time::timeout(Duration::from_secs(5), serving).await.expect("ends").expect("without a panic");
}

#[tokio::test]
async fn the_state_of_the_cluster_has_what_this_node_holds_of_its_shards_and_nothing_of_others() {
    let cluster = Cluster::start(2, 2).await;
    let documents = json!([{"_id": "a"}, {"_id": "b"}, {"_id": "c"}, {"_id": "d"}, {"_id": "e"}, {"_id": "f"}]);
    let (status, answer) = cluster.ingest(0, "", documents.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let mut held = Vec::new();
    for node in 0..2 {
        let state: Value =
            cluster.request(node, "GET", "/cluster").send().await.expect("sent").json().await.expect("JSON");
        for (shard, of_shard) in state["shards"].as_array().expect("shards").iter().enumerate() {
            assert_eq!(of_shard.get("held").is_some(), shard == node, "{state}");
            held.extend(of_shard.get("held").cloned());
        }
    }
    let sum = |field: &str| held.iter().map(|held| held[field].as_u64().expect("a number")).sum::<u64>();
    assert_eq!((sum("hot_documents"), sum("segments"), sum("flushed")), (6, 0, 0), "{held:?}");
}

#[tokio::test]
async fn the_metrics_have_the_promised_names_and_move() {
    let cluster = Cluster::start(1, 2).await;
    cluster.ingest(0, "", r#"[{"a":"needle"},{"a":1,"a":2}]"#).await;
    assert_eq!(cluster.count(0, "needle").await, 1);
    let text = cluster.request(0, "GET", "/metrics").send().await.expect("an answer").text().await.expect("text");
    let value = |name: &str| {
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        let line = line.unwrap_or_else(|| panic!("{name} is missing in:\n{text}"));
        line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")
    };
    for (name, expected) in [
        ("ingest_requests{status=\"207\"}", 1.0),
        ("ingest_requests{status=\"200\"}", 0.0),
        ("shard_leader{shard=\"0\"}", 1.0),
        ("shard_leader{shard=\"1\"}", 1.0),
        ("hot_size", 1.0),
        ("etcd_errors_total{op=\"commit\"}", 0.0),
        ("grepzilla_ingest_documents_total{outcome=\"appended\"}", 1.0),
        ("grepzilla_ingest_documents_total{outcome=\"refused\"}", 1.0),
        ("grepzilla_search_requests_total{status=\"200\"}", 1.0),
        ("grepzilla_search_seconds_count", 1.0),
        ("grepzilla_metadata_connected", 1.0),
        ("grepzilla_ring_version", 1.0),
        ("flush_duration_ms_count", 0.0),
        ("manifest_publish_total{status=\"ok\"}", 0.0),
        ("manifest_publish_total{status=\"unavailable\"}", 0.0),
        ("manifest_publish_total{status=\"overtaken\"}", 0.0),
        ("grepzilla_merge_seconds_count", 0.0),
        ("grepzilla_merge_bytes_total", 0.0),
        ("grepzilla_segments", 0.0),
        ("grepzilla_segment_bytes", 0.0),
        ("grepzilla_damaged_segments", 0.0),
        ("grepzilla_retention_documents_total", 0.0),
        ("grepzilla_superseded_documents", 0.0),
        ("grepzilla_idempotency_keys", 0.0),
        ("grepzilla_cache_hits_total", 0.0),
        ("grepzilla_cache_misses_total", 0.0),
        ("grepzilla_cache_bytes", 0.0),
        ("grepzilla_document_requests_total{operation=\"get\",status=\"200\"}", 0.0),
        ("grepzilla_document_requests_total{operation=\"delete\",status=\"200\"}", 0.0),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    for name in [
        "wal_bytes_total",
        "grepzilla_cache_bytes_max",
        "hot_mem_size",
        "hot_oldest_ts",
        "grepzilla_ingest_bytes_total",
        "grepzilla_wal_fsync_seconds_count",
        "grepzilla_wal_fsync_seconds_bucket{le=\"+Inf\"}",
        "grepzilla_search_blocks_read_total",
        "grepzilla_search_bytes_read_total",
    ] {
        assert!(value(name) > 0.0, "{name}");
    }
}

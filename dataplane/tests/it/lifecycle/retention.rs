//! Retention: what is too much or too old goes, for good, and a search that was begun before is told so.

use http::StatusCode;
use serde_json::{Value, json};

use super::segments::{BATCH, manifest, metric, metrics};
use super::{count, eventually};
use crate::process::NodeProcess;

#[tokio::test(flavor = "multi_thread")]
async fn retention_by_bytes_drops_the_oldest_documents_for_good() {
    let mut node = NodeProcess::start_alone_with(&json!({ "storage": {
        "flush_bytes": 16 << 10, "flush_age_seconds": 1, "retention_bytes": 256 << 10, "merge": false
    } }));
    let text = |number: u64| {
        format!("noise {}{}", number, (0..8).map(|_| format!("{:016x}", rand::random::<u64>())).collect::<String>())
    };
    let mut written = 0;
    let mut write_until_bases_pass = async |node: &NodeProcess, least: u64| {
        eventually("nothing is dropped", async || {
            let batch: Value = (0..BATCH).map(|number| json!({ "text": text(number) })).collect();
            node.answer(node.request("POST", "/ingest").json(&batch)).await;
            written += BATCH;
            let bases = [manifest(node, &json!(0)).await, manifest(node, &json!(1)).await]
                .map(|manifest| manifest["base"].as_u64());
            if bases.iter().all(|base| *base > Some(least)) { Ok(()) } else { Err(json!(bases)) }
        })
        .await
    };
    write_until_bases_pass(&node, 1).await;
    let (left, partial) = count(&node, "noise").await;
    assert!(left > 0 && !partial, "{left}");

    let page = |cursor: Value| json!({ "contains": "noise", "page": { "size": 10, "cursor": cursor } });
    let (next, seen) = eventually("retention always comes between two pages", async || {
        let (status, first) = node.answer(node.request("POST", "/search").json(&page(Value::Null))).await;
        assert_eq!(status, StatusCode::OK, "{first}");
        let next = page(first["cursor"].clone());
        let seen = first["token"].as_array().into_iter().flatten().filter_map(|shard| shard["seq"].as_u64()).max();
        let (status, answer) = node.answer(node.request("POST", "/search").json(&next)).await;
        if status == StatusCode::OK && !next["page"]["cursor"].is_null() { Ok((next, seen)) } else { Err(answer) }
    })
    .await;
    let seen = seen.expect("a token");
    write_until_bases_pass(&node, seen).await;
    let (status, answer) = node.answer(node.request("POST", "/search").json(&next)).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::GONE, &json!("cursor_expired")), "{answer}");
    let left = count(&node, "noise").await.0;
    assert!(left < written, "{left} of {written}");
    node.kill();
    node.restart();
    let oldest = json!({ "contains": "noise", "order": "oldest", "page": { "size": 1 } });
    let (_, answer) = node.answer(node.request("POST", "/search").json(&oldest)).await;
    assert!(answer["hits"][0]["doc_id"].as_u64() > Some(seen), "what was dropped is back: {answer}");
}

/// Documents of an index that contain a text, and whether the answer lacks some.
async fn count_in(node: &NodeProcess, index: &str, text: &str) -> (u64, bool) {
    let search = json!({ "contains": text, "index": [index], "count": true, "page": { "size": 0 } });
    let (status, answer) = node.answer(node.request("POST", "/search").json(&search)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    (answer["total"].as_u64().expect("a total"), answer["partial"] == true)
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_of_an_index_hides_its_documents_in_time_then_removes_them_and_leaves_the_others_alone() {
    let mut node = NodeProcess::start_alone_with(&json!({
        "storage": { "flush_bytes": 16 << 10, "flush_age_seconds": 1 },
        "search": { "cursor_ttl_seconds": 2 },
        "indexes": { "short": { "retention": { "max_age_seconds": 3 } } },
    }));
    let documents = |from: u64| -> Value {
        (from..from + BATCH).map(|number| json!({ "_id": format!("r{number}"), "text": "remembered" })).collect()
    };
    let began = std::time::Instant::now();
    for index in ["short", "long"] {
        let request = node.request("POST", &format!("/ingest?index={index}")).json(&documents(0));
        assert_eq!(node.answer(request).await.0, StatusCode::OK);
    }
    let early = count_in(&node, "short", "remembered").await;
    assert!(early == (BATCH, false) || began.elapsed().as_secs() >= 3, "{early:?}");
    eventually("it is still seen", async || {
        let found = count_in(&node, "short", "remembered").await;
        if found == (0, false) { Ok(()) } else { Err(json!(found)) }
    })
    .await;
    assert!(began.elapsed().as_secs() >= 3, "it went too early");
    assert_eq!(count_in(&node, "long", "remembered").await, (BATCH, false));
    assert_eq!(node.answer(node.request("GET", "/doc/r7?index=short")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(node.answer(node.request("GET", "/doc/r7?index=long")).await.0, StatusCode::OK);
    // Something new, so that most of a segment that only this index has may be made anew.
    eventually("it is not removed", async || {
        let request = node.request("POST", "/ingest?index=short").json(&documents(1_000));
        assert_eq!(node.answer(request).await.0, StatusCode::OK);
        let removed = metric(&metrics(&node).await, "grepzilla_retention_documents_total");
        if removed >= BATCH as f64 { Ok(()) } else { Err(json!(removed)) }
    })
    .await;
    node.kill();
    node.restart();
    assert_eq!(count_in(&node, "long", "remembered").await, (BATCH, false));
    assert_eq!(node.answer(node.request("GET", "/doc/r7?index=short")).await.0, StatusCode::NOT_FOUND);
}

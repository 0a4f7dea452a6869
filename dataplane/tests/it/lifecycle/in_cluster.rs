//! Nodes of a cluster, with a real etcd.

use std::time::{Duration, Instant};

use grepzilla_api::contract;
use grepzilla_cluster::keyspace::NodeState;
use http::StatusCode;
use serde_json::{Value, json};

use super::{count, documents, eventually};
use crate::etcd::{Etcd, ROOT};
use crate::process::NodeProcess;

const SHARDS: u32 = 6;

/// Three nodes, each with two shards that it leads.
async fn three_nodes(etcd: &Etcd) -> Vec<NodeProcess> {
    etcd.write_ring(3, SHARDS).await;
    let nodes: Vec<NodeProcess> =
        (0..3).map(|index| NodeProcess::start_in_cluster(index, ROOT, &etcd.endpoint())).collect();
    for node in &nodes {
        all_led(node).await;
    }
    nodes
}

async fn all_led(node: &NodeProcess) {
    eventually("a shard without a leader", async || {
        let (_, cluster) = node.answer(node.request("GET", "/cluster")).await;
        let led = |shard: &Value| shard["leader"].is_string() && shard["blocker"].is_null();
        if cluster["shards"].as_array().expect("shards").iter().all(led) { Ok(()) } else { Err(cluster) }
    })
    .await;
}

/// Writes documents with these ids one by one, and says of each whether it was acknowledged, or the status.
async fn write_each(node: &NodeProcess, ids: &[String]) -> Vec<StatusCode> {
    let mut statuses = Vec::new();
    for id in ids {
        let document = documents(std::slice::from_ref(id));
        statuses.push(node.answer(node.request("POST", "/ingest").json(&document)).await.0);
    }
    statuses
}

fn ids(prefix: &str) -> Vec<String> {
    (0..30).map(|n| format!("{prefix}-{n}")).collect()
}

fn acknowledged(statuses: &[StatusCode]) -> u64 {
    statuses.iter().filter(|status| **status == StatusCode::OK).count() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shards_of_a_killed_node_are_named_while_the_others_go_on_and_all_is_well_when_it_returns() {
    let etcd = Etcd::start().await;
    let mut nodes = three_nodes(&etcd).await;
    assert_eq!(acknowledged(&write_each(&nodes[0], &ids("before")).await), 30);

    nodes[2].kill();
    eventually("the killed node is still registered", async || {
        let (_, cluster) = nodes[0].answer(nodes[0].request("GET", "/cluster")).await;
        if cluster["nodes"].get("logs-2").is_none() { Ok(()) } else { Err(cluster) }
    })
    .await;
    let (_, cluster) = nodes[0].answer(nodes[0].request("GET", "/cluster")).await;
    for shard in cluster["shards"].as_array().expect("shards") {
        let of_killed = shard["targets"] == json!(["logs-2"]);
        assert_eq!(shard["leader"].is_null(), of_killed, "{shard}");
        let named = shard["blocker"].as_str().is_some_and(|blocker| blocker.contains("logs-2"));
        assert_eq!(named, of_killed, "{shard}");
    }
    let statuses = write_each(&nodes[0], &ids("during")).await;
    let refused = statuses.iter().filter(|status| **status == StatusCode::SERVICE_UNAVAILABLE).count() as u64;
    assert_eq!(acknowledged(&statuses) + refused, 30, "{statuses:?}");
    assert!(refused > 0 && acknowledged(&statuses) > 0, "{statuses:?}");
    let (found, partial) = count(&nodes[1], "during").await;
    assert_eq!((found, partial), (acknowledged(&statuses), true));

    nodes[2].restart();
    for node in &nodes {
        all_led(node).await;
        assert_eq!(count(node, "before").await, (30, false));
        assert_eq!(count(node, "during").await, (acknowledged(&statuses), false));
    }
    assert_eq!(acknowledged(&write_each(&nodes[1], &ids("after")).await), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_etcd_is_away_leaders_go_on_and_a_node_that_restarts_can_be_read_but_not_written() {
    let mut etcd = Etcd::start().await;
    let mut nodes = three_nodes(&etcd).await;
    assert_eq!(acknowledged(&write_each(&nodes[0], &ids("before")).await), 30);

    etcd.kill();
    // Longer than a lease lives and than a silent watch is believed.
    let away_since = Instant::now();
    while away_since.elapsed() < Duration::from_secs(8) {
        for node in &nodes {
            let name = format!("away-{}", away_since.elapsed().as_nanos());
            assert_eq!(acknowledged(&write_each(node, &[name]).await), 1);
            assert_eq!(count(node, "before").await, (30, false));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for node in &nodes {
        let (_, cluster) = node.answer(node.request("GET", "/cluster")).await;
        assert_eq!(cluster["metadata_connected"], false, "{cluster}");
    }

    nodes[1].kill();
    nodes[1].restart();
    eventually("the restarted node is asked by the others again", async || {
        let found = count(&nodes[0], "before").await;
        if found == (30, false) { Ok(()) } else { Err(json!(found)) }
    })
    .await;
    let statuses = write_each(&nodes[0], &ids("restarted")).await;
    let refused = statuses.iter().filter(|status| **status == StatusCode::SERVICE_UNAVAILABLE).count() as u64;
    assert_eq!(acknowledged(&statuses) + refused, 30, "{statuses:?}");
    assert!(refused > 0 && acknowledged(&statuses) > 0, "{statuses:?}");
    let (_, cluster) = nodes[1].answer(nodes[1].request("GET", "/cluster")).await;
    let waiting =
        |shard: &&Value| shard["blocker"].as_str().is_some_and(|blocker| blocker.contains("read but not written"));
    assert_eq!(cluster["shards"].as_array().expect("shards").iter().filter(waiting).count(), 2, "{cluster}");

    etcd.restart().await;
    for node in &nodes {
        all_led(node).await;
        assert_eq!(count(node, "restarted").await, (acknowledged(&statuses), false));
    }
    eventually("a write that is refused", async || {
        let statuses = write_each(&nodes[2], &ids("after")).await;
        if acknowledged(&statuses) == 30 { Ok(()) } else { Err(json!(format!("{statuses:?}"))) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_paused_beyond_its_lease_registers_again_and_announces_its_shards_again() {
    let etcd = Etcd::start().await;
    let nodes = three_nodes(&etcd).await;
    eventually("a node that does not serve, or a leader that is not announced", async || {
        let seen = etcd.topology().await;
        let serving = seen.nodes.values().filter(|node| node.state == NodeState::Serving).count();
        if (serving, seen.leaders.len()) == (3, 6) { Ok(()) } else { Err(json!(format!("{seen:?}"))) }
    })
    .await;
    let before = etcd.topology().await;

    nodes[1].signal("STOP");
    eventually("the paused node is still registered", async || {
        let seen = etcd.topology().await;
        if (seen.nodes.len(), seen.leaders.len()) == (2, 4) { Ok(()) } else { Err(json!(seen.nodes.len())) }
    })
    .await;
    nodes[1].signal("CONT");
    eventually("the node that goes on is not registered", async || {
        let seen = etcd.topology().await;
        // It led all the time, in the same epochs: nobody else could have.
        if (&seen.nodes, &seen.leaders, &seen.configs) == (&before.nodes, &before.leaders, &before.configs) {
            return Ok(());
        }
        Err(json!(format!("{:?}", seen.leaders)))
    })
    .await;
    for node in &nodes {
        all_led(node).await;
    }
    assert_eq!(acknowledged(&write_each(&nodes[0], &ids("after")).await), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_ring_is_alive_and_says_what_it_waits_for_until_the_operator_has_written_one() {
    let etcd = Etcd::start().await;
    let waiting = NodeProcess::spawn_in_cluster(0, ROOT, &etcd.endpoint());
    let address = waiting.listens_on().await;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
    let ask = async |path: &str| {
        let answer = client.get(format!("http://{address}{path}")).send().await.expect("an answer");
        (answer.status(), answer.json::<Value>().await.expect("JSON"))
    };
    assert_eq!(ask("/healthz").await.0, StatusCode::OK);
    eventually("the reason of not being ready", async || {
        let (status, readiness) = ask("/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        if readiness["reasons"].to_string().contains("the cluster's UUID") { Ok(()) } else { Err(readiness) }
    })
    .await;
    assert_eq!(ask("/cluster").await.0, StatusCode::SERVICE_UNAVAILABLE);
    etcd.write_ring(1, 2).await;
    let node = waiting.ready();
    all_led(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_store_is_another_clusters_exits_and_names_both() {
    let (etcd, other) = (Etcd::start().await, Etcd::start().await);
    etcd.write_ring(1, 1).await;
    other.write_ring_of(8, 1, 1).await;
    let mut node = NodeProcess::start_in_cluster(0, ROOT, &etcd.endpoint());
    node.kill();
    assert!(!node.refused_with(ROOT, &other.endpoint()).await.success());
    let log = node.log();
    let said = log.last().expect("a last line")["error"].to_string();
    for cluster in ["00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000008"] {
        assert!(said.contains(cluster), "{cluster} is not in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_node_is_unready_and_goes_on_and_a_second_signal_ends_it_at_once() {
    let etcd = Etcd::start().await;
    etcd.write_ring(1, 2).await;
    let mut node = NodeProcess::start_in_cluster(0, ROOT, &etcd.endpoint());
    all_led(&node).await;
    node.signal("TERM");
    eventually("ready", async || {
        let (status, readiness) = node.answer(node.request("GET", "/readyz")).await;
        if status == StatusCode::SERVICE_UNAVAILABLE { Ok(()) } else { Err(readiness) }
    })
    .await;
    assert_eq!(node.answer(node.request("GET", "/healthz")).await.0, StatusCode::OK);
    let answer = node.request("POST", "/ingest").json(&documents(&ids("late"))).send().await.expect("an answer");
    assert_eq!(
        (answer.status(), &answer.headers()["connection"]),
        (StatusCode::OK, &"close".parse().expect("a value"))
    );
    let signalled = Instant::now();
    node.signal("TERM");
    let status = node.ended().await;
    assert_eq!(status.code(), Some(2));
    assert!(signalled.elapsed() < Duration::from_secs(5), "the second signal was waited for");
    node.restart();
    eventually("what was written while draining", async || {
        let found = count(&node, "late").await;
        if found == (30, false) { Ok(()) } else { Err(json!(found)) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_stop_serves_while_it_drains_exits_with_0_and_leaves_the_registry_at_once() {
    let etcd = Etcd::start().await;
    etcd.write_ring(2, 2).await;
    let [mut leaving, staying] = [0, 1].map(|index| NodeProcess::start_in_cluster(index, ROOT, &etcd.endpoint()));
    all_led(&leaving).await;
    all_led(&staying).await;
    let (told, mut written) = (Instant::now(), 0);
    leaving.signal("TERM");
    // Not quite as long as the node drains: whoever still writes through it, or to its shard, notices nothing.
    while told.elapsed() < Duration::from_secs(contract::DRAIN_SECONDS - 1) {
        for node in [&leaving, &staying] {
            let names: Vec<String> = (written..written + 4).map(|n| format!("drain-{n}")).collect();
            assert_eq!(acknowledged(&write_each(node, &names).await), 4);
            written += 4;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(leaving.ended().await.code(), Some(0));
    let left = Instant::now();
    eventually("the node that has left is still registered", async || {
        let (_, cluster) = staying.answer(staying.request("GET", "/cluster")).await;
        if cluster["nodes"].get("logs-0").is_none() { Ok(()) } else { Err(cluster) }
    })
    .await;
    assert!(left.elapsed() < Duration::from_secs(2), "it was not taken off, its lease expired");
    leaving.restart();
    all_led(&staying).await;
    assert_eq!(count(&staying, "drain-").await, (written, false));
}

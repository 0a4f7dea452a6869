use grepzilla_cluster::keyspace::{Key, StoredConfig, Value as _};
use grepzilla_cluster::manifests::Publication;
use grepzilla_cluster::store::Transaction;
use grepzilla_model::{Epoch, Incarnation, ReplicaRole, SegmentEntry, SegmentName, SeqNo, ShardReplica, TimeNs};
use serde_json::{Value, json};

use super::*;
use crate::server::fixtures::{Cluster, answer};

fn manifest(generation: u64) -> Manifest {
    let entry = |number: u64| SegmentEntry {
        name: SegmentName { epoch: Epoch(1), first: SeqNo(number), last: SeqNo(number), hash: 7 },
        bytes: 9,
        raw_bytes: 0,
        documents: 0,
        blocks: 0,
        bounds: None,
        deletes: None,
    };
    Manifest {
        generation: Generation(generation),
        epoch: Epoch(1),
        base: SeqNo(0),
        flushed: SeqNo(generation),
        segments: (1..=generation).map(entry).collect(),
    }
}

/// Publishes generations 1 and 2 of shard 1 as its leader would.
async fn publish(cluster: &Cluster) {
    let node = &cluster.nodes[0].node;
    let (store, keys) = node.metadata();
    let mut config = node.topology().configs[&ShardId(1)].clone();
    let (node, incarnation) = (config.leader.clone(), Incarnation(1));
    config.replicas = vec![ShardReplica { node, incarnation, role: ReplicaRole::Member }];
    let stored = StoredConfig { writer: grepzilla_cluster::keyspace::Nonce::random(), config };
    let put = Transaction::new().put(keys.text(&Key::ShardConfig(ShardId(1))), stored.encode());
    store.commit(put).await.expect("writes");
    for generation in 1..=2 {
        let publication = Publication::new(ShardId(1), manifest(generation), TimeNs(0));
        publication.publish(store, keys).await.expect("publishes");
    }
}

async fn get(cluster: &Cluster, node: usize, path: &str) -> (u16, Value) {
    let (status, body) = answer(cluster.request(node, "GET", path)).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn every_node_answers_with_the_newest_generation_and_with_earlier_ones() {
    let cluster = Cluster::start(2, 2).await;
    publish(&cluster).await;
    for node in 0..2 {
        let (status, newest) = get(&cluster, node, "/manifest/1").await;
        assert_eq!((status, &newest["shard"], &newest["gen"]), (200, &json!(1), &json!(2)), "{newest}");
        assert_eq!((&newest["flushed"], &newest["epoch"]), (&json!(2), &json!(1)));
        let first = "0000000000000001-0000000000000001-0000000000000001-0000000000000007";
        assert_eq!(newest["segments"][0]["name"], first);
        assert_eq!(newest["segments"].as_array().map(Vec::len), Some(2));
        let (status, earlier) = get(&cluster, node, "/manifest/1?gen=1").await;
        assert_eq!((status, earlier["segments"].as_array().map(Vec::len)), (200, Some(1)), "{earlier}");
    }
}

#[tokio::test]
async fn a_shard_that_published_nothing_has_generation_0_and_what_is_not_there_is_a_404() {
    let cluster = Cluster::start(1, 2).await;
    publish(&cluster).await;
    let (status, empty) = get(&cluster, 0, "/manifest/0").await;
    assert_eq!((status, &empty["gen"], &empty["segments"]), (200, &json!(0), &json!([])), "{empty}");
    for (path, status, code) in [
        ("/manifest/1?gen=3", 404, "no_such_generation"),
        ("/manifest/1?gen=0", 404, "no_such_generation"),
        ("/manifest/0?gen=1", 404, "no_such_generation"),
        ("/manifest/2", 404, "no_such_shard"),
        ("/manifest/x", 404, "no_such_shard"),
        ("/manifest/1?gen=x", 400, "bad_parameter"),
        ("/manifest/1?generation=1", 400, "bad_parameter"),
    ] {
        let (found, body) = get(&cluster, 0, path).await;
        assert_eq!((found, &body["error"]["code"]), (status, &json!(code)), "{path}: {body}");
    }
}

#[tokio::test]
async fn a_manifest_that_cannot_be_used_is_our_fault_and_says_which() {
    let cluster = Cluster::start(1, 1).await;
    let (store, keys) = cluster.nodes[0].node.metadata();
    store.commit(Transaction::new().put(keys.text(&Key::Manifest(ShardId(0))), "{")).await.expect("writes");
    let (status, body) = get(&cluster, 0, "/manifest/0").await;
    assert_eq!(status, 500);
    assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("-manifests/0")), "{body}");
}

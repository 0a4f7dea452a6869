//! Sample clusters and sample states of the world, shared by all tests of this crate.

use std::collections::BTreeMap;

use grepzilla_api::contract::node_name;
use grepzilla_cluster::placement::{PlacementNode, Rebalance, Wanted, place};
use grepzilla_model::{ClusterUuid, NodeIndex, NodeName, Ring, RingNode, RingNodeState, ShardId};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::controller::facts::{
    ClaimFacts, ClusterFacts, Facts, MetadataFacts, Placement, PodFacts, SecretFacts, ShardFacts, StatefulSetFacts,
};
use crate::controller::plan::{NodeSet, Plan, volumes};
use crate::controller::validate::{Cluster, Defaults, validate};
use crate::crd::GrepzillaCluster;

/// The moment at which the tests play.
pub(crate) fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().expect("a time")
}

/// The identity of the sample clusters.
pub(crate) fn uuid() -> ClusterUuid {
    ClusterUuid(Uuid::from_u128(0x018f_3c5e_7a3b_7c7d_8e1f_0123_4567_89ab))
}

/// What the operator was started with.
pub(crate) fn defaults() -> Defaults {
    Defaults { node_image: "grepzilla/node:dev".into(), etcd_endpoints: vec!["http://etcd:2379".into()] }
}

/// The shortest resource.
pub(crate) fn minimal_resource() -> GrepzillaCluster {
    resource(json!({}))
}

/// The shortest cluster: three nodes, twelve shards.
pub(crate) fn minimal() -> Cluster {
    validate(&minimal_resource(), &defaults()).expect("valid")
}

/// The shortest cluster with another number of nodes.
pub(crate) fn with_nodes(nodes: u32) -> Cluster {
    Cluster { nodes, ..minimal() }
}

/// A resource that says everything.
pub(crate) fn full() -> Cluster {
    let resource = resource(json!({
        "nodes": 5,
        "shards": 24,
        "storage": {
            "size": "100Gi", "storageClassName": "fast", "flushBytes": "32Mi", "flushAge": "1m", "cacheBytes": "1Gi",
            "merge": false, "mergedBytesMax": "2Gi", "retentionAge": "720h", "retentionBytes": "50Gi",
        },
        "wal": { "fsync": "batch", "fsyncInterval": "50ms", "maxBytes": "128Mi", "maxAge": "1m" },
        "etcd": { "endpoints": ["https://a.example:2379", "https://b.example:2379"] },
        "image": "registry.example/grepzilla:1.2.3",
        "pod": {
            "resources": { "requests": { "cpu": "2", "memory": "4Gi" }, "limits": { "memory": "4Gi" } },
            "nodeSelector": { "disk": "nvme" },
            "tolerations": [{ "key": "dedicated", "operator": "Equal", "value": "logs", "effect": "NoSchedule" }],
            "affinity": { "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [
                { "labelSelector": { "matchLabels": { "app": "noisy" } }, "topologyKey": "kubernetes.io/hostname" },
            ] } },
            "topologySpreadConstraints": [
                { "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule" },
            ],
            "imagePullSecrets": ["registry"],
        },
        "ingest": {
            "ack": "leader", "bodyBytesMax": "4Mi", "documentBytesMax": "512Ki", "valueBytesMax": "64Ki",
            "depthMax": 16, "leavesMax": 500, "timeout": "5s", "queueBytesMax": "32Mi",
        },
        "indexes": [
            {
                "name": "web", "required": ["message"], "types": { "status": "integer", "@timestamp": "timestamp" },
                "fieldBytesMax": { "message": "8Ki" }, "valueBytesMax": "4Ki", "documentBytesMax": "256Ki",
                "depthMax": 4, "leavesMax": 100, "onExceeded": "trim", "defaults": { "env": "prod", "sampled": false },
                "rate": { "bytesPerSecond": "1Mi", "requestsPerSecond": 50 },
                "retention": { "maxAge": "48h", "maxBytes": "10Gi" },
            },
            { "name": "default", "onExceeded": "drop" },
        ],
        "admission": {
            "rate": { "bytesPerSecond": "16Mi", "requestsPerSecond": 1000 }, "inFlightBytesMax": "128Mi",
            "hotSoftBytes": "1Gi", "hotHardBytes": "1536Mi", "diskSoftFreeBytes": "1Gi", "diskHardFreeBytes": "128Mi",
        },
        "service": { "type": "LoadBalancer", "annotations": { "example.com/internal": "true" } },
    }));
    validate(&resource, &defaults()).expect("valid")
}

fn resource(spec: serde_json::Value) -> GrepzillaCluster {
    serde_json::from_value(json!({
        "apiVersion": "grepzilla.io/v1alpha1",
        "kind": "GrepzillaCluster",
        "metadata": { "name": "logs", "namespace": "prod", "uid": "8d0f0e0c-uid", "generation": 3 },
        "spec": spec,
    }))
    .expect("a resource")
}

/// The plan of a first reconcile that may already make the StatefulSet.
pub(crate) fn first_plan(replicas: u32) -> Plan {
    let claim_size = if replicas == 5 { "100Gi" } else { "20Gi" };
    Plan {
        create_identity: false,
        create_secret: true,
        stateful_set: Some(NodeSet { replicas, cluster_uuid: uuid(), claim_size: claim_size.into() }),
        ring: None,
        volumes: volumes::Growth::default(),
        replace: None,
        progress: None,
        waits: Vec::new(),
    }
}

/// Nothing is there yet but an etcd that answers.
pub(crate) fn nothing() -> Facts {
    Facts { metadata: MetadataFacts::InTouch(ClusterFacts::default()), ..Facts::default() }
}

/// `nodes` nodes that run well in three zones; the first `holding` of them hold twelve shards, all led.
pub(crate) fn running(nodes: u32, holding: u32) -> Facts {
    let mut ring = ring(holding);
    ring.nodes = ring_nodes(nodes);
    let shards = ring.shards().map(|shard| (shard, led_by(&ring, shard))).collect();
    Facts {
        stateful_set: Some(StatefulSetFacts {
            uid: "set-uid".into(),
            resource_version: "41".into(),
            replicas: nodes,
            claim_size: "20Gi".into(),
            deleting: false,
            observed: true,
        }),
        pods: (0..nodes).map(|ordinal| (ordinal, pod(ordinal))).collect(),
        claims: (0..nodes).map(|ordinal| (ordinal, claim())).collect(),
        secret: SecretFacts::Usable,
        taken: Vec::new(),
        recorded_uuid: Some(uuid()),
        metadata: MetadataFacts::InTouch(ClusterFacts {
            uuid: Some(uuid()),
            registered: ring.nodes.values().map(|node| node.name.clone()).collect(),
            shards,
            damaged: BTreeMap::new(),
            ring: Some(ring),
        }),
    }
}

/// What etcd says, to be changed.
pub(crate) fn metadata(facts: &mut Facts) -> &mut ClusterFacts {
    match &mut facts.metadata {
        MetadataFacts::InTouch(cluster) => cluster,
        MetadataFacts::OutOfTouch { .. } => panic!("these facts are out of touch"),
    }
}

/// Something of a shard is damaged: its first target says so, and nobody leads it.
pub(crate) fn damage(facts: &mut Facts, shard: u32, sentence: &str) {
    let cluster = metadata(facts);
    let node =
        cluster.ring.as_ref().and_then(|ring| ring.target_names(ShardId(shard)).next()).expect("a target").clone();
    cluster.damaged.insert(ShardId(shard), (node, sentence.to_owned()));
    cluster.shards.get_mut(&ShardId(shard)).expect("a shard").led = false;
}

/// The same with an etcd that does not answer.
pub(crate) fn out_of_touch(facts: Facts) -> Facts {
    Facts { metadata: MetadataFacts::OutOfTouch { reason: "connection refused".into() }, ..facts }
}

/// A ring of twelve shards on `nodes` nodes.
pub(crate) fn ring(nodes: u32) -> Ring {
    let node = |ordinal| PlacementNode { index: NodeIndex(ordinal), name: name(ordinal), zone: zone(ordinal) };
    let nodes: Vec<PlacementNode> = (0..nodes).map(node).collect();
    let wanted = Wanted { nodes: &nodes, shards: 12, replication_factor: 1, rebalance: Rebalance::Never };
    place(None, &wanted).expect("a ring")
}

fn ring_nodes(nodes: u32) -> BTreeMap<NodeIndex, RingNode> {
    let node = |ordinal| RingNode { name: name(ordinal), zone: zone(ordinal), state: RingNodeState::Active };
    (0..nodes).map(|ordinal| (NodeIndex(ordinal), node(ordinal))).collect()
}

fn led_by(ring: &Ring, shard: ShardId) -> ShardFacts {
    ShardFacts { led: true, holders: ring.target_names(shard).cloned().collect(), ..ShardFacts::default() }
}

fn name(ordinal: u32) -> NodeName {
    NodeName::from(&*node_name("logs", ordinal))
}

fn zone(ordinal: u32) -> String {
    format!("zone-{}", ["a", "b", "c"][ordinal as usize % 3])
}

fn pod(ordinal: u32) -> PodFacts {
    PodFacts {
        uid: format!("pod-{ordinal}-uid"),
        resource_version: format!("10{ordinal}"),
        ready: true,
        ready_since: Some("2026-11-23T09:00:00Z".parse().expect("a time")),
        deleting: false,
        outdated: false,
        placement: Placement::Zone(zone(ordinal)),
    }
}

fn claim() -> ClaimFacts {
    ClaimFacts { cluster_uuid: Some(uuid()), requested_bytes: 20 << 30, grown: true, expandable: false }
}

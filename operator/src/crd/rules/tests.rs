//! Each rule, on both sides of what it draws, by the evaluator that kube offers; and that the node draws the same line.

use kube::CustomResourceExt;
use kube::core::cel::{Validator, WarningKind, compile_schema, estimate_rule_cost};
use serde_json::{Value, json};

use super::*;
use crate::controller::validate::validate;
use crate::crd::GrepzillaCluster;
use crate::fixtures;

fn schema() -> Value {
    let crd = serde_json::to_value(GrepzillaCluster::crd()).expect("plain data");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn resource(spec: &Value) -> Value {
    json!({
        "apiVersion": "grepzilla.io/v1alpha1", "kind": "GrepzillaCluster",
        "metadata": { "name": "logs" }, "spec": spec,
    })
}

/// What the API server would say to this resource: the sentences of the rules that do not hold.
fn refusals(object: &Value, old: Option<&Value>) -> Vec<String> {
    let validated = Validator::new().validate_with_defaults(&schema(), object, old);
    validated.err().into_iter().flat_map(|errors| errors.into_vec()).map(|error| error.message).collect()
}

fn create(spec: &Value) -> Vec<String> {
    refusals(&resource(spec), None)
}

fn update(old: &Value, new: &Value) -> Vec<String> {
    refusals(&resource(new), Some(&resource(old)))
}

#[test]
fn every_rule_compiles() {
    let compiled = compile_schema(&schema());
    assert!(!compiled.has_errors(), "{:?}", compiled.compilation_errors());
}

#[test]
fn the_shortest_resource_is_taken() {
    assert_eq!(create(&json!({})), Vec::<String>::new());
    assert_eq!(update(&json!({}), &json!({ "nodes": 5, "storage": { "size": "30Gi" } })), Vec::<String>::new());
}

/// Each line that a rule draws: the last value on the good side, the first on the bad one, the rule.
fn lines() -> Vec<(Value, Value, CelRule)> {
    let index = |field: &str, value: Value| json!({ "indexes": [{ "name": "web", field: value }] });
    let rate = |bytes: &str| json!({ "admission": { "rate": { "bytesPerSecond": bytes } } });
    let index_rate = |bytes: &str| index("rate", json!({ "bytesPerSecond": bytes }));
    let kept = |field: &str, value: &str| index("retention", json!({ field: value }));
    let (wal, ingest, storage, admission) = (within("wal"), within("ingest"), within("storage"), within("admission"));
    let in_flight =
        |bytes: &str| json!({ "admission": { "inFlightBytesMax": bytes }, "ingest": { "bodyBytesMax": "1Mi" } });
    vec![
        (storage("size", "1"), storage("size", "0"), STORAGE_SIZE),
        (wal("maxBytes", "1Mi"), wal("maxBytes", "1023Ki"), WAL_BYTES),
        (wal("maxBytes", "1Gi"), wal("maxBytes", "1025Mi"), WAL_BYTES),
        (wal("maxAge", "1s"), wal("maxAge", "999ms"), WAL_AGE),
        (wal("fsyncInterval", "1ms"), wal("fsyncInterval", "0ms"), WAL_FSYNC_INTERVAL),
        (wal("fsyncInterval", "60s"), wal("fsyncInterval", "1m1ms"), WAL_FSYNC_INTERVAL),
        (ingest("bodyBytesMax", "1Ki"), ingest("bodyBytesMax", "1023"), INGEST_BODY),
        (ingest("bodyBytesMax", "15Mi"), ingest("bodyBytesMax", "15361Ki"), INGEST_BODY),
        (ingest("documentBytesMax", "8Mi"), ingest("documentBytesMax", "8193Ki"), INGEST_DOCUMENT),
        (ingest("valueBytesMax", "1"), ingest("valueBytesMax", "0"), INGEST_VALUE),
        (ingest("valueBytesMax", "1Mi"), ingest("valueBytesMax", "1025Ki"), INGEST_VALUE),
        (ingest("queueBytesMax", "8Mi"), ingest("queueBytesMax", "8191Ki"), INGEST_QUEUE),
        (ingest("queueBytesMax", "4Gi"), ingest("queueBytesMax", "4097Mi"), INGEST_QUEUE),
        (ingest("timeout", "1ms"), ingest("timeout", "0ms"), INGEST_TIMEOUT),
        (ingest("timeout", "10m"), ingest("timeout", "10m1ms"), INGEST_TIMEOUT),
        (storage("flushBytes", "1Ki"), storage("flushBytes", "1023"), STORAGE_FLUSH_BYTES),
        (storage("flushBytes", "4Gi"), storage("flushBytes", "4097Mi"), STORAGE_FLUSH_BYTES),
        (storage("flushAge", "1s"), storage("flushAge", "999ms"), STORAGE_FLUSH_AGE),
        (storage("flushAge", "24h"), storage("flushAge", "24h1s"), STORAGE_FLUSH_AGE),
        (storage("cacheBytes", "1Mi"), storage("cacheBytes", "1023Ki"), STORAGE_CACHE),
        (storage("cacheBytes", "1Ti"), storage("cacheBytes", "1025Gi"), STORAGE_CACHE),
        (storage("mergedBytesMax", "1Mi"), storage("mergedBytesMax", "1023Ki"), STORAGE_MERGED),
        (storage("mergedBytesMax", "64Gi"), storage("mergedBytesMax", "65Gi"), STORAGE_MERGED),
        (storage("retentionAge", "1m"), storage("retentionAge", "59s"), STORAGE_RETENTION_AGE),
        (storage("retentionAge", "876000h"), storage("retentionAge", "876000h1s"), STORAGE_RETENTION_AGE),
        (storage("retentionBytes", "64Ki"), storage("retentionBytes", "65535"), STORAGE_RETENTION_BYTES),
        (storage("retentionBytes", "1Pi"), storage("retentionBytes", "1025Ti"), STORAGE_RETENTION_BYTES),
        (in_flight("4Mi"), in_flight("4095Ki"), ADMISSION_IN_FLIGHT),
        (in_flight("1Ti"), in_flight("1025Gi"), ADMISSION_IN_FLIGHT),
        (admission("hotSoftBytes", "1Mi"), admission("hotSoftBytes", "1023Ki"), ADMISSION_HOT),
        (
            json!({ "admission": { "hotSoftBytes": "5Gi", "hotHardBytes": "5Gi" } }),
            json!({ "admission": { "hotSoftBytes": "5Gi", "hotHardBytes": "4Gi" } }),
            ADMISSION_HOT,
        ),
        (
            json!({ "admission": { "diskSoftFreeBytes": "0", "diskHardFreeBytes": "0" } }),
            json!({ "admission": { "diskSoftFreeBytes": "0", "diskHardFreeBytes": "1" } }),
            ADMISSION_DISK,
        ),
        (rate("1Ki"), rate("1023"), RATE_BYTES),
        (rate("1Ti"), rate("1025Gi"), RATE_BYTES),
        (index_rate("1Ki"), index_rate("1023"), RATE_BYTES),
        (kept("maxAge", "1s"), kept("maxAge", "999ms"), RETENTION_AGE),
        (kept("maxAge", "876000h"), kept("maxAge", "876000h1s"), RETENTION_AGE),
        (kept("maxBytes", "1Mi"), kept("maxBytes", "1023Ki"), RETENTION_BYTES),
        (kept("maxBytes", "1024Pi"), kept("maxBytes", "1025Pi"), RETENTION_BYTES),
        (index("documentBytesMax", "2".into()), index("documentBytesMax", "1".into()), INDEX_DOCUMENT),
        (index("documentBytesMax", "8Mi".into()), index("documentBytesMax", "8193Ki".into()), INDEX_DOCUMENT),
        (index("valueBytesMax", "1".into()), index("valueBytesMax", "0".into()), INDEX_VALUE),
        (index("valueBytesMax", "8Mi".into()), index("valueBytesMax", "8193Ki".into()), INDEX_VALUE),
        (index("fieldBytesMax", json!({ "a": "1" })), index("fieldBytesMax", json!({ "a": "0" })), INDEX_FIELD),
        (
            index("fieldBytesMax", json!({ "a": "8Mi", "b": "8Mi" })),
            index("fieldBytesMax", json!({ "a": "8Mi", "b": "8193Ki" })),
            INDEX_FIELD,
        ),
    ]
}

fn within(section: &str) -> impl Fn(&str, &str) -> Value {
    move |field, value| json!({ section: { field: value } })
}

/// Whether the operator, and with it the node, takes this spec.
fn is_valid(spec: &Value) -> Result<(), String> {
    let resource = serde_json::from_value(resource(spec)).map_err(|error| error.to_string())?;
    validate(&resource, &fixtures::defaults()).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn the_api_server_draws_each_line_where_the_node_draws_it() {
    for (good, bad, rule) in lines() {
        assert_eq!((create(&good), is_valid(&good)), (Vec::new(), Ok(())), "{good}");
        assert_eq!(create(&bad), [rule.1], "{bad}");
        assert!(is_valid(&bad).is_err(), "{bad} is taken by the node");
    }
}

#[test]
fn a_wrong_value_is_refused_with_the_sentence_of_its_rule() {
    assert_eq!(create(&json!({ "replicationFactor": 2 })), [REPLICATION_FACTOR_IS_ONE.1]);
    assert_eq!(create(&json!({ "etcd": { "endpoints": ["etcd:2379"] } })), [ENDPOINT.1]);
    let both = create(&json!({ "nodes": 1, "replicationFactor": 3 }));
    assert_eq!(both, [REPLICATION_FACTOR_IS_ONE.1, REPLICATION_FACTOR_FITS.1]);
    let smallest = create(&json!({ "ingest": { "documentBytesMax": "1", "valueBytesMax": "1" } }));
    assert_eq!(smallest, [INGEST_DOCUMENT.1]);
}

#[test]
fn no_rule_is_estimated_beyond_the_budget() {
    let schema = compile_schema(&schema());
    let rules = [
        STORAGE_SIZE,
        STORAGE_FLUSH_BYTES,
        STORAGE_FLUSH_AGE,
        STORAGE_CACHE,
        STORAGE_MERGED,
        STORAGE_RETENTION_AGE,
        STORAGE_RETENTION_BYTES,
        ADMISSION_IN_FLIGHT,
        ADMISSION_HOT,
        ADMISSION_DISK,
        RATE_BYTES,
        INDEX_DOCUMENT,
        INDEX_VALUE,
        INDEX_FIELD,
    ];
    for (rule, _) in rules {
        let warnings = estimate_rule_cost(rule, &schema);
        let dear: Vec<_> = warnings.iter().filter(|it| it.kind == WarningKind::CostExceeded).collect();
        assert!(dear.is_empty(), "{dear:?}");
    }
}

#[test]
fn a_change_that_cannot_be_done_is_refused_with_the_sentence_of_its_rule() {
    for (old, new, rule) in [
        (json!({}), json!({ "shards": 24 }), SHARDS_IMMUTABLE),
        (json!({ "shards": 24 }), json!({}), SHARDS_IMMUTABLE),
        (json!({}), json!({ "storage": { "size": "19Gi" } }), STORAGE_NEVER_SHRINKS),
        (json!({}), json!({ "storage": { "storageClassName": "fast" } }), STORAGE_CLASS_IMMUTABLE),
        (json!({ "storage": { "storageClassName": "fast" } }), json!({}), STORAGE_CLASS_IMMUTABLE),
        (json!({}), json!({ "etcd": { "endpoints": ["http://e:2379"] } }), ETCD_IMMUTABLE),
        (json!({ "etcd": { "endpoints": ["http://e:2379"] } }), json!({}), ETCD_IMMUTABLE),
        (
            json!({ "etcd": { "endpoints": ["http://e:2379"] } }),
            json!({ "etcd": { "endpoints": ["http://f:2379"] } }),
            ETCD_IMMUTABLE,
        ),
    ] {
        assert_eq!(update(&old, &new), [rule.1], "{old} -> {new}");
    }
}

#[test]
fn a_name_must_leave_room_for_the_names_made_from_it() {
    for (name, taken) in [
        ("logs", true),
        ("a-1", true),
        (&*"x".repeat(52), true),
        (&*"x".repeat(53), false),
        ("1logs", false),
        ("logs.prod", false),
        ("logs-", false),
    ] {
        let mut object = resource(&json!({}));
        object["metadata"]["name"] = name.into();
        assert_eq!(refusals(&object, None).is_empty(), taken, "{name}");
    }
}

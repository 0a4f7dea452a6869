//! The rules that the API server checks, each with the sentence that a person reads. Attached in `spec`; run in the
//! tests below by the same evaluator that kube offers, against the definition as it is printed.
//!
//! A rule that mentions `oldSelf` is checked on updates only.

/// A CEL expression and what is said when it does not hold.
pub type CelRule = (&'static str, &'static str);

/// Names of pods, Services and revisions are made from the cluster's name.
pub const NAME: CelRule = (
    "self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "the name must be at most 52 characters of a-z, 0-9 and -, begin with a letter and end with a letter or digit, because the names of pods and Services are made from it",
);

/// Replication does not exist yet.
pub const REPLICATION_FACTOR_IS_ONE: CelRule = (
    "self.replicationFactor == 1",
    "replicationFactor must be 1: shards are not replicated yet, and a factor that is not kept would promise a safety that is not there",
);

/// No more copies than nodes.
pub const REPLICATION_FACTOR_FITS: CelRule =
    ("self.replicationFactor <= self.nodes", "replicationFactor must not be more than nodes");

/// Splitting does not exist yet.
pub const SHARDS_IMMUTABLE: CelRule = (
    "self.shards == oldSelf.shards",
    "shards cannot be changed yet: that needs shards to be split online, which is not yet supported; it is fixed when the cluster is made",
);

/// A disk cannot move to another class.
pub const STORAGE_CLASS_IMMUTABLE: CelRule = (
    "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
    "storageClassName cannot be changed: volumes cannot move to another class",
);

/// A disk cannot shrink.
pub const STORAGE_NEVER_SHRINKS: CelRule = (
    "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
    "storage.size must not shrink: volumes can only grow",
);

/// The metadata cannot move.
pub const ETCD_IMMUTABLE: CelRule = (
    "has(self.etcd) == has(oldSelf.etcd) && (!has(self.etcd) || self.etcd == oldSelf.etcd)",
    "etcd cannot be changed: the cluster's identity and its ring are kept there",
);

/// Each endpoint is a URL.
pub const ENDPOINT: CelRule =
    ("self.matches('^https?://[^/ ]+:[0-9]+$')", "an endpoint must be http://host:port or https://host:port");

/// A log file is neither tiny nor huge.
pub const WAL_BYTES: CelRule = (
    "quantity(self.maxBytes).compareTo(quantity('1Mi')) >= 0 && quantity(self.maxBytes).compareTo(quantity('1Gi')) <= 0",
    "wal.maxBytes must be from 1Mi to 1Gi",
);

/// A log file lives for at least a second.
pub const WAL_AGE: CelRule = ("duration(self.maxAge) >= duration('1s')", "wal.maxAge must be at least 1s");

/// Syncs are neither constant nor rare.
pub const WAL_FSYNC_INTERVAL: CelRule = (
    "duration(self.fsyncInterval) >= duration('1ms') && duration(self.fsyncInterval) <= duration('60s')",
    "wal.fsyncInterval must be from 1ms to 60s",
);

/// A batch is one frame of the log.
pub const INGEST_BODY: CelRule = (
    "quantity(self.bodyBytesMax).compareTo(quantity('1Ki')) >= 0 && quantity(self.bodyBytesMax).compareTo(quantity('15Mi')) <= 0",
    "ingest.bodyBytesMax must be from 1Ki to 15Mi, because a batch is one frame of the log",
);

/// A document is part of a batch.
pub const INGEST_DOCUMENT: CelRule =
    ("quantity(self.documentBytesMax).compareTo(quantity('8Mi')) <= 0", "ingest.documentBytesMax must be at most 8Mi");

/// A value is part of a document.
pub const INGEST_VALUE: CelRule = (
    "quantity(self.valueBytesMax).compareTo(quantity(self.documentBytesMax)) <= 0",
    "ingest.valueBytesMax must not be more than ingest.documentBytesMax",
);

/// A queue takes at least one body.
pub const INGEST_QUEUE: CelRule = (
    "quantity(self.queueBytesMax).compareTo(quantity(self.bodyBytesMax)) >= 0 && quantity(self.queueBytesMax).compareTo(quantity('4Gi')) <= 0",
    "ingest.queueBytesMax must be from ingest.bodyBytesMax to 4Gi",
);

/// A write does not wait for ever.
pub const INGEST_TIMEOUT: CelRule = (
    "duration(self.timeout) >= duration('1ms') && duration(self.timeout) <= duration('10m')",
    "ingest.timeout must be from 1ms to 10m",
);

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;
    use kube::core::cel::{Validator, compile_schema};
    use serde_json::{Value, json};

    use super::*;
    use crate::crd::GrepzillaCluster;

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

    #[test]
    fn a_wrong_value_is_refused_with_the_sentence_of_its_rule() {
        for (spec, rule) in [
            (json!({ "replicationFactor": 2 }), REPLICATION_FACTOR_IS_ONE),
            (json!({ "etcd": { "endpoints": ["etcd:2379"] } }), ENDPOINT),
            (json!({ "wal": { "maxBytes": "1Ki" } }), WAL_BYTES),
            (json!({ "wal": { "maxBytes": "2Gi" } }), WAL_BYTES),
            (json!({ "wal": { "maxAge": "10ms" } }), WAL_AGE),
            (json!({ "wal": { "fsyncInterval": "2m" } }), WAL_FSYNC_INTERVAL),
            (json!({ "ingest": { "bodyBytesMax": "16Mi" } }), INGEST_BODY),
            (json!({ "ingest": { "documentBytesMax": "9Mi" } }), INGEST_DOCUMENT),
            (json!({ "ingest": { "valueBytesMax": "2Mi" } }), INGEST_VALUE),
            (json!({ "ingest": { "queueBytesMax": "1Mi" } }), INGEST_QUEUE),
            (json!({ "ingest": { "timeout": "1h" } }), INGEST_TIMEOUT),
        ] {
            assert_eq!(create(&spec), [rule.1], "{spec}");
        }
        let both = create(&json!({ "nodes": 1, "replicationFactor": 3 }));
        assert_eq!(both, [REPLICATION_FACTOR_IS_ONE.1, REPLICATION_FACTOR_FITS.1]);
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
}

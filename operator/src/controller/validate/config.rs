//! What of a spec reaches the nodes, field by field: their configuration. A field that a node has and this file does not
//! name does not compile, but for those that only a node without a cluster has a use for.

use std::collections::BTreeMap;

use grepzilla_api::config::{
    AdmissionConfig, ClusterConfig, IndexConfig, IngestConfig, NodeConfig, RateConfig, RetentionConfig, StorageConfig,
    WalConfig,
};

use super::Invalid;
use crate::crd::spec::{AdmissionSpec, IndexSpec, IngestSpec, RateSpec, StorageSpec, WalSpec};
use crate::crd::{ByteQuantity, GrepzillaClusterSpec, Span};

/// The configuration of each node of a cluster.
pub(super) fn node(spec: &GrepzillaClusterSpec, cluster: ClusterConfig) -> Result<NodeConfig, Invalid> {
    let config = NodeConfig {
        cluster: Some(cluster),
        wal: wal(&spec.wal)?,
        storage: storage(&spec.storage)?,
        ingest: ingest(&spec.ingest)?,
        indexes: indexes(&spec.indexes)?,
        admission: admission(&spec.admission)?,
        ..NodeConfig::default()
    };
    config.validate()?;
    Ok(config)
}

fn wal(spec: &WalSpec) -> Result<WalConfig, Invalid> {
    Ok(WalConfig {
        fsync: spec.fsync.into(),
        fsync_interval_ms: milliseconds("wal.fsyncInterval", &spec.fsync_interval)?,
        max_bytes: bytes("wal.maxBytes", &spec.max_bytes)?,
        max_age_seconds: seconds("wal.maxAge", &spec.max_age)?,
    })
}

fn storage(spec: &StorageSpec) -> Result<StorageConfig, Invalid> {
    let retention_age = spec.retention_age.as_ref().map(|age| seconds("storage.retentionAge", age));
    let retention_bytes = spec.retention_bytes.as_ref().map(|size| bytes("storage.retentionBytes", size));
    Ok(StorageConfig {
        flush_bytes: bytes("storage.flushBytes", &spec.flush_bytes)?,
        flush_age_seconds: seconds("storage.flushAge", &spec.flush_age)?,
        cache_bytes: bytes("storage.cacheBytes", &spec.cache_bytes)?,
        merge: spec.merge,
        merged_bytes_max: bytes("storage.mergedBytesMax", &spec.merged_bytes_max)?,
        retention_age_seconds: retention_age.transpose()?,
        retention_bytes: retention_bytes.transpose()?,
    })
}

fn ingest(spec: &IngestSpec) -> Result<IngestConfig, Invalid> {
    Ok(IngestConfig {
        ack: spec.ack.into(),
        body_bytes_max: bytes("ingest.bodyBytesMax", &spec.body_bytes_max)?,
        document_bytes_max: bytes("ingest.documentBytesMax", &spec.document_bytes_max)?,
        value_bytes_max: bytes("ingest.valueBytesMax", &spec.value_bytes_max)?,
        depth_max: spec.depth_max,
        leaves_max: spec.leaves_max,
        timeout_ms: milliseconds("ingest.timeout", &spec.timeout)?,
        queue_bytes_max: bytes("ingest.queueBytesMax", &spec.queue_bytes_max)?,
    })
}

fn indexes(specs: &[IndexSpec]) -> Result<BTreeMap<String, IndexConfig>, Invalid> {
    let mut indexes = BTreeMap::new();
    for spec in specs {
        if indexes.insert(spec.name.clone(), index(spec)?).is_some() {
            return Err(Invalid::IndexTwice { name: spec.name.clone() });
        }
    }
    Ok(indexes)
}

fn index(spec: &IndexSpec) -> Result<IndexConfig, Invalid> {
    let optional =
        |field: &str, size: &Option<ByteQuantity>| size.as_ref().map(|size| bytes(&at(spec, field), size)).transpose();
    let field_bytes_max = spec.field_bytes_max.iter().map(|(field, size)| {
        let bytes_max = bytes(&at(spec, &format!("fieldBytesMax.{field}")), size)?;
        Ok((field.clone(), bytes_max))
    });
    let max_age = spec.retention.max_age.as_ref().map(|age| seconds(&at(spec, "retention.maxAge"), age));
    Ok(IndexConfig {
        required: spec.required.clone(),
        types: spec.types.iter().map(|(field, kind)| (field.clone(), (*kind).into())).collect(),
        field_bytes_max: field_bytes_max.collect::<Result<_, Invalid>>()?,
        value_bytes_max: optional("valueBytesMax", &spec.value_bytes_max)?,
        document_bytes_max: optional("documentBytesMax", &spec.document_bytes_max)?,
        depth_max: spec.depth_max,
        leaves_max: spec.leaves_max,
        on_exceeded: spec.on_exceeded.into(),
        defaults: spec.defaults.iter().map(|(field, value)| (field.clone(), value.0.clone())).collect(),
        rate: rate(&at(spec, "rate"), &spec.rate)?,
        retention: RetentionConfig {
            max_age_seconds: max_age.transpose()?,
            max_bytes: optional("retention.maxBytes", &spec.retention.max_bytes)?,
        },
    })
}

fn admission(spec: &AdmissionSpec) -> Result<AdmissionConfig, Invalid> {
    Ok(AdmissionConfig {
        rate: rate("admission.rate", &spec.rate)?,
        in_flight_bytes_max: bytes("admission.inFlightBytesMax", &spec.in_flight_bytes_max)?,
        hot_soft_bytes: bytes("admission.hotSoftBytes", &spec.hot_soft_bytes)?,
        hot_hard_bytes: bytes("admission.hotHardBytes", &spec.hot_hard_bytes)?,
        disk_soft_free_bytes: bytes("admission.diskSoftFreeBytes", &spec.disk_soft_free_bytes)?,
        disk_hard_free_bytes: bytes("admission.diskHardFreeBytes", &spec.disk_hard_free_bytes)?,
    })
}

fn rate(at: &str, spec: &RateSpec) -> Result<RateConfig, Invalid> {
    let bytes_per_second = spec.bytes_per_second.as_ref().map(|size| bytes(&format!("{at}.bytesPerSecond"), size));
    Ok(RateConfig {
        bytes_per_second: bytes_per_second.transpose()?,
        requests_per_second: spec.requests_per_second.map(u64::from),
    })
}

fn at(index: &IndexSpec, field: &str) -> String {
    format!("indexes.{}.{field}", index.name)
}

/// Reads a size.
pub(super) fn bytes(field: &str, quantity: &ByteQuantity) -> Result<u64, Invalid> {
    quantity.bytes().ok_or_else(|| Invalid::Unreadable { field: field.to_owned(), found: quantity.0.clone() })
}

fn seconds(field: &str, span: &Span) -> Result<u64, Invalid> {
    milliseconds(field, span).map(|milliseconds| milliseconds / 1_000)
}

fn milliseconds(field: &str, span: &Span) -> Result<u64, Invalid> {
    span.milliseconds().ok_or_else(|| Invalid::Unreadable { field: field.to_owned(), found: span.0.clone() })
}

#[cfg(test)]
mod tests {
    use grepzilla_model::document::{FieldType, OnExceeded};
    use serde_json::json;

    use crate::fixtures;

    /// The fixture says every field of every section otherwise than the default, so none is forgotten on the way.
    #[test]
    fn every_field_reaches_the_node() {
        let config = fixtures::full().config;
        let written = serde_json::to_value(&config).expect("plain data");
        let default = serde_json::to_value(grepzilla_api::config::NodeConfig::default()).expect("plain data");
        for section in ["wal", "storage", "ingest", "admission"] {
            for (field, value) in written[section].as_object().expect("a section") {
                assert_ne!(value, &default[section][field], "{section}.{field}");
            }
        }
        let web = &config.indexes["web"];
        assert_eq!((&web.required[..], web.on_exceeded), (&["message".to_owned()][..], OnExceeded::Trim));
        assert_eq!((web.types["status"], web.field_bytes_max["message"]), (FieldType::Integer, 8 << 10));
        assert_eq!((web.value_bytes_max, web.document_bytes_max), (Some(4 << 10), Some(256 << 10)));
        assert_eq!((web.depth_max, web.leaves_max), (Some(4), Some(100)));
        assert_eq!((&web.defaults["env"], &web.defaults["sampled"]), (&json!("prod"), &json!(false)));
        assert_eq!((web.retention.max_age_seconds, web.retention.max_bytes), (Some(172_800), Some(10 << 30)));
        assert_eq!((web.rate.bytes_per_second, web.rate.requests_per_second), (Some(1 << 20), Some(50)));
    }
}

//! The rules that the API server checks, each with the sentence that a person reads. Attached in `spec`; run in the
//! tests by the same evaluator that kube offers, against the definition as it is printed.
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

/// A disk has a size.
pub const STORAGE_SIZE: CelRule =
    ("quantity(self.size).compareTo(quantity('0')) > 0", "storage.size must be more than 0");

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
pub const INGEST_DOCUMENT: CelRule = (
    "quantity(self.documentBytesMax).compareTo(quantity('2')) >= 0 && quantity(self.documentBytesMax).compareTo(quantity('8Mi')) <= 0",
    "ingest.documentBytesMax must be from 2 to 8Mi",
);

/// A value is part of a document.
pub const INGEST_VALUE: CelRule = (
    "quantity(self.valueBytesMax).compareTo(quantity('1')) >= 0 && quantity(self.valueBytesMax).compareTo(quantity(self.documentBytesMax)) <= 0",
    "ingest.valueBytesMax must be from 1 to ingest.documentBytesMax",
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

/// The hot tier becomes a segment before memory runs out, and not for every document.
pub const STORAGE_FLUSH_BYTES: CelRule = (
    "quantity(self.flushBytes).compareTo(quantity('1Ki')) >= 0 && quantity(self.flushBytes).compareTo(quantity('4Gi')) <= 0",
    "storage.flushBytes must be from 1Ki to 4Gi",
);

/// The log that is read after a restart stays short.
pub const STORAGE_FLUSH_AGE: CelRule = (
    "duration(self.flushAge) >= duration('1s') && duration(self.flushAge) <= duration('24h')",
    "storage.flushAge must be from 1s to 24h",
);

/// The cache holds a few parts at least.
pub const STORAGE_CACHE: CelRule = (
    "quantity(self.cacheBytes).compareTo(quantity('1Mi')) >= 0 && quantity(self.cacheBytes).compareTo(quantity('1Ti')) <= 0",
    "storage.cacheBytes must be from 1Mi to 1Ti",
);

/// A merged segment is neither tiny nor a shard of its own.
pub const STORAGE_MERGED: CelRule = (
    "quantity(self.mergedBytesMax).compareTo(quantity('1Mi')) >= 0 && quantity(self.mergedBytesMax).compareTo(quantity('64Gi')) <= 0",
    "storage.mergedBytesMax must be from 1Mi to 64Gi",
);

/// Documents can be read before they go.
pub const STORAGE_RETENTION_AGE: CelRule = (
    "!has(self.retentionAge) || (duration(self.retentionAge) >= duration('60s') && duration(self.retentionAge) <= duration('876000h'))",
    "storage.retentionAge must be from 60s to 876000h",
);

/// A shard holds at least a small segment.
pub const STORAGE_RETENTION_BYTES: CelRule = (
    "!has(self.retentionBytes) || (quantity(self.retentionBytes).compareTo(quantity('64Ki')) >= 0 && quantity(self.retentionBytes).compareTo(quantity('1Pi')) <= 0)",
    "storage.retentionBytes must be from 64Ki to 1Pi",
);

/// Several requests can be under way, those of other nodes among them.
pub const ADMISSION_IN_FLIGHT: CelRule = (
    "quantity(self.admission.inFlightBytesMax).asInteger() >= 4 * quantity(self.ingest.bodyBytesMax).asInteger() && quantity(self.admission.inFlightBytesMax).compareTo(quantity('1Ti')) <= 0",
    "admission.inFlightBytesMax must be from four times ingest.bodyBytesMax to 1Ti",
);

/// The marks of the hot tier stand in order.
pub const ADMISSION_HOT: CelRule = (
    "quantity(self.hotSoftBytes).compareTo(quantity('1Mi')) >= 0 && quantity(self.hotHardBytes).compareTo(quantity(self.hotSoftBytes)) >= 0",
    "admission.hotSoftBytes must be at least 1Mi, and admission.hotHardBytes not less than that",
);

/// The marks of the disk stand in order.
pub const ADMISSION_DISK: CelRule = (
    "quantity(self.diskHardFreeBytes).compareTo(quantity(self.diskSoftFreeBytes)) <= 0",
    "admission.diskHardFreeBytes must not be more than admission.diskSoftFreeBytes",
);

/// A rate lets small requests through.
pub const RATE_BYTES: CelRule = (
    "!has(self.bytesPerSecond) || (quantity(self.bytesPerSecond).compareTo(quantity('1Ki')) >= 0 && quantity(self.bytesPerSecond).compareTo(quantity('1Ti')) <= 0)",
    "rate.bytesPerSecond must be from 1Ki to 1Ti",
);

/// A document of an index is part of a batch.
pub const INDEX_DOCUMENT: CelRule = (
    "!has(self.documentBytesMax) || (quantity(self.documentBytesMax).compareTo(quantity('2')) >= 0 && quantity(self.documentBytesMax).compareTo(quantity('8Mi')) <= 0)",
    "documentBytesMax of an index must be from 2 to 8Mi",
);

/// A value of an index is part of a document.
pub const INDEX_VALUE: CelRule = (
    "!has(self.valueBytesMax) || (quantity(self.valueBytesMax).compareTo(quantity('1')) >= 0 && quantity(self.valueBytesMax).compareTo(quantity('8Mi')) <= 0)",
    "valueBytesMax of an index must be from 1 to 8Mi",
);

/// So is a value of one of its fields.
pub const INDEX_FIELD: CelRule = (
    "!has(self.fieldBytesMax) || self.fieldBytesMax.all(field, quantity(self.fieldBytesMax[field]).compareTo(quantity('1')) >= 0 && quantity(self.fieldBytesMax[field]).compareTo(quantity('8Mi')) <= 0)",
    "fieldBytesMax of an index must be from 1 to 8Mi for each field",
);

/// Documents of an index are seen before they go.
pub const RETENTION_AGE: CelRule = (
    "!has(self.maxAge) || (duration(self.maxAge) >= duration('1s') && duration(self.maxAge) <= duration('876000h'))",
    "retention.maxAge of an index must be from 1s to 876000h",
);

/// An index keeps at least a few blocks.
pub const RETENTION_BYTES: CelRule = (
    "!has(self.maxBytes) || (quantity(self.maxBytes).compareTo(quantity('1Mi')) >= 0 && quantity(self.maxBytes).compareTo(quantity('1024Pi')) <= 0)",
    "retention.maxBytes of an index must be from 1Mi to 1024Pi",
);

#[cfg(test)]
mod tests;

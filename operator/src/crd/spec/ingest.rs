//! Limits of ingest.

use grepzilla_api::config::IngestConfig;
use grepzilla_api::ingest;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::quantity::{ByteQuantity, Span};
use crate::crd::rules;

/// Limits of ingest.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = rules::INGEST_BODY,
    validation = rules::INGEST_DOCUMENT,
    validation = rules::INGEST_VALUE,
    validation = rules::INGEST_QUEUE,
    validation = rules::INGEST_TIMEOUT
)]
#[serde(rename_all = "camelCase", default = "IngestSpec::default")]
pub struct IngestSpec {
    /// What an answer waits for where the request does not say: `leader`, `quorum` or `all`.
    pub ack: Ack,
    /// The largest body of a request, decompressed.
    pub body_bytes_max: ByteQuantity,
    /// The largest document.
    pub document_bytes_max: ByteQuantity,
    /// The largest value of a field.
    pub value_bytes_max: ByteQuantity,
    /// The deepest nesting of a document.
    #[schemars(range(min = 1, max = 128))]
    pub depth_max: u32,
    /// The most values in a document.
    #[schemars(range(min = 1, max = 65535))]
    pub leaves_max: u32,
    /// How long a write waits for its acknowledgement where the request does not say.
    pub timeout: Span,
    /// The most bytes that wait for one shard's log; more is answered with 503.
    pub queue_bytes_max: ByteQuantity,
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ack {
    /// Durable on the shard's leader.
    Leader,
    /// Committed.
    #[default]
    Quorum,
    /// Committed and durable on every in-sync replica.
    All,
}

impl Default for IngestSpec {
    fn default() -> IngestSpec {
        let node = IngestConfig::default();
        IngestSpec {
            ack: Ack::default(),
            body_bytes_max: ByteQuantity::from_bytes(node.body_bytes_max),
            document_bytes_max: ByteQuantity::from_bytes(node.document_bytes_max),
            value_bytes_max: ByteQuantity::from_bytes(node.value_bytes_max),
            depth_max: node.depth_max,
            leaves_max: node.leaves_max,
            timeout: Span::from_milliseconds(node.timeout_ms),
            queue_bytes_max: ByteQuantity::from_bytes(node.queue_bytes_max),
        }
    }
}

impl From<Ack> for ingest::Ack {
    fn from(ack: Ack) -> ingest::Ack {
        match ack {
            Ack::Leader => ingest::Ack::Leader,
            Ack::Quorum => ingest::Ack::Quorum,
            Ack::All => ingest::Ack::All,
        }
    }
}

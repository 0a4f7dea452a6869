//! How much each node takes in at once, and from when on it says no.

use grepzilla_api::config::AdmissionConfig;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::crd::quantity::ByteQuantity;
use crate::crd::rules;

/// How much each node takes in at once. Beyond a soft mark clients get 429, beyond a hard one nothing is written: 503, or
/// 507 where the disk is full.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::ADMISSION_HOT, validation = rules::ADMISSION_DISK)]
#[serde(rename_all = "camelCase", default = "AdmissionSpec::default")]
pub struct AdmissionSpec {
    /// What clients may send to each node, steadily; any amount if absent.
    pub rate: RateSpec,
    /// Bytes of the bodies of all requests of a node at once, decompressed: at least four times `ingest.bodyBytesMax`, at
    /// most 1Ti. More get 503.
    pub in_flight_bytes_max: ByteQuantity,
    /// Memory of the hot tiers of the shards led by a node, soft mark: at least 1Mi.
    pub hot_soft_bytes: ByteQuantity,
    /// The hard mark: not below the soft one.
    pub hot_hard_bytes: ByteQuantity,
    /// What must be free of a node's volume, soft mark; 0: none.
    pub disk_soft_free_bytes: ByteQuantity,
    /// The hard mark: not above the soft one; 0: none.
    pub disk_hard_free_bytes: ByteQuantity,
}

/// How much may come, steadily. A pause is made up for by at most one second's worth at once.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = rules::RATE_BYTES)]
#[serde(rename_all = "camelCase", default = "RateSpec::default")]
pub struct RateSpec {
    /// Bytes of bodies, decompressed, in a second: 1Ki to 1Ti; any amount if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<ByteQuantity>,
    /// Requests in a second; any number if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_second: Option<u32>,
}

impl Default for AdmissionSpec {
    fn default() -> AdmissionSpec {
        let node = AdmissionConfig::default();
        AdmissionSpec {
            rate: RateSpec::default(),
            in_flight_bytes_max: ByteQuantity::from_bytes(node.in_flight_bytes_max),
            hot_soft_bytes: ByteQuantity::from_bytes(node.hot_soft_bytes),
            hot_hard_bytes: ByteQuantity::from_bytes(node.hot_hard_bytes),
            disk_soft_free_bytes: ByteQuantity::from_bytes(node.disk_soft_free_bytes),
            disk_hard_free_bytes: ByteQuantity::from_bytes(node.disk_hard_free_bytes),
        }
    }
}

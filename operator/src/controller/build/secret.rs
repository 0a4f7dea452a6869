//! The cluster secret: made once from chance, never changed, gone with the cluster. A cluster that is made again over
//! old volumes gets a new one: it only guards the peer port, and all pods of the new cluster start with it.

use std::collections::BTreeMap;

use grepzilla_api::contract::{SECRET_BYTES, SECRET_KEY};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::{ChildKind, metadata};
use crate::controller::validate::Cluster;

/// Builds it around bytes that the caller drew.
pub fn build(cluster: &Cluster, bytes: [u8; SECRET_BYTES]) -> Secret {
    Secret {
        metadata: metadata(cluster, ChildKind::ClusterSecret),
        data: Some(BTreeMap::from([(SECRET_KEY.into(), ByteString(bytes.to_vec()))])),
        immutable: Some(true),
        type_: Some("Opaque".into()),
        ..Secret::default()
    }
}

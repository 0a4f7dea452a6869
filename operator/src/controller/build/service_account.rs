//! The identity of the pods. It may do nothing, and no token of it is mounted: nodes do not know Kubernetes.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::{ChildKind, metadata};
use crate::controller::validate::Cluster;

/// Builds it.
pub fn build(cluster: &Cluster) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(cluster, ChildKind::ServiceAccount),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

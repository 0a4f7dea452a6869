//! `cluster`: whose cluster it is. Written by the operator, once; a node whose disk names another one refuses to start.

use grepzilla_model::ClusterUuid;
use serde::{Deserialize, Serialize};

use super::Value;

/// The identity of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterIdentity {
    /// Drawn when the cluster was made.
    pub uuid: ClusterUuid,
}

impl Value for ClusterIdentity {
    const KIND: &'static str = "cluster identity";
}

#[cfg(test)]
mod tests {
    use super::super::value::testing::assert_round_trip;
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let uuid = "018f3c5e-7a3b-7c7d-8e1f-0123456789ab".parse().unwrap();
        let identity = ClusterIdentity { uuid: ClusterUuid(uuid) };
        assert_round_trip(&identity, r#"{"v":1,"value":{"uuid":"018f3c5e-7a3b-7c7d-8e1f-0123456789ab"}}"#);
    }
}

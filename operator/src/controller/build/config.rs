//! The ConfigMap with the nodes' configuration. A change of it changes the pod template, so pods are replaced.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::{ChildKind, metadata};
use crate::controller::validate::Cluster;

/// The key, which is the file's name in the mounted folder.
pub const KEY: &str = "config.yaml";

/// Builds it.
pub fn build(cluster: &Cluster) -> ConfigMap {
    let text = serde_saphyr::to_string(&cluster.config).expect("a configuration is plain data");
    ConfigMap {
        metadata: metadata(cluster, ChildKind::Config),
        data: Some(BTreeMap::from([(KEY.into(), text)])),
        ..ConfigMap::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use grepzilla_api::config::NodeConfig;
    use grepzilla_api::contract;

    use super::*;
    use crate::fixtures;

    #[test]
    fn the_node_reads_back_what_was_written() {
        for cluster in [fixtures::minimal(), fixtures::full()] {
            let data = build(&cluster).data.expect("it has data");
            assert_eq!(NodeConfig::parse(&data[KEY]).expect("valid"), cluster.config);
        }
    }

    #[test]
    fn the_key_is_the_file_that_the_node_opens() {
        assert_eq!(Path::new(contract::CONFIG_PATH).file_name().and_then(|name| name.to_str()), Some(KEY));
    }
}

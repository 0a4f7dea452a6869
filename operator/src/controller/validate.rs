//! Step 2, pure: from the resource as it is written to typed values. What the API server's rules should have refused is
//! refused here again, because a definition can be older than the operator.

mod config;

use grepzilla_api::config::{ClusterConfig, ConfigError, NodeConfig};
use grepzilla_api::contract;
use kube::ResourceExt;

use crate::crd::spec::{PodSpec, ServiceSpec};
use crate::crd::{ByteQuantity, GrepzillaCluster};

/// What a resource that does not say so gets.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// The image of the nodes.
    pub node_image: String,
    /// The endpoints of etcd; empty if every resource has to name its own.
    pub etcd_endpoints: Vec<String>,
}

/// A cluster that can be planned and built.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The resource's UID: another one is another cluster, even of the same name.
    pub uid: String,
    /// How many nodes it shall have.
    pub nodes: u32,
    /// How many shards it has.
    pub shards: u32,
    /// Replicas per shard.
    pub replication_factor: u32,
    /// The size of each volume, as it is written.
    pub storage_size: ByteQuantity,
    /// The storage class, if one is named.
    pub storage_class_name: Option<String>,
    /// What each node reads.
    pub config: NodeConfig,
    /// The image of the nodes.
    pub image: String,
    /// What the pods get beyond what a node needs.
    pub pod: PodSpec,
    /// The Service for clients.
    pub service: ServiceSpec,
    /// Whether nothing shall be changed.
    pub paused: bool,
}

/// A resource that cannot be carried out as it is.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// A size or a span cannot be read.
    #[error("{field} is {found:?}, which is neither a size nor a span of time")]
    Unreadable {
        /// The field.
        field: String,
        /// What stands there.
        found: String,
    },
    /// More replicas than are kept.
    #[error("replicationFactor is {found}, but shards are not replicated yet")]
    ReplicationFactor {
        /// What stands there.
        found: u32,
    },
    /// A cluster without nodes or shards.
    #[error("nodes and shards must be at least 1")]
    Empty,
    /// A volume without room.
    #[error("storage.size must be more than 0")]
    NoStorage,
    /// Two entries for one index.
    #[error("indexes has two entries of the name {name:?}")]
    IndexTwice {
        /// The name.
        name: String,
    },
    /// No etcd is known.
    #[error("spec.etcd is not set, and the operator was started without a default for it")]
    NoEtcd,
    /// The endpoints of etcd are none.
    #[error("etcd cannot be used: {source}")]
    Etcd {
        /// Why.
        source: grepzilla_cluster::store::StoreError,
    },
    /// A figure is outside its bounds.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Checks a resource. The error is terminal: it stands until the resource changes.
pub fn validate(resource: &GrepzillaCluster, defaults: &Defaults) -> Result<Cluster, Invalid> {
    let spec = &resource.spec;
    let (name, namespace) = (resource.name_any(), resource.namespace().unwrap_or_default());
    if spec.replication_factor != 1 {
        return Err(Invalid::ReplicationFactor { found: spec.replication_factor });
    }
    if spec.nodes == 0 || spec.shards == 0 {
        return Err(Invalid::Empty);
    }
    if config::bytes("storage.size", &spec.storage.size)? == 0 {
        return Err(Invalid::NoStorage);
    }
    let config = config::node(spec, cluster_config(resource, contract::etcd_root(&namespace, &name), defaults)?)?;
    Ok(Cluster {
        name,
        namespace,
        uid: resource.uid().unwrap_or_default(),
        nodes: spec.nodes,
        shards: spec.shards,
        replication_factor: spec.replication_factor,
        storage_size: spec.storage.size.clone(),
        storage_class_name: spec.storage.storage_class_name.clone(),
        config,
        image: spec.image.clone().unwrap_or_else(|| defaults.node_image.clone()),
        pod: spec.pod.clone(),
        service: spec.service.clone(),
        paused: spec.paused,
    })
}

impl Cluster {
    /// The size of each volume in bytes.
    pub fn storage_bytes(&self) -> u64 {
        self.storage_size.bytes().expect("validate has read it")
    }

    /// Where its metadata are.
    pub fn metadata(&self) -> &ClusterConfig {
        self.config.cluster.as_ref().expect("validate has set it")
    }
}

fn cluster_config(resource: &GrepzillaCluster, root: String, defaults: &Defaults) -> Result<ClusterConfig, Invalid> {
    let named = resource.spec.etcd.as_ref().map(|etcd| etcd.endpoints.iter().map(|one| one.0.clone()).collect());
    let etcd: Vec<String> = named.unwrap_or_else(|| defaults.etcd_endpoints.clone());
    if etcd.is_empty() {
        return Err(Invalid::NoEtcd);
    }
    Ok(ClusterConfig { root, etcd, secret_file: contract::SECRET_PATH.into(), lease_ttl_seconds: 3 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    #[test]
    fn a_resource_without_a_word_gets_the_nodes_own_defaults() {
        let config = fixtures::minimal().config;
        let expected = NodeConfig { cluster: config.cluster.clone(), ..NodeConfig::default() };
        assert_eq!(config, expected, "the defaults of the resource and of the node must not drift apart");
    }

    #[test]
    fn an_endpoint_of_the_resource_goes_before_the_operators_own() {
        assert_eq!(fixtures::minimal().metadata().etcd, ["http://etcd:2379"]);
        assert_eq!(fixtures::full().metadata().etcd, ["https://a.example:2379", "https://b.example:2379"]);
    }

    #[test]
    fn what_the_api_server_should_have_refused_is_refused_with_a_sentence() {
        let broken = |change: &dyn Fn(&mut GrepzillaCluster)| {
            let mut resource = fixtures::minimal_resource();
            change(&mut resource);
            validate(&resource, &fixtures::defaults()).expect_err("it is invalid").to_string()
        };
        assert!(broken(&|it| it.spec.replication_factor = 3).contains("not replicated yet"));
        assert!(broken(&|it| it.spec.nodes = 0).contains("at least 1"));
        assert!(broken(&|it| it.spec.storage.size = "huge".into()).contains("storage.size is \"huge\""));
        assert!(broken(&|it| it.spec.wal.max_bytes = "2Gi".into()).contains("wal.max_bytes is 2147483648"));
        assert!(broken(&|it| it.spec.ingest.timeout = "soon".into()).contains("ingest.timeout"));
        let indexes = |it: &mut GrepzillaCluster, entries| {
            it.spec.indexes = serde_json::from_value(entries).expect("entries");
        };
        let said = broken(&|it| indexes(it, json!([{ "name": "web" }, { "name": "web" }])));
        assert!(said.contains("two entries of the name \"web\""), "{said}");
        let said = broken(&|it| indexes(it, json!([{ "name": "web", "defaults": { "a": null } }])));
        assert!(said.contains("the default of `a`"), "{said}");
        let said = broken(&|it| indexes(it, json!([{ "name": "web", "required": ["a\\b"] }])));
        assert!(said.contains("is no path"), "{said}");
        let homeless = validate(&fixtures::minimal_resource(), &Defaults::default()).expect_err("it is invalid");
        assert!(homeless.to_string().contains("spec.etcd is not set"));
    }
}

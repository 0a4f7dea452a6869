//! What the operator and the node agree on, in one place: ports, paths, environment, routes.

/// Port of the HTTP API.
pub const HTTP_PORT: u16 = 7300;
/// Port on which nodes speak to each other.
pub const PEER_PORT: u16 = 7301;
/// Where the operator mounts the node's configuration.
pub const CONFIG_PATH: &str = "/etc/grepzilla/config.yaml";
/// Where the operator mounts the volume.
pub const DATA_PATH: &str = "/var/lib/grepzilla";
/// Where the operator mounts the cluster secret: [`SECRET_BYTES`] bytes, nothing else.
pub const SECRET_PATH: &str = "/etc/grepzilla-secret/cluster-secret";
/// Key of the cluster secret in its Secret object.
pub const SECRET_KEY: &str = "cluster-secret";
/// Length of the cluster secret.
pub const SECRET_BYTES: usize = 32;

/// Environment: the node's name, which is its pod's name.
pub const ENV_NODE_NAME: &str = "GREPZILLA_NODE_NAME";
/// Environment: the address other nodes reach this one at, without a port: its pod's IP.
pub const ENV_ADVERTISE: &str = "GREPZILLA_ADVERTISE";

/// Liveness: depends on no peer and not on etcd.
pub const HEALTHZ: &str = "/healthz";
/// Readiness: whether this node can serve as a root. Never depends on the health of shards.
pub const READYZ: &str = "/readyz";
/// Prometheus.
pub const METRICS: &str = "/metrics";

/// Seconds a node goes on answering after SIGTERM made it unready, so that no Service still points at it.
pub const DRAIN_SECONDS: u64 = 10;
/// Seconds Kubernetes waits before it kills.
pub const TERMINATION_GRACE_SECONDS: i64 = 120;

/// The root of a cluster's keys in etcd.
pub fn etcd_root(namespace: &str, cluster: &str) -> String {
    format!("/{namespace}/{cluster}/gz/v1")
}

/// The name of the node with an ordinal, as the StatefulSet gives it.
pub fn node_name(cluster: &str, ordinal: u32) -> String {
    format!("{cluster}-{ordinal}")
}

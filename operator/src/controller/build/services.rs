//! The two Services: a headless one that gives the pods names, and the one that clients use.

use grepzilla_api::contract::{HTTP_PORT, PEER_PORT};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{ChildKind, metadata, selector_labels};
use crate::controller::validate::Cluster;
use crate::crd::spec::ServiceKind;

/// The name of the HTTP port in pods and Services.
pub const HTTP: &str = "http";
/// The name of the peer port in pods and Services.
pub const PEER: &str = "peer";

/// The headless Service. It publishes addresses that are not ready, because a node becomes ready only after it has
/// spoken to others.
pub fn headless(cluster: &Cluster) -> Service {
    Service {
        metadata: metadata(cluster, ChildKind::HeadlessService),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".into()),
            publish_not_ready_addresses: Some(true),
            ..spec(cluster, ServiceKind::ClusterIP, vec![port(HTTP, HTTP_PORT), port(PEER, PEER_PORT)])
        }),
        ..Service::default()
    }
}

/// The Service for clients: every ready node is a root.
pub fn client(cluster: &Cluster) -> Service {
    let mut metadata = metadata(cluster, ChildKind::ClientService);
    if !cluster.service.annotations.is_empty() {
        metadata.annotations = Some(cluster.service.annotations.clone());
    }
    Service {
        metadata,
        spec: Some(spec(cluster, cluster.service.kind, vec![port(HTTP, HTTP_PORT)])),
        ..Service::default()
    }
}

fn spec(cluster: &Cluster, kind: ServiceKind, ports: Vec<ServicePort>) -> ServiceSpec {
    let external = kind != ServiceKind::ClusterIP;
    ServiceSpec {
        type_: Some(kind.as_str().into()),
        ports: Some(ports),
        selector: Some(selector_labels(&cluster.name)),
        session_affinity: Some("None".into()),
        internal_traffic_policy: Some("Cluster".into()),
        external_traffic_policy: external.then(|| "Cluster".into()),
        allocate_load_balancer_node_ports: (kind == ServiceKind::LoadBalancer).then_some(true),
        ..ServiceSpec::default()
    }
}

fn port(name: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.into()),
        port: i32::from(number),
        target_port: Some(IntOrString::String(name.into())),
        protocol: Some("TCP".into()),
        ..ServicePort::default()
    }
}

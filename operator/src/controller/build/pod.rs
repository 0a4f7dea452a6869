//! The pod template: one container that may write nothing but its volume, and knows nothing but its file, its name and
//! its address.

use std::collections::BTreeMap;
use std::path::Path;

use grepzilla_api::contract;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    LocalObjectReference, ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, SeccompProfile,
    SecretVolumeSource, SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::services::{HTTP, PEER};
use super::stateful_set::DATA_VOLUME;
use super::{ChildKind, labels, selector};
use crate::controller::validate::Cluster;

/// The annotation by which a new configuration makes a new revision of the pods.
pub const CONFIG_HASH_ANNOTATION: &str = "grepzilla.io/config-hash";
/// The user and group of the node's process.
const NODE_USER: i64 = 65_532;
const CONFIG_VOLUME: &str = "config";
const SECRET_VOLUME: &str = "cluster-secret";

/// Builds it.
pub fn template(cluster: &Cluster, config_hash: &str) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels(cluster)),
            annotations: Some(BTreeMap::from([(CONFIG_HASH_ANNOTATION.into(), config_hash.to_owned())])),
            ..ObjectMeta::default()
        }),
        spec: Some(spec(cluster)),
    }
}

fn spec(cluster: &Cluster) -> PodSpec {
    let pod = &cluster.pod;
    let secrets = pod.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() });
    PodSpec {
        containers: vec![container(cluster)],
        volumes: Some(volumes(cluster)),
        service_account_name: Some(ChildKind::ServiceAccount.name(&cluster.name)),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(contract::TERMINATION_GRACE_SECONDS),
        restart_policy: Some("Always".into()),
        dns_policy: Some("ClusterFirst".into()),
        scheduler_name: Some("default-scheduler".into()),
        security_context: Some(pod_security()),
        affinity: pod.affinity.clone(),
        node_selector: (!pod.node_selector.is_empty()).then(|| pod.node_selector.clone()),
        tolerations: (!pod.tolerations.is_empty()).then(|| pod.tolerations.clone()),
        topology_spread_constraints: Some(spread(cluster)),
        image_pull_secrets: (!pod.image_pull_secrets.is_empty()).then(|| secrets.collect()),
        ..PodSpec::default()
    }
}

fn container(cluster: &Cluster) -> Container {
    Container {
        name: "grepzilla".into(),
        image: Some(cluster.image.clone()),
        image_pull_policy: Some("IfNotPresent".into()),
        args: Some(vec!["serve".into(), "--config".into(), contract::CONFIG_PATH.into()]),
        env: Some(vec![
            field(contract::ENV_NODE_NAME, "metadata.name"),
            field(contract::ENV_ADVERTISE, "status.podIP"),
        ]),
        ports: Some(vec![port(HTTP, contract::HTTP_PORT), port(PEER, contract::PEER_PORT)]),
        resources: cluster.pod.resources.clone(),
        // A long log is replayed before the node serves, so it may take its time to come up: ten minutes.
        startup_probe: Some(probe(contract::HEALTHZ, 1, 600)),
        liveness_probe: Some(probe(contract::HEALTHZ, 10, 6)),
        readiness_probe: Some(probe(contract::READYZ, 2, 2)),
        security_context: Some(container_security()),
        termination_message_path: Some("/dev/termination-log".into()),
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        volume_mounts: Some(vec![
            mount(DATA_VOLUME, Path::new(contract::DATA_PATH), false),
            mount(CONFIG_VOLUME, folder_of(contract::CONFIG_PATH), true),
            mount(SECRET_VOLUME, folder_of(contract::SECRET_PATH), true),
        ]),
        ..Container::default()
    }
}

fn volumes(cluster: &Cluster) -> Vec<Volume> {
    vec![
        Volume {
            name: CONFIG_VOLUME.into(),
            config_map: Some(ConfigMapVolumeSource {
                name: ChildKind::Config.name(&cluster.name),
                default_mode: Some(0o444),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: SECRET_VOLUME.into(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(ChildKind::ClusterSecret.name(&cluster.name)),
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        },
    ]
}

/// Evenly over zones, then over hosts, as far as that is possible: a cluster of one host shall start too. A constraint of
/// the resource that selects nothing means the cluster's own pods.
fn spread(cluster: &Cluster) -> Vec<TopologySpreadConstraint> {
    let over = |key: &str| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        ..TopologySpreadConstraint::default()
    };
    let default = || vec![over("topology.kubernetes.io/zone"), over("kubernetes.io/hostname")];
    let mut constraints = cluster.pod.topology_spread_constraints.clone().unwrap_or_else(default);
    for constraint in &mut constraints {
        constraint.label_selector.get_or_insert_with(|| selector(cluster));
    }
    constraints
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(NODE_USER),
        run_as_group: Some(NODE_USER),
        fs_group: Some(NODE_USER),
        // Volumes with many files are not walked again at each start.
        fs_group_change_policy: Some("OnRootMismatch".into()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), add: None }),
        ..SecurityContext::default()
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::String(HTTP.into()),
            scheme: Some("HTTP".into()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failure_threshold),
        success_threshold: Some(1),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn field(name: &str, path: &str) -> EnvVar {
    let reference = ObjectFieldSelector { api_version: Some("v1".into()), field_path: path.into() };
    EnvVar {
        name: name.into(),
        value_from: Some(EnvVarSource { field_ref: Some(reference), ..EnvVarSource::default() }),
        ..EnvVar::default()
    }
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.into()),
        container_port: i32::from(number),
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}

fn mount(name: &str, path: &Path, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.display().to_string(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

fn folder_of(path: &'static str) -> &'static Path {
    Path::new(path).parent().expect("the contract's files lie in folders")
}

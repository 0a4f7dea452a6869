//! Step 5: the only writer. Server-side apply with a manager of our own; nothing is written that is already so.
//!
//! What Kubernetes refuses for good becomes a wait that the status shows; everything else that fails is returned and
//! tried again. Deletions name the object exactly as it was seen.

mod drift;

use grepzilla_model::ClusterUuid;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::Client;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use rand::Rng;
use serde_json::json;

use super::build::{self, Child, HASH_ANNOTATION, MANAGER};
use super::facts::StatefulSetFacts;
use super::observe::Observed;
use super::plan::rollout::Replacement;
use super::plan::volumes::claim_name;
use super::plan::{Plan, Wait};
use super::validate::Cluster;
use crate::crd::status::Gate;
use crate::metadata::{Metadata, MetadataError};

/// What applying did.
#[derive(Debug, Default)]
pub struct Applied {
    /// Whether anything was written, so that facts have changed since they were read.
    pub wrote: bool,
    /// What Kubernetes refuses.
    pub refused: Vec<Wait>,
}

/// Why applying stopped half-way. All of it is safe to do again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server did not do it.
    #[error("the API server did not {what}")]
    Kubernetes {
        /// What was asked.
        what: String,
        /// What it says.
        source: kube::Error,
    },
    /// etcd did not do it.
    #[error("the metadata could not be written")]
    Metadata(#[from] MetadataError),
}

/// Does what the plan says.
pub async fn apply(
    client: &Client,
    metadata: &Metadata,
    cluster: &Cluster,
    plan: &Plan,
    children: &[Child],
    observed: &Observed,
) -> Result<Applied, ApplyError> {
    let mut applied = Applied::default();
    if plan.create_identity {
        let uuid: ClusterUuid = metadata.create_identity().await?;
        tracing::info!(%uuid, "the cluster has its identity");
        applied.wrote = true;
    }
    if plan.create_secret {
        create_secret(client, cluster).await?;
        applied.wrote = true;
    }
    for child in children {
        apply_child(client, cluster, child, observed, &mut applied).await?;
    }
    for ordinal in &plan.volumes.claims {
        grow_claim(client, cluster, *ordinal, &mut applied).await?;
    }
    if let (true, Some(set)) = (plan.volumes.recreate, &observed.facts.stateful_set) {
        orphan_stateful_set(client, cluster, set).await?;
        applied.wrote = true;
    }
    if let Some(ring) = &plan.ring {
        metadata.write_ring(ring.clone()).await?;
        tracing::info!(version = ring.version, nodes = ring.nodes.len(), "the ring is written");
        applied.wrote = true;
    }
    if let Some(replacement) = &plan.replace {
        replace_pod(client, cluster, replacement).await?;
        applied.wrote = true;
    }
    Ok(applied)
}

async fn apply_child(
    client: &Client,
    cluster: &Cluster,
    child: &Child,
    observed: &Observed,
    applied: &mut Applied,
) -> Result<(), ApplyError> {
    let object = format!("{}/{}", child.kind.api_resource().kind, child.name);
    if observed.facts.taken.iter().any(|(kind, ..)| *kind == child.kind) || is_current(child, observed) {
        return Ok(());
    }
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &cluster.namespace, &child.kind.api_resource());
    let written = api.patch(&child.name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&child.manifest)).await;
    match written {
        Ok(_) => {
            tracing::info!(object, hash = child.hash, "applied");
            applied.wrote = true;
            Ok(())
        }
        Err(error) => refused_or_failed(error, object, &format!("apply {}", child.name), applied),
    }
}

/// Whether the live object is what would be applied: same hash, and no field of ours changed by others.
fn is_current(child: &Child, observed: &Observed) -> bool {
    observed.live.get(&child.kind).is_some_and(|live| {
        live.annotations().get(HASH_ANNOTATION) == Some(&child.hash)
            && serde_json::to_value(live).is_ok_and(|live| drift::holds(&child.manifest, &live))
    })
}

/// Some other operator may have made it in between: then it is theirs that counts.
async fn create_secret(client: &Client, cluster: &Cluster) -> Result<(), ApplyError> {
    let mut bytes = [0; grepzilla_api::contract::SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let api: Api<Secret> = Api::namespaced(client.clone(), &cluster.namespace);
    let parameters = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    match api.create(&parameters, &build::secret::build(cluster, bytes)).await {
        Ok(_) => {
            tracing::info!("the cluster secret is made");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(source) => Err(ApplyError::Kubernetes { what: "make the cluster secret".into(), source }),
    }
}

async fn grow_claim(client: &Client, cluster: &Cluster, ordinal: u32, applied: &mut Applied) -> Result<(), ApplyError> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &cluster.namespace);
    let name = claim_name(&cluster.name, ordinal);
    let patch = json!({"spec": {"resources": {"requests": {"storage": cluster.storage_size.0}}}});
    let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    match api.patch(&name, &parameters, &Patch::Merge(patch)).await {
        Ok(_) => {
            tracing::info!(claim = name, size = cluster.storage_size.0, "the volume is to grow");
            applied.wrote = true;
            Ok(())
        }
        Err(error) => {
            refused_or_failed(error, format!("PersistentVolumeClaim/{name}"), &format!("grow {name}"), applied)
        }
    }
}

/// Its pods stay; the next reconcile makes it again with the new template of volumes, and it adopts them.
async fn orphan_stateful_set(client: &Client, cluster: &Cluster, set: &StatefulSetFacts) -> Result<(), ApplyError> {
    let api: Api<StatefulSet> = Api::namespaced(client.clone(), &cluster.namespace);
    let parameters = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..exactly(&set.uid, &set.resource_version)
    };
    tracing::info!("the StatefulSet is made again, without touching its pods, for larger volumes");
    let name = build::ChildKind::StatefulSet.name(&cluster.name);
    deleted(api.delete(&name, &parameters).await.map(drop), "delete the StatefulSet without its pods")
}

async fn replace_pod(client: &Client, cluster: &Cluster, pod: &Replacement) -> Result<(), ApplyError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &cluster.namespace);
    let name = grepzilla_api::contract::node_name(&cluster.name, pod.ordinal);
    tracing::info!(pod = name, "replaced, because it was made from an older template");
    let answer = api.delete(&name, &exactly(&pod.uid, &pod.resource_version)).await;
    deleted(answer.map(drop), &format!("delete pod {name}"))
}

fn exactly(uid: &str, resource_version: &str) -> DeleteParams {
    let preconditions =
        Preconditions { uid: Some(uid.to_owned()), resource_version: Some(resource_version.to_owned()) };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

/// What has changed since it was seen, or is gone, is looked at again instead.
fn deleted(answer: kube::Result<()>, what: &str) -> Result<(), ApplyError> {
    match answer {
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
        answer => answer.map_err(|source| ApplyError::Kubernetes { what: what.into(), source }),
    }
}

/// A refusal stands until something else changes; anything else may pass.
fn refused_or_failed(error: kube::Error, object: String, what: &str, applied: &mut Applied) -> Result<(), ApplyError> {
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => {
            tracing::warn!(object, reason = status.message, "refused by Kubernetes");
            applied.refused.push(Wait {
                gate: Gate::ApplyRefused,
                object,
                since: None,
                message: format!("Kubernetes refuses to {what}: {}", status.message),
                action: "correct what the message names, in the spec or in the Kubernetes cluster's policies".into(),
            });
            Ok(())
        }
        source => Err(ApplyError::Kubernetes { what: what.into(), source }),
    }
}

//! What makes the reconciler look: the resource, its objects, its pods, and its metadata. What triggered it is forgotten
//! at once.

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::Api;
use kube::{Client, ResourceExt};
use kube_runtime::controller::{self, Controller};
use kube_runtime::reflector::ObjectRef;
use kube_runtime::watcher;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::build::{INSTANCE_LABEL, MANAGED_BY_LABEL, MANAGER};
use super::{Context, reconcile, retry};
use crate::crd::GrepzillaCluster;
use crate::metadata::ClusterKey;

/// Clusters that are reconciled at the same time; one cluster never is.
const CONCURRENCY: u16 = 16;
/// How long a burst of changes may last before it is looked at once.
const BURST: std::time::Duration = std::time::Duration::from_millis(50);

/// Reconciles until the future is dropped, which also stops what is under way. `changes` names clusters whose metadata
/// changed; `namespace` limits everything to one.
pub async fn run(context: Arc<Context>, namespace: Option<&str>, changes: mpsc::Receiver<ClusterKey>) {
    let client = &context.client;
    let ours = || watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
    let changes = futures::stream::unfold(changes, async |mut changes| Some((changes.recv().await?, changes)));
    let results = Controller::new(scoped::<GrepzillaCluster>(client, namespace), watcher::Config::default())
        .with_config(controller::Config::default().concurrency(CONCURRENCY).debounce(BURST))
        .owns(scoped::<StatefulSet>(client, namespace), ours())
        .owns(scoped::<Service>(client, namespace), ours())
        .owns(scoped::<ConfigMap>(client, namespace), ours())
        .owns(scoped::<ServiceAccount>(client, namespace), ours())
        .owns(scoped::<PodDisruptionBudget>(client, namespace), ours())
        .watches(scoped::<Pod>(client, namespace), ours(), |pod| cluster_of(&pod))
        .reconcile_on(changes.map(|key| ObjectRef::new(&key.name).within(&key.namespace)))
        .run(reconcile, retry, Arc::clone(&context));
    let mut results = std::pin::pin!(results);
    while let Some(result) = results.next().await {
        match result {
            Err(controller::Error::ObjectNotFound(gone)) => {
                context.metadata.forget(gone.namespace.as_deref().unwrap_or_default(), &gone.name);
            }
            Err(controller::Error::QueueError(error)) => tracing::warn!(%error, "a watch was interrupted"),
            Err(controller::Error::RunnerError(error)) => tracing::error!(%error, "the runner failed"),
            // A reconcile that failed has been told by `retry`.
            Err(controller::Error::ReconcilerFailed(..)) | Ok(_) => {}
        }
    }
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + DeserializeOwned,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

fn cluster_of(pod: &Pod) -> Option<ObjectRef<GrepzillaCluster>> {
    Some(ObjectRef::new(pod.labels().get(INSTANCE_LABEL)?).within(&pod.namespace()?))
}

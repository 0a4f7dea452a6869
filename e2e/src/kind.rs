//! The kind cluster under the stories: its API server through kube, its machines through `docker exec`.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::process::Command;

use crate::wait::until;

/// A connection to the cluster that `KUBECONFIG` names.
#[derive(Clone)]
pub struct Kind {
    /// For everything that has no helper here.
    pub client: Client,
}

impl Kind {
    /// Connects.
    pub async fn connect() -> Result<Kind> {
        // Another story of the same process may have installed it already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::try_default().await.context("no cluster: run the stories by e2e/run.sh")?;
        Ok(Kind { client })
    }

    /// Makes a namespace if it is not there.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        namespaces.patch(name, &PatchParams::apply("stories"), &Patch::Apply(body)).await?;
        Ok(())
    }

    /// An address of a worker machine that this host reaches.
    pub async fn worker_address(&self) -> Result<String> {
        let workers = Api::<Node>::all(self.client.clone())
            .list(&ListParams::default().labels("!node-role.kubernetes.io/control-plane"))
            .await?;
        let addresses =
            workers.items.first().and_then(|node| node.status.as_ref()?.addresses.as_ref()).context("no worker")?;
        let internal = addresses.iter().find(|address| address.type_ == "InternalIP").context("no internal address")?;
        Ok(internal.address.clone())
    }

    /// The pods of a namespace that carry a label.
    pub async fn pods(&self, namespace: &str, labels: &str) -> Result<Vec<Pod>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        Ok(pods.list(&ListParams::default().labels(labels)).await?.items)
    }

    /// One pod, as it is now.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        pods.get(name).await.with_context(|| format!("pod {namespace}/{name}"))
    }

    /// Deletes a pod in the ordinary way.
    pub async fn delete_pod(&self, namespace: &str, name: &str) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        pods.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Kills the process of a one-container pod with SIGKILL, from the machine that runs it.
    pub async fn kill_process(&self, namespace: &str, pod: &str) -> Result<()> {
        let pod = self.pod(namespace, pod).await?;
        let machine = machine_of(&pod)?;
        let containers = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
        let id = containers.first().and_then(|container| container.container_id.as_deref()).context("no container")?;
        let id = id.trim_start_matches("containerd://");
        on_machine(&machine, &format!("ctr -n k8s.io tasks kill --signal SIGKILL {id}")).await.map(drop)
    }

    /// Forbids or allows new pods on a machine.
    pub async fn set_schedulable(&self, machine: &str, schedulable: bool) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let patch = json!({"spec": {"unschedulable": !schedulable}});
        nodes.patch(machine, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Scales a Deployment or a StatefulSet by its scale subresource.
    pub async fn scale<K>(&self, namespace: &str, name: &str, replicas: i32) -> Result<()>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let patch = json!({"spec": {"replicas": replicas}});
        objects.patch_scale(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Waits until no pod of a namespace carries a label any more.
    pub async fn pods_gone(&self, namespace: &str, labels: &str, within: Duration) -> Result<()> {
        until(&format!("the pods {labels} to be gone"), within, async || {
            Ok(self.pods(namespace, labels).await?.is_empty().then_some(()))
        })
        .await
    }
}

/// The kind machine on which a pod runs.
pub fn machine_of(pod: &Pod) -> Result<String> {
    pod.spec
        .as_ref()
        .and_then(|spec| spec.node_name.clone())
        .with_context(|| format!("{} is not scheduled", pod.name_any()))
}

/// Whether a pod is ready.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

/// Runs a shell script on a kind machine and answers what it printed.
pub async fn on_machine(machine: &str, script: &str) -> Result<String> {
    let output =
        Command::new("docker").args(["exec", machine, "sh", "-c", script]).output().await.context("docker exec")?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "`{script}` on {machine} failed: {stderr}");
    Ok(stdout.into_owned())
}

/// Fails with the sentence that an API server's refusal carries if it does not contain `expected`.
pub fn expect_refusal<T: std::fmt::Debug>(result: kube::Result<T>, expected: &str) -> Result<()> {
    match result {
        Ok(object) => bail!("{object:?} was taken; a refusal with {expected:?} was expected"),
        Err(kube::Error::Api(status)) if status.message.contains(expected) => Ok(()),
        Err(other) => bail!("a refusal with {expected:?} was expected, not: {other}"),
    }
}

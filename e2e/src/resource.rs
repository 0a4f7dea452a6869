//! The custom resource as `kubectl` sees it: applied as YAML text, read as JSON.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, ValidationDirective,
};
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::wait::until;

/// One `GrepzillaCluster`.
#[derive(Clone)]
pub struct Resource {
    api: Api<DynamicObject>,
    /// Where it is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
}

impl Resource {
    /// Names it; nothing is asked yet.
    pub fn new(kind: &Kind, namespace: &str, name: &str) -> Resource {
        let described = ApiResource::from_gvk(&GroupVersionKind::gvk("grepzilla.io", "v1alpha1", "GrepzillaCluster"));
        let api = Api::namespaced_with(kind.client.clone(), namespace, &described);
        Resource { api, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Applies YAML text as `kubectl apply --server-side` does, with strict validation.
    pub async fn apply(&self, yaml: &str) -> kube::Result<DynamicObject> {
        let body: Value = serde_saphyr::from_str(yaml).expect("a story's YAML is well formed");
        let mut parameters = PatchParams::apply("stories").force();
        parameters.field_validation = Some(ValidationDirective::Strict);
        self.api.patch(&self.name, &parameters, &Patch::Apply(body)).await
    }

    /// Changes fields of `spec`, as `kubectl patch --type merge` does.
    pub async fn edit(&self, spec: Value) -> kube::Result<DynamicObject> {
        let parameters = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::default() };
        self.api.patch(&self.name, &parameters, &Patch::Merge(json!({"spec": spec}))).await
    }

    /// Scales as `kubectl scale` does.
    pub async fn scale(&self, nodes: i32) -> Result<()> {
        let patch = json!({"spec": {"replicas": nodes}});
        self.api.patch_scale(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// The whole resource as it is now.
    pub async fn read(&self) -> Result<Value> {
        Ok(serde_json::to_value(self.api.get(&self.name).await?)?)
    }

    /// Deletes it and waits until it is gone.
    pub async fn delete(&self) -> Result<()> {
        self.api.delete(&self.name, &DeleteParams::foreground()).await?;
        until("the resource to be gone", Duration::from_secs(180), async || {
            Ok(self.api.get_opt(&self.name).await?.is_none().then_some(()))
        })
        .await
    }

    /// Waits until a condition has a status for the newest generation.
    pub async fn wait_for(&self, condition: &str, status: &str, within: Duration) -> Result<Value> {
        until(&format!("{}/{} to be {condition}={status}", self.namespace, self.name), within, async || {
            let object = self.read().await?;
            let seen = observed(&object) && condition_status(&object, condition).as_deref() == Some(status);
            if seen { Ok(Some(object)) } else { anyhow::bail!("the status is {}", object["status"]) }
        })
        .await
    }

    /// Waits until it is Available.
    pub async fn available(&self, within: Duration) -> Result<Value> {
        self.wait_for("Available", "True", within).await
    }

    /// Waits until a blocker whose text contains `words` stands in the status, and answers it.
    pub async fn blocked_by(&self, words: &str, within: Duration) -> Result<Value> {
        until(&format!("a blocker that says {words:?}"), within, async || {
            let object = self.read().await?;
            let blockers = object["status"]["blockers"].as_array().cloned().unwrap_or_default();
            let found = blockers.iter().find(|blocker| blocker.to_string().contains(words)).cloned();
            found.map(Some).with_context(|| format!("the blockers are {blockers:?}"))
        })
        .await
    }
}

/// Whether the status speaks of the newest generation.
pub fn observed(object: &Value) -> bool {
    object["status"]["observedGeneration"].is_i64()
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// The status of a condition: `True`, `False` or `Unknown`.
pub fn condition_status(object: &Value, condition: &str) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|one| one["type"] == condition)?;
    found["status"].as_str().map(str::to_owned)
}

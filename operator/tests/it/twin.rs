//! The twin of what a bare API server lacks: the StatefulSet's controller, the scheduler, the kubelet, and the nodes
//! themselves, which register in etcd and lead what the ring gives them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grepzilla_cluster::keyspace::{Keys, NodeRecord, NodeState};
use grepzilla_cluster::leadership::{Candidate, claim};
use grepzilla_cluster::registry::{Registration, RegistrationHandle, RegistrationOptions};
use grepzilla_cluster::store::SharedStore;
use grepzilla_cluster::topology;
use grepzilla_model::{Epoch, Incarnation, NodeName};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Everything the twin does for one cluster called `logs`, again and again until it is dropped.
pub(crate) struct Twin {
    client: Client,
    namespace: String,
    store: SharedStore,
    keys: Keys,
    nodes: Mutex<BTreeMap<NodeName, (RegistrationHandle, CancellationToken)>>,
    dead: Mutex<BTreeSet<NodeName>>,
    /// The pods that were made, in order.
    pub(crate) made: Mutex<Vec<String>>,
}

impl Twin {
    pub(crate) fn new(client: Client, namespace: &str, store: SharedStore, keys: Keys) -> Arc<Twin> {
        let (nodes, dead, made) = Default::default();
        Arc::new(Twin { client, namespace: namespace.to_owned(), store, keys, nodes, dead, made })
    }

    /// Runs until it is aborted. What fails in one round is done in the next.
    pub(crate) async fn run(self: Arc<Twin>) {
        loop {
            if let Err(error) = self.round().await {
                eprintln!("the twin: {error}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn round(&self) -> anyhow::Result<()> {
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), &self.namespace);
        if let Some(set) = sets.get_opt("logs").await? {
            self.control(&sets, &set).await?;
        }
        self.lead().await
    }

    /// What the StatefulSet's controller, the scheduler and the kubelet do.
    async fn control(&self, sets: &Api<StatefulSet>, set: &StatefulSet) -> anyhow::Result<()> {
        if set.metadata.deletion_timestamp.is_some() {
            // What the garbage collector does when it has made orphans of the pods.
            let orphaned = json!({"metadata": {"finalizers": null}});
            sets.patch("logs", &PatchParams::default(), &Patch::Merge(orphaned)).await?;
            return Ok(());
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let revision = format!("logs-{}", hash(&set.spec.template));
        let status = set.status.clone().unwrap_or_default();
        if status.observed_generation != set.metadata.generation {
            let status = json!({"status": {
                "observedGeneration": set.metadata.generation, "replicas": 0, "updateRevision": revision,
            }});
            sets.patch_status("logs", &PatchParams::default(), &Patch::Merge(status)).await?;
        }
        let replicas = set.spec.replicas.unwrap_or_default();
        let present = pods.list(&ListParams::default()).await?.items;
        for pod in &present {
            let ordinal: i32 = pod.name_any().trim_start_matches("logs-").parse()?;
            if pod.metadata.deletion_timestamp.is_some() || ordinal >= replicas {
                pods.delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await?;
            }
        }
        for ordinal in 0..replicas {
            if present.iter().all(|pod| pod.name_any() != format!("logs-{ordinal}")) {
                self.make_claim(set, ordinal).await?;
                self.make_pod(&pods, set, ordinal, &revision).await?;
            }
        }
        Ok(())
    }

    async fn make_pod(&self, pods: &Api<Pod>, set: &StatefulSet, ordinal: i32, revision: &str) -> anyhow::Result<()> {
        let template = set.spec.template.metadata.clone().unwrap_or_default();
        let mut labels = template.labels.unwrap_or_default();
        labels.insert("controller-revision-hash".into(), revision.into());
        let mut spec = set.spec.template.spec.clone().unwrap_or_default();
        spec.node_name = Some(format!("worker-{}", ordinal % 3));
        // The volume of the claim template is put in by the StatefulSet's controller.
        let volumes = spec.volumes.get_or_insert_default();
        volumes.push(serde_json::from_value(json!({"name": "data", "emptyDir": {}}))?);
        let name = format!("logs-{ordinal}");
        let metadata = ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() };
        pods.create(&PostParams::default(), &Pod { metadata, spec: Some(spec), status: None }).await?;
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(ready)).await?;
        self.made.lock().expect("no holder panics").push(name);
        Ok(())
    }

    async fn make_claim(&self, set: &StatefulSet, ordinal: i32) -> anyhow::Result<()> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let name = format!("data-logs-{ordinal}");
        if claims.get_opt(&name).await?.is_none() {
            let mut claim = set.spec.volume_claim_templates.iter().flatten().next().cloned().unwrap_or_default();
            claim.metadata.name = Some(name.clone());
            claim.metadata.labels = set.spec.selector.match_labels.clone();
            claim.status = None;
            claims.create(&PostParams::default(), &claim).await?;
            // Only a bound claim may grow.
            let bound = json!({"status": {"phase": "Bound"}});
            claims.patch_status(&name, &PatchParams::default(), &Patch::Merge(bound)).await?;
            let volume = json!({"spec": {"volumeName": format!("volume-{ordinal}")}});
            claims.patch(&name, &PatchParams::default(), &Patch::Merge(volume)).await?;
        }
        Ok(())
    }

    /// What the nodes do: register, and claim the shards that the ring gives them.
    async fn lead(&self) -> anyhow::Result<()> {
        let topology = topology::read(self.store.as_ref(), &self.keys).await?;
        for node in topology.ring.nodes.values().filter(|node| !self.is_dead(&node.name)) {
            self.register(&node.name);
        }
        for shard in topology.ring.shards().filter(|shard| !topology.leaders.contains_key(shard)) {
            let target = topology.ring.target_names(shard).next();
            let Some(node) = target.filter(|node| !self.is_dead(node)) else { continue };
            let candidate = Candidate { shard, node: node.clone(), incarnation: Incarnation(1), last_epoch: Epoch(0) };
            let claimed = claim(self.store.as_ref(), &self.keys, &candidate).await?;
            let nodes = self.nodes.lock().expect("no holder panics");
            nodes[node].0.announce_leader(shard, claimed.config.epoch);
        }
        Ok(())
    }

    fn is_dead(&self, name: &NodeName) -> bool {
        self.dead.lock().expect("no holder panics").contains(name)
    }

    fn register(&self, name: &NodeName) {
        let mut nodes = self.nodes.lock().expect("no holder panics");
        if nodes.contains_key(name) {
            return;
        }
        let record = NodeRecord {
            name: name.clone(),
            api: "127.0.0.1:7300".into(),
            peer: "127.0.0.1:7301".into(),
            version: "0".into(),
            formats: 1,
            incarnations: BTreeMap::new(),
            troubles: BTreeMap::new(),
            state: NodeState::Serving,
        };
        let options = RegistrationOptions::default();
        let (task, handle) = Registration::new(Arc::clone(&self.store), self.keys.clone(), record, options);
        let stop = CancellationToken::new();
        tokio::spawn(task.run(stop.clone()));
        nodes.insert(name.clone(), (handle, stop));
    }

    /// A node dies: its lease goes, its shards are without a leader.
    pub(crate) fn kill(&self, name: &str) {
        self.nodes.lock().expect("no holder panics")[&NodeName::from(name)].1.cancel();
        self.dead.lock().expect("no holder panics").insert(name.into());
    }

    /// It comes back, and claims its shards in a new epoch.
    pub(crate) fn revive(&self, name: &str) {
        self.nodes.lock().expect("no holder panics").remove(&NodeName::from(name));
        self.dead.lock().expect("no holder panics").remove(&NodeName::from(name));
    }
}

fn hash<T: serde::Serialize>(value: &T) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(value).expect("plain data").hash(&mut hasher);
    format!("{:010x}", hasher.finish() & 0xff_ffff_ffff)
}

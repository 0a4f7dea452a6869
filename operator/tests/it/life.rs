//! The life of a cluster on a real API server and a real etcd, told to the operator with no more rights than the chart
//! gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use grepzilla_api::contract::etcd_root;
use grepzilla_cluster::keyspace::Keys;
use grepzilla_cluster::store::SharedStore;
use grepzilla_cluster::store::etcd::{EtcdOptions, EtcdStore};
use grepzilla_cluster::topology;
use grepzilla_operator::access::RIGHTS;
use grepzilla_operator::crd::status::Gate;
use grepzilla_operator::crd::{GrepzillaCluster, GrepzillaClusterStatus};
use grepzilla_operator::operator::{self, OperatorArgs};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, ValidationDirective};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api_server::{ApiServer, OPERATOR_USER};
use crate::chart::rendered;
use crate::twin::Twin;

const NAMESPACE: &str = "prod";
const WITHIN: Duration = Duration::from_secs(60);

struct World {
    server: ApiServer,
    admin: Client,
    clusters: Api<GrepzillaCluster>,
    store: SharedStore,
    keys: Keys,
    twin: Arc<Twin>,
}

/// An operator that runs.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl World {
    /// An API server with what a platform has: the chart's definition and roles, three workers in three zones, a storage
    /// class. No operator yet.
    async fn open() -> World {
        let server = ApiServer::start().await;
        let admin = server.admin().await;
        for namespace in ["grepzilla-system", NAMESPACE] {
            apply(&admin, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})).await;
        }
        let wanted = |kind: &str| kind.contains("Role") || kind == "CustomResourceDefinition";
        for object in rendered(&[]).iter().filter(|object| object["kind"].as_str().is_some_and(wanted)) {
            apply(&admin, object).await;
        }
        for (worker, zone) in [(0, "zone-a"), (1, "zone-b"), (2, "zone-c")] {
            let labels = json!({"topology.kubernetes.io/zone": zone});
            let metadata = json!({"name": format!("worker-{worker}"), "labels": labels});
            apply(&admin, &json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata})).await;
        }
        apply(
            &admin,
            &json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "growing"},
                "provisioner": "none", "allowVolumeExpansion": true,
            }),
        )
        .await;
        let store: SharedStore = Arc::new(EtcdStore::new(EtcdOptions::new([server.etcd()])).expect("endpoints"));
        let keys = Keys::new(&etcd_root(NAMESPACE, "logs")).expect("a root");
        let twin = Twin::new(admin.clone(), NAMESPACE, Arc::clone(&store), keys.clone());
        let clusters = Api::namespaced(admin.clone(), NAMESPACE);
        World { server, admin, clusters, store, keys, twin }
    }

    async fn start_operator(&self) -> Running {
        self.start_operator_called("operator-of-this-test").await
    }

    async fn start_operator_called(&self, identity: &str) -> Running {
        let args = OperatorArgs {
            etcd_endpoints: vec![self.server.etcd()],
            node_image: "grepzilla/node:dev".into(),
            watch_namespace: None,
            metrics_listen: "127.0.0.1:0".parse().expect("an address"),
            lease_namespace: "grepzilla-system".into(),
            identity: identity.into(),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(operator::run(args, self.server.operator().await, stop.clone()));
        Running { stop, task }
    }

    async fn edit(&self, spec: Value) -> kube::Result<GrepzillaCluster> {
        let parameters = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::default() };
        self.clusters.patch("logs", &parameters, &Patch::Merge(json!({"spec": spec}))).await
    }

    /// The status, once it speaks of the newest spec and `holds` says so.
    async fn status(&self, what: &str, holds: impl Fn(&GrepzillaClusterStatus) -> bool) -> GrepzillaClusterStatus {
        let began = Instant::now();
        loop {
            let found = self.clusters.get("logs").await.expect("the resource");
            let status = found.status.unwrap_or_default();
            if Some(status.observed_generation) == found.metadata.generation && holds(&status) {
                return status;
            }
            assert!(began.elapsed() < WITHIN, "{what}: {status:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn settled(&self, what: &str) -> GrepzillaClusterStatus {
        self.status(what, |status| is(status, "Available", "True") && is(status, "Reconciled", "True")).await
    }

    async fn set(&self) -> StatefulSet {
        Api::namespaced(self.admin.clone(), NAMESPACE).get("logs").await.expect("a StatefulSet")
    }

    async fn leader(&self) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(self.admin.clone(), "grepzilla-system");
        leases.get("grepzilla-operator").await.expect("a Lease").spec?.holder_identity
    }

    async fn wait_for_leader(&self, identity: &str, within: Duration) {
        let began = Instant::now();
        while self.leader().await.as_deref() != Some(identity) {
            assert!(began.elapsed() < within, "{identity} does not take the lead");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn ring(&self) -> Arc<grepzilla_model::Ring> {
        topology::read(self.store.as_ref(), &self.keys).await.expect("etcd answers").ring
    }

    /// The resource versions of everything that the operator may write.
    async fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        versions.extend(self.versions_of::<GrepzillaCluster>().await);
        versions.extend(self.versions_of::<StatefulSet>().await);
        versions.extend(self.versions_of::<Service>().await);
        versions.extend(self.versions_of::<ConfigMap>().await);
        versions.extend(self.versions_of::<Secret>().await);
        versions.extend(self.versions_of::<ServiceAccount>().await);
        versions.extend(self.versions_of::<PodDisruptionBudget>().await);
        versions.extend(self.versions_of::<PersistentVolumeClaim>().await);
        versions
    }

    async fn versions_of<K: kube::Resource<DynamicType = ()>>(&self) -> Vec<(String, String)> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.admin.clone(), NAMESPACE, &ApiResource::erase::<K>(&()));
        let objects = api.list(&ListParams::default()).await.expect("a list").items;
        let name = |object: &DynamicObject| format!("{}/{}", K::kind(&()), object.name_any());
        objects.iter().map(|it| (name(it), it.resource_version().unwrap_or_default())).collect()
    }

    /// The operator's writes so far, Leases aside.
    fn writes(&self) -> Vec<String> {
        let requests = self.server.requests_of(OPERATOR_USER);
        let writes = requests.iter().filter(|it| !matches!(it["verb"].as_str(), Some("get" | "list" | "watch")));
        writes.map(used_right).filter(|right| !right.contains("leases")).collect()
    }
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic").expect("a clean end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_lives_and_the_operator_uses_every_right_it_has() {
    let world = World::open().await;
    let twin = tokio::spawn(Arc::clone(&world.twin).run());
    let operator = world.start_operator().await;

    forms(&world).await;
    refuses_what_cannot_be_done(&world).await;
    let operator = writes_nothing_when_nothing_changes(&world, operator).await;
    tells_of_a_node_that_died(&world).await;
    puts_right_what_others_change(&world).await;
    adds_and_takes_away_nodes(&world).await;
    replaces_pods_one_at_a_time(&world).await;
    grows_volumes(&world).await;

    hands_over_the_lead(&world, operator).await;

    twin.abort();
    uses_its_rights(&world);
}

/// A resource without a word becomes available.
async fn forms(world: &World) {
    let resource = json!({
        "apiVersion": "grepzilla.io/v1alpha1", "kind": "GrepzillaCluster",
        "metadata": {"name": "logs", "namespace": NAMESPACE},
        "spec": {"storage": {"storageClassName": "growing"}},
    });
    apply(&world.admin, &resource).await;
    let status = world.settled("a new cluster becomes available").await;
    assert_eq!((status.nodes.ready, status.shards.led, status.shards.leaderless), (3, Some(12), Some(0)));
    let ring = world.ring().await;
    let zones: Vec<&str> = ring.nodes.values().map(|node| node.zone.as_str()).collect();
    assert_eq!((ring.version, zones), (1, vec!["zone-a", "zone-b", "zone-c"]));
    let topology = topology::read(world.store.as_ref(), &world.keys).await.expect("etcd answers");
    assert_eq!(topology.cluster.map(|uuid| uuid.to_string()), status.cluster_uuid);
}

/// By the API server, each with its sentence.
async fn refuses_what_cannot_be_done(world: &World) {
    for (spec, sentence) in [
        (json!({"replicationFactor": 2}), "shards are not replicated yet"),
        (json!({"shards": 24}), "shards cannot be changed yet"),
        (json!({"storage": {"size": "1Gi"}}), "storage.size must not shrink"),
        (json!({"storage": {"storageClassName": "other"}}), "volumes cannot move to another class"),
        (json!({"etcd": {"endpoints": ["http://other:2379"]}}), "etcd cannot be changed"),
        (json!({"nodez": 5}), "unknown field \"spec.nodez\""),
        (json!({"nodes": 0}), "greater than or equal to 1"),
        (json!({"admission": {"inFlightBytesMax": "1Mi"}}), "from four times ingest.bodyBytesMax to 1Ti"),
        (json!({"indexes": [{"name": "-web"}]}), "spec.indexes[0].name"),
        (json!({"indexes": [{"name": "web"}, {"name": "web"}]}), "Duplicate value"),
        (json!({"indexes": [{"name": "web", "fieldBytesMax": {"a": "9Mi"}}]}), "from 1 to 8Mi for each field"),
    ] {
        let refusal = world.edit(spec.clone()).await.expect_err("it is refused").to_string();
        assert!(refusal.contains(sentence), "{spec}: {refusal}");
    }
}

/// Neither when it is made to look, nor when it starts anew.
async fn writes_nothing_when_nothing_changes(world: &World, operator: Running) -> Running {
    // What was written last is looked at once more.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, writes) = (world.versions().await, world.writes().len());
    let pods: Api<Pod> = Api::namespaced(world.admin.clone(), NAMESPACE);
    for poke in 0..5 {
        let patch = json!({"metadata": {"annotations": {"poke": poke.to_string()}}});
        pods.patch("logs-0", &PatchParams::default(), &Patch::Merge(patch)).await.expect("poked");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    operator.stop().await;
    let operator = world.start_operator().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.versions().await, before);
    assert_eq!(world.writes().split_off(writes), Vec::<String>::new());
    operator
}

/// Shards without a leader are told, and that they have one again.
async fn tells_of_a_node_that_died(world: &World) {
    world.twin.kill("logs-1");
    let status = world.status("a dead node is told", |status| status.shards.leaderless == Some(4)).await;
    assert!(is(&status, "Available", "False") && is(&status, "Degraded", "True"), "{status:#?}");
    world.twin.revive("logs-1");
    world.settled("a node that is back is told").await;
}

/// A StatefulSet that somebody scales, a Service that somebody deletes.
async fn puts_right_what_others_change(world: &World) {
    let sets: Api<StatefulSet> = Api::namespaced(world.admin.clone(), NAMESPACE);
    let patch = json!({"spec": {"replicas": 2}});
    sets.patch("logs", &PatchParams::default(), &Patch::Merge(patch)).await.expect("scaled");
    let services: Api<Service> = Api::namespaced(world.admin.clone(), NAMESPACE);
    services.delete("logs", &Default::default()).await.expect("deleted");
    let began = Instant::now();
    while world.set().await.spec.replicas != Some(3) || services.get_opt("logs").await.expect("an answer").is_none() {
        assert!(began.elapsed() < WITHIN, "it is not put right");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.settled("all is as it was").await;
}

/// Nodes join without shards; a node that holds shards stays and is told; nodes that hold nothing leave.
async fn adds_and_takes_away_nodes(world: &World) {
    world.edit(json!({"nodes": 5})).await.expect("taken");
    let status = world.settled("two nodes join").await;
    let targets = world.ring().await.targets.clone();
    assert_eq!((status.nodes.ready, world.ring().await.nodes.len()), (5, 5));

    world.edit(json!({"nodes": 2})).await.expect("taken");
    let status = world.status("a node that holds shards is told", |status| !status.blockers.is_empty()).await;
    assert_eq!((status.blockers[0].gate, &*status.blockers[0].object), (Gate::NodeHoldsShards, "Pod/logs-2"));
    assert_eq!((world.set().await.spec.replicas, world.ring().await.nodes.len()), (Some(5), 5));

    world.edit(json!({"nodes": 3})).await.expect("taken");
    let status = world.settled("two nodes leave").await;
    assert_eq!((status.nodes.current, world.ring().await.nodes.len()), (3, 3));
    assert_eq!(world.ring().await.targets, targets, "shards never moved");
}

/// A new configuration, of whichever section, reaches the ConfigMap and every pod, the highest ordinal first.
async fn replaces_pods_one_at_a_time(world: &World) {
    let configs: Api<ConfigMap> = Api::namespaced(world.admin.clone(), NAMESPACE);
    for (spec, written) in [
        (json!({"ingest": {"depthMax": 16}}), "depth_max: 16"),
        (
            json!({
                "indexes": [{"name": "web", "types": {"status": "integer"}, "defaults": {"env": "prod", "sampled": false}}],
                "storage": {"flushAge": "1m"},
                "admission": {"rate": {"requestsPerSecond": 77}},
            }),
            "requests_per_second: 77",
        ),
    ] {
        let made = world.twin.made.lock().expect("no holder panics").len();
        world.edit(spec).await.expect("taken");
        world.settled("every pod is replaced").await;
        let replaced = world.twin.made.lock().expect("no holder panics").split_off(made);
        assert_eq!(replaced, ["logs-2", "logs-1", "logs-0"]);
        let config = configs.get("logs-config").await.expect("a ConfigMap").data.expect("data");
        assert!(config["config.yaml"].contains(written), "{config:?}");
    }
}

/// Claims grow, the StatefulSet is made again, and no pod notices.
async fn grows_volumes(world: &World) {
    let made = world.twin.made.lock().expect("no holder panics").len();
    let before = world.set().await.uid();
    world.edit(json!({"storage": {"size": "30Gi"}})).await.expect("taken");
    world.settled("volumes have grown").await;
    assert_ne!(world.set().await.uid(), before);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(world.admin.clone(), NAMESPACE);
    for ordinal in 0..3 {
        let claim = serde_json::to_value(claims.get(&format!("data-logs-{ordinal}")).await.expect("a claim"));
        assert_eq!(claim.expect("plain data")["spec"]["resources"]["requests"]["storage"], "30Gi");
    }
    assert_eq!(world.twin.made.lock().expect("no holder panics").len(), made, "no pod was made anew");
}

/// At once by one that is told to stop, after the Lease's duration from one that vanishes.
async fn hands_over_the_lead(world: &World, first: Running) {
    let second = world.start_operator_called("second").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.leader().await.as_deref(), Some("operator-of-this-test"), "one leads");
    first.stop().await;
    world.wait_for_leader("second", Duration::from_secs(8)).await;
    let third = world.start_operator_called("third").await;
    second.task.abort();
    world.wait_for_leader("third", Duration::from_secs(30)).await;
    third.stop().await;
    assert_eq!(world.leader().await, None, "the last one gives it back");
}

/// No right that is listed is one too many. (The API server asks for `create` where a server-side apply makes an object,
/// and for `finalizers` where an owner's deletion is blocked; neither is a request of its own.)
fn uses_its_rights(world: &World) {
    let used: BTreeSet<String> = world.server.requests_of(OPERATOR_USER).iter().map(used_right).collect();
    let listed: BTreeSet<String> = RIGHTS
        .iter()
        .flat_map(|right| right.verbs.iter().map(|verb| format!("{verb} {}/{}", right.group, right.resource)))
        .collect();
    let spare: Vec<&String> = listed
        .difference(&used)
        .filter(|right| !right.ends_with("/finalizers"))
        .filter(|right| !(right.starts_with("create ") && listed.contains(&right.replacen("create", "patch", 1))))
        .collect();
    assert!(spare.is_empty(), "rights that nobody uses: {spare:?}");
    assert!(used.is_subset(&listed), "rights that are not listed: {:?}", used.difference(&listed));
}

/// A request as `verb group/resource`.
fn used_right(request: &Value) -> String {
    let (text, object) = (|value: &Value| value.as_str().unwrap_or_default().to_owned(), &request["objectRef"]);
    let subresource = object["subresource"].as_str().map(|it| format!("/{it}")).unwrap_or_default();
    format!("{} {}/{}{subresource}", text(&request["verb"]), text(&object["apiGroup"]), text(&object["resource"]))
}

fn is(status: &GrepzillaClusterStatus, condition: &str, truth: &str) -> bool {
    status.conditions.iter().any(|it| it.type_ == condition && it.status == truth)
}

/// Server-side apply of any object, as soon as the API server knows its kind.
async fn apply(client: &Client, object: &Value) {
    let dynamic: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
    let types = dynamic.types.clone().expect("apiVersion and kind");
    let (group, version) = types.api_version.split_once('/').unwrap_or(("", &types.api_version));
    let gvk = kube::core::GroupVersionKind::gvk(group, version, &types.kind);
    let resource = ApiResource::from_gvk(&gvk);
    let api: Api<DynamicObject> = match dynamic.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let began = Instant::now();
    while let Err(error) =
        api.patch(&dynamic.name_any(), &PatchParams::apply("test").force(), &Patch::Apply(object)).await
    {
        assert!(began.elapsed() < WITHIN, "{object}: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

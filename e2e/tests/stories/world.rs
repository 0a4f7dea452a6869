//! Where the stories take place: the installed chart and the cluster `logs` with its documents.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use grepzilla_e2e::documents::Sample;
use grepzilla_e2e::gateway::Gateway;
use grepzilla_e2e::kind::Kind;
use grepzilla_e2e::resource::Resource;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use reqwest::StatusCode;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// Where the chart is installed.
pub(crate) const SYSTEM: &str = "grepzilla-system";
/// The operator's name in the API server's audit log.
pub(crate) const OPERATOR_USER: &str = "system:serviceaccount:grepzilla-system:grepzilla-operator";
/// The operator's Deployment.
pub(crate) const OPERATOR: &str = "grepzilla-operator";
/// Labels of the operator's pods.
pub(crate) const OPERATOR_LABELS: &str = "app.kubernetes.io/component=operator";
/// Labels of the small etcd's pods.
pub(crate) const ETCD_LABELS: &str = "app.kubernetes.io/component=etcd";
/// The machine of the API server.
pub(crate) const CONTROL_PLANE: &str = "grepzilla-control-plane";
/// Where `logs` lives.
pub(crate) const NAMESPACE: &str = "stories";
/// The index of the real documents.
pub(crate) const SAMPLE: &str = "sample";
/// How long a cluster may take to be well again after what the stories do to it.
pub(crate) const WELL_AGAIN: Duration = Duration::from_secs(120);
/// Documents in one request.
const DOCUMENTS_PER_REQUEST: usize = 250;

/// A minimal resource: ten lines.
pub(crate) const TEN_LINES: &str = "\
apiVersion: grepzilla.io/v1alpha1
kind: GrepzillaCluster
metadata:
  name: logs
spec:
  nodes: 3
  shards: 6
  storage:
    size: 1Gi
  service: { type: NodePort }
";

static INSTALLED: OnceCell<()> = OnceCell::const_new();
static DOCUMENTS: OnceCell<Sample> = OnceCell::const_new();

/// What every story has.
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) logs: Resource,
}

impl World {
    /// Connects, and installs the chart if this process has not done so.
    pub(crate) async fn open() -> Result<World> {
        let kind = Kind::connect().await?;
        INSTALLED.get_or_try_init(install).await?;
        kind.namespace(NAMESPACE).await?;
        let logs = Resource::new(&kind, NAMESPACE, "logs");
        Ok(World { kind, logs })
    }

    /// The same with `logs` Available.
    pub(crate) async fn with_logs() -> Result<(World, Gateway)> {
        let world = World::open().await?;
        world.logs.apply(TEN_LINES).await?;
        world.logs.available(WELL_AGAIN).await?;
        let gateway = Gateway::open(&world.kind, &world.logs).await?;
        Ok((world, gateway))
    }

    /// The same with the real documents in it.
    pub(crate) async fn with_documents() -> Result<(World, Gateway, &'static Sample)> {
        let (world, gateway) = World::with_logs().await?;
        let sample = sample().await?;
        if gateway.documents(SAMPLE).await? == 0 {
            load(&gateway.clone().pooled()?, &sample.lines, 4).await?;
        }
        ensure!(gateway.documents(SAMPLE).await? == sample.lines.len() as u64, "the sample is there in part");
        Ok((world, gateway, sample))
    }

    /// The name of the small etcd's StatefulSet.
    pub(crate) async fn etcd(&self) -> Result<String> {
        let sets: Api<StatefulSet> = Api::namespaced(self.kind.client.clone(), SYSTEM);
        let found = sets.list(&ListParams::default().labels(ETCD_LABELS)).await?;
        Ok(found.items.first().context("the chart installed no etcd")?.name_any())
    }
}

/// The real documents, read once.
pub(crate) async fn sample() -> Result<&'static Sample> {
    DOCUMENTS.get_or_try_init(async || Sample::load()).await
}

/// Sends documents with so many clients at once, each request acknowledged whole.
pub(crate) async fn load(gateway: &Gateway, lines: &[String], clients: usize) -> Result<()> {
    let requests = lines.chunks(DOCUMENTS_PER_REQUEST).map(|chunk| async move {
        let answer = gateway.ingest(SAMPLE, chunk.join("\n")).await?;
        ensure!(answer.status == StatusCode::OK, "a load was answered with {} {}", answer.status, answer.body);
        ensure!(answer.body["appended"] == chunk.len(), "{} of {} documents were taken", answer.body, chunk.len());
        Ok(())
    });
    stream::iter(requests).buffer_unordered(clients).try_collect().await
}

/// Installs the chart with helm, as a platform team would.
async fn install() -> Result<()> {
    let helm = std::env::var("GREPZILLA_HELM").unwrap_or_else(|_| "helm".into());
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/grepzilla");
    let arguments = [
        "upgrade",
        "--install",
        "grepzilla",
        chart,
        "--namespace",
        SYSTEM,
        "--create-namespace",
        "--set",
        "etcd.enabled=true",
    ];
    let output =
        Command::new(&helm).args(arguments).args(["--wait", "--timeout", "3m"]).stdin(Stdio::null()).output().await;
    let output = output.with_context(|| format!("cannot run {helm}"))?;
    ensure!(output.status.success(), "helm failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

//! The reconciler: observe, validate, plan, build, apply, status. It assumes nothing about why it was called, and never
//! waits: what cannot be done now is looked at again when something changes, or after a while.

pub mod apply;
pub mod build;
pub mod facts;
pub mod observe;
pub mod plan;
pub mod status;
pub mod validate;

mod backoff;
mod triggers;

use std::sync::Arc;
use std::time::Duration;

use grepzilla_model::ClusterUuid;
use jiff::Timestamp;
use kube::{Client, ResourceExt};
use kube_runtime::controller::Action;
use tracing::Instrument;

use crate::crd::GrepzillaCluster;
use crate::metadata::{MetadataPool, Sight};
use crate::metrics::{Metrics, Outcome};
use apply::ApplyError;
use backoff::Backoff;
use status::Findings;
use validate::{Defaults, Invalid};

pub use triggers::run;

/// A look at a cluster that needs nothing, in case a change was missed.
const RESYNC: Duration = Duration::from_secs(300);
/// A look at a cluster that is changing, or that waits for something nobody tells us about.
const RECHECK: Duration = Duration::from_secs(15);
/// A look at what was just written.
const FOLLOW_UP: Duration = Duration::from_secs(1);
/// A look at a metadata store that is being connected to.
const CONNECTING: Duration = Duration::from_millis(200);

/// What every reconcile has at hand, for as long as this operator leads.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What a resource that does not say so gets.
    pub defaults: Defaults,
    /// The metadata of each cluster.
    pub metadata: MetadataPool,
    /// What is seen from outside.
    pub metrics: Arc<Metrics>,
    backoff: Backoff,
}

impl Context {
    /// A context for one time of leading.
    pub fn new(client: Client, defaults: Defaults, metadata: MetadataPool, metrics: Arc<Metrics>) -> Context {
        Context { client, defaults, metadata, metrics, backoff: Backoff::default() }
    }
}

/// Why a reconcile is to be done again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Reading failed.
    #[error("the cluster could not be observed")]
    Observe(#[source] kube::Error),
    /// Writing failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The status could not be written.
    #[error("the status could not be written")]
    Status(#[source] kube::Error),
}

/// Brings one cluster closer to its resource.
pub async fn reconcile(trigger: Arc<GrepzillaCluster>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let (namespace, name) = (trigger.namespace().unwrap_or_default(), trigger.name_any());
    let span = tracing::info_span!("reconcile", namespace, cluster = name);
    let timer = context.metrics.reconcile_seconds.start_timer();
    let result = reconcile_named(&context, &namespace, &name).instrument(span).await;
    timer.observe_duration();
    if result.is_ok() {
        context.backoff.forget(&(namespace, name));
    }
    result
}

async fn reconcile_named(context: &Context, namespace: &str, name: &str) -> Result<Action, ReconcileError> {
    let found = observe::resource(&context.client, namespace, name).await.map_err(ReconcileError::Observe)?;
    let Some(resource) = found.filter(|resource| resource.metadata.deletion_timestamp.is_none()) else {
        // Owner references take the children along; volumes and metadata stay for a cluster of the same name.
        context.metadata.forget(namespace, name);
        return Ok(Action::await_change());
    };
    let validated = validate::validate(&resource, &context.defaults).and_then(|cluster| {
        let metadata = context.metadata.of(&cluster).map_err(|source| Invalid::Etcd { source })?;
        Ok((cluster, metadata))
    });
    let (cluster, metadata) = match validated {
        Ok(validated) => validated,
        Err(invalid) => {
            let status = status::derive(&resource, &Findings::Invalid(&invalid), Timestamp::now());
            write_status(context, &resource, &status).await?;
            context.metrics.reconciled(Outcome::Terminal);
            return Ok(Action::await_change());
        }
    };
    let sight = match metadata.look() {
        Sight::Connecting => return Ok(Action::requeue(CONNECTING)),
        Sight::Facts(facts) => facts,
    };
    let recorded = resource.status.as_ref().and_then(|status| status.cluster_uuid.as_ref()?.parse().ok());
    let mut observed = observe::observe(&context.client, &cluster, recorded.map(ClusterUuid), sight)
        .await
        .map_err(ReconcileError::Observe)?;
    if observed.facts.may_shrink(cluster.nodes) {
        observed.facts.metadata = metadata.read().await;
    }

    let plan = plan::plan(&cluster, &observed.facts, Timestamp::now());
    let applied = if cluster.paused {
        Ok(apply::Applied::default())
    } else {
        let children = build::build(&cluster, &plan);
        apply::apply(&context.client, &metadata, &cluster, &plan, &children, &observed).await
    };
    let refused = applied.as_ref().map_or(&[][..], |applied| &applied.refused[..]);
    let unfinished = applied.as_ref().map_or(true, |applied| applied.wrote);
    let findings = Findings::Seen { cluster: &cluster, facts: &observed.facts, plan: &plan, refused, unfinished };
    let status = status::derive(&resource, &findings, Timestamp::now());
    let told = write_status(context, &resource, &status).await;
    if applied.as_ref().is_err_and(ApplyError::is_deposed) {
        context.metadata.step_down();
    }
    let applied = applied?;
    told?;
    context.metrics.reconciled(if status.blockers.is_empty() { Outcome::Done } else { Outcome::Blocked });
    Ok(match () {
        () if applied.wrote => Action::requeue(FOLLOW_UP),
        () if plan.progress.is_some() || !status.blockers.is_empty() => Action::requeue(RECHECK),
        () => Action::requeue(RESYNC),
    })
}

async fn write_status(
    context: &Context,
    resource: &GrepzillaCluster,
    status: &crate::crd::GrepzillaClusterStatus,
) -> Result<(), ReconcileError> {
    let wrote = status::write(&context.client, resource, status).await.map_err(ReconcileError::Status)?;
    if wrote {
        tracing::info!(
            ready = status.nodes.ready,
            led = status.shards.led,
            conditions = ?status.conditions.iter().map(|it| format!("{}={}", it.type_, it.reason)).collect::<Vec<_>>(),
            blockers = ?status.blockers.iter().map(|it| it.gate).collect::<Vec<_>>(),
            "status written"
        );
    }
    Ok(())
}

impl ApplyError {
    /// Whether another operator has taken the lead.
    fn is_deposed(&self) -> bool {
        matches!(self, ApplyError::Metadata(error) if error.is_deposed())
    }
}

/// When to try again what failed.
fn retry(resource: Arc<GrepzillaCluster>, error: &ReconcileError, context: Arc<Context>) -> Action {
    let key = (resource.namespace().unwrap_or_default(), resource.name_any());
    let pause = context.backoff.next(key);
    context.metrics.reconciled(Outcome::Transient);
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let error = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    tracing::warn!(cluster = %resource.name_any(), %error, ?pause, "the reconcile failed and is tried again");
    Action::requeue(pause)
}

//! The process: what it is started with, and its life as candidate and as leader.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use grepzilla_cluster::store::etcd::{EtcdOptions, EtcdStore};
use kube::Client;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::controller::validate::Defaults;
use crate::controller::{self, Context};
use crate::http::{self, Health};
use crate::leader::Candidate;
use crate::metadata::{MetadataPool, Open};
use crate::metrics::Metrics;

/// Clusters whose change of metadata waits to be looked at. More wait in their own watchers.
const CHANGES_MAX: usize = 1_024;

/// What the operator is started with.
#[derive(Debug, Clone, Args)]
pub struct OperatorArgs {
    /// The etcd of clusters that name none, as http://host:port; several with commas
    #[arg(long, env = "GREPZILLA_ETCD_ENDPOINTS", value_delimiter = ',')]
    pub etcd_endpoints: Vec<String>,
    /// The image of nodes of clusters that name none
    #[arg(long, env = "GREPZILLA_NODE_IMAGE")]
    pub node_image: String,
    /// The only namespace whose clusters are looked after; all of them if absent
    #[arg(long, env = "GREPZILLA_WATCH_NAMESPACE")]
    pub watch_namespace: Option<String>,
    /// Where /healthz, /readyz and /metrics are
    #[arg(long, env = "GREPZILLA_METRICS_LISTEN", default_value = "0.0.0.0:7310")]
    pub metrics_listen: SocketAddr,
    /// The namespace of the Lease by which one of several replicas leads
    #[arg(long, env = "GREPZILLA_LEASE_NAMESPACE", default_value = "default")]
    pub lease_namespace: String,
    /// This replica's name, which must not be another one's
    #[arg(long, env = "GREPZILLA_IDENTITY", default_value = "grepzilla-operator")]
    pub identity: String,
}

/// The name of the Lease.
const LEASE: &str = "grepzilla-operator";

/// Runs until `stop`, then gives the Lease back.
pub async fn run(args: OperatorArgs, client: Client, stop: CancellationToken) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new()?);
    let health = Health::new(Arc::clone(&metrics));
    let (address, server) = http::serve(args.metrics_listen, health.clone(), stop.clone()).await?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "the operator is up");
    let server = tokio::spawn(server);
    let candidate = Candidate::new(client.clone(), &args.lease_namespace, LEASE, &args.identity);
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = serve_and_stand_by(&args, &client, &candidate, &metrics, &health) => {}
    }
    metrics.leader.set(0);
    candidate.release().await?;
    tracing::info!("the Lease is given back");
    Ok(server.await??)
}

/// Never returns: candidate, leader, candidate, ...
async fn serve_and_stand_by(
    args: &OperatorArgs,
    client: &Client,
    candidate: &Candidate,
    metrics: &Arc<Metrics>,
    health: &Health,
) {
    loop {
        candidate.acquire(|| health.hear()).await;
        metrics.leader.set(1);
        lead(args, client, candidate, metrics).await;
        metrics.leader.set(0);
    }
}

/// One time of leading: everything that belongs to it ends with it.
async fn lead(args: &OperatorArgs, client: &Client, candidate: &Candidate, metrics: &Arc<Metrics>) {
    let (sender, changes) = mpsc::channel(CHANGES_MAX);
    let deposed = CancellationToken::new();
    let pool = MetadataPool::new(etcd(), args.identity.clone(), sender, deposed.clone());
    let defaults = Defaults { node_image: args.node_image.clone(), etcd_endpoints: args.etcd_endpoints.clone() };
    let context = Arc::new(Context::new(client.clone(), defaults, pool, Arc::clone(metrics)));
    tokio::select! {
        biased;
        () = candidate.hold() => {}
        () = deposed.cancelled() => tracing::warn!("another operator has taken the term of a cluster"),
        () = controller::run(Arc::clone(&context), args.watch_namespace.as_deref(), changes) => {}
    }
    context.metadata.close().await;
}

fn etcd() -> Open {
    Arc::new(|endpoints| Ok(Arc::new(EtcdStore::new(EtcdOptions::new(endpoints))?)))
}

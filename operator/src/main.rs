//! `grepzilla-operator`: parses, logs, connects, and leaves the rest to the library.

use anyhow::Context;
use clap::{Parser, Subcommand};
use grepzilla_operator::operator::OperatorArgs;
use grepzilla_operator::{crd, operator};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Looks after Grepzilla clusters: for every GrepzillaCluster it makes pods, volumes and Services, writes the ring into
/// etcd, and tells in the status what is the case.
#[derive(Debug, Parser)]
#[command(
    version,
    after_long_help = "\
EXAMPLES
  Run beside a cluster that kubectl reaches, with an etcd of one's own:
    grepzilla-operator run --node-image grepzilla/node:dev --etcd-endpoints http://127.0.0.1:2379

  Print the custom resource's definition:
    grepzilla-operator crd | kubectl apply -f -

  Then ten lines make a cluster:
    apiVersion: grepzilla.io/v1alpha1
    kind: GrepzillaCluster
    metadata: { name: logs }
    spec: { nodes: 3 }

LOGS
  JSON on stderr; GREPZILLA_LOG chooses what is told (default: info)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Looks after clusters until it is told to stop
    Run(OperatorArgs),
    /// Prints the custom resource's definition as YAML
    Crd,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Crd => {
            print!("{}", crd::yaml());
            Ok(())
        }
        Command::Run(args) => run(args).await,
    }
}

async fn run(args: OperatorArgs) -> anyhow::Result<()> {
    // What a request failed with is told where it is handled, not by the client too.
    let quiet = "kube_client::client::builder=off".parse().context("a directive of our own")?;
    let filter = EnvFilter::try_from_env("GREPZILLA_LOG").unwrap_or_else(|_| "info".into()).add_directive(quiet);
    tracing_subscriber::fmt().json().with_span_list(false).with_env_filter(filter).with_writer(std::io::stderr).init();
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a TLS provider was installed before"))?;
    let client = kube::Client::try_default().await.context("no Kubernetes API server is configured")?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = stop.clone();
    let signals = async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        tracing::info!("told to stop");
        stopping.cancel();
    };
    let (result, ()) = tokio::join!(operator::run(args, client, stop.clone()), async {
        tokio::select! { () = signals => {} () = stop.cancelled() => {} }
    });
    result
}

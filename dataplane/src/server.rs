//! The two ports of a node: the HTTP API for everyone, the peer port for the nodes of the same cluster.
//!
//! It takes requests in, gives each a trace id and a span, bounds what they may cost, and turns whatever comes back into
//! an answer. What a request means is the business of `ingest`, `search` and `peers`.

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::node::Node;
use crate::server::accept::{AcceptLoop, HEADER_TIME_MAX};
use crate::server::app::App;
use crate::shutdown::ShutdownSignals;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

mod accept;
pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod body;
mod observe;
mod routes;
mod stall;
pub(crate) mod trace;

/// A server that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client for peers could not be made.
    #[error("cannot make the client for peers")]
    PeerClient(#[source] reqwest::Error),
    /// A metric is declared twice or wrongly.
    #[error("cannot register the metrics")]
    Metrics(#[source] prometheus::Error),
}

/// Serves the HTTP API and, in a cluster, the peer port. Returns when `shutdown` has asked for the end and every request
/// that was taken has been answered (or was cut off after 30 s).
pub async fn serve(
    node: Arc<Node>,
    http: TcpListener,
    peer: Option<TcpListener>,
    shutdown: ShutdownSignals,
) -> Result<(), ServeError> {
    let app = Arc::new(App::new(node)?);
    let header_time_max = HEADER_TIME_MAX;
    let public = AcceptLoop {
        port: "http",
        listener: http,
        router: routes::public(app.clone()),
        shutdown: shutdown.clone(),
        header_time_max,
    };
    let peer = peer.map(|listener| AcceptLoop {
        port: "peer",
        listener,
        router: routes::peer(app.clone()),
        shutdown: shutdown.clone(),
        header_time_max,
    });
    let serve_peers = async {
        if let Some(peer) = peer {
            peer.run().await;
        }
    };
    tokio::join!(public.run(), serve_peers, app.admission.disk.watch(shutdown.stop_accepting()));
    Ok(())
}

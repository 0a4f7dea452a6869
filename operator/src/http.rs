//! The operator's own small HTTP server: `/healthz`, `/readyz`, `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// What the server answers from.
#[derive(Debug, Clone)]
pub struct Health {
    metrics: Arc<Metrics>,
    heard: Arc<AtomicBool>,
}

impl Health {
    /// Not ready yet.
    pub fn new(metrics: Arc<Metrics>) -> Health {
        Health { metrics, heard: Arc::default() }
    }

    /// The API server has answered: this replica leads or waits for its turn.
    pub fn hear(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    fn readiness(&self) -> (StatusCode, &'static str) {
        if self.heard.load(Ordering::Relaxed) {
            (StatusCode::OK, "ok\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "the API server has not answered yet\n")
        }
    }
}

/// Binds and serves until `stop`. Answers where it listens, and the task.
pub async fn serve(
    listen: SocketAddr,
    health: Health,
    stop: CancellationToken,
) -> std::io::Result<(SocketAddr, impl Future<Output = std::io::Result<()>>)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let metrics = Arc::clone(&health.metrics);
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || health.readiness()))
        .route("/metrics", get(async move || metrics.text()));
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    Ok((address, server.into_future()))
}

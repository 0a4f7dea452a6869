//! Which path is answered by what. Nothing of the peer port is reachable on the public one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use grepzilla_api::status::Readiness;
use grepzilla_api::{contract, peer};
use http::StatusCode;

use crate::server::answer::{Failure, json, with_body};
use crate::server::app::App;
use crate::server::observe::observe;
use crate::server::trace::TraceId;
use crate::{document, ingest, manifest, peers, search};

/// The HTTP API.
pub(super) fn public(app: Arc<App>) -> Router {
    let routes = Router::new()
        .route("/ingest", post(ingest::handle))
        .route("/search", post(search::handle))
        .route("/tail", get(search::tail::handle))
        .route("/manifest/{shard}", get(manifest::handle))
        .route("/doc/{id}", get(document::get).delete(document::delete))
        .route(contract::HEALTHZ, get(healthz))
        .route(contract::READYZ, get(readyz))
        .route(contract::METRICS, get(metrics))
        .route("/cluster", get(cluster));
    finish(routes, app)
}

/// The peer port: the handshake first, then anything else.
pub(super) fn peer(app: Arc<App>) -> Router {
    let routes = Router::new()
        .route(peer::HELLO_PATH, get(peers::hello))
        .route(peer::SEARCH_PATH, post(peers::search))
        .route(&peer::append_path("{shard}"), post(peers::append))
        .route(&peer::look_up_path("{shard}"), post(peers::look_up))
        .layer(from_fn_with_state(app.clone(), peers::require_handshake));
    finish(routes, app)
}

fn finish(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    routes
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

async fn healthz() -> Response {
    json(StatusCode::OK, &Readiness { ok: true, ..Readiness::default() })
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    let readiness = app.node.readiness();
    json(if readiness.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
}

async fn metrics(State(app): State<Arc<App>>, Extension(trace): Extension<TraceId>) -> Response {
    match app.metrics.scrape(&app.node, &app.admission, app.open_tails()) {
        Ok(text) => with_body(StatusCode::OK, "text/plain; version=0.0.4", text),
        Err(error) => Failure::internal(format!("cannot encode the metrics: {error}")).respond(trace),
    }
}

async fn cluster(State(app): State<Arc<App>>) -> Response {
    json(StatusCode::OK, &app.node.status())
}

async fn no_route(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    Failure::new(StatusCode::NOT_FOUND, "no_such_route", format!("there is nothing at {path}")).respond(trace)
}

async fn no_method(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    let message = format!("{} does not take {}; see the Allow header", request.uri().path(), request.method());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).respond(trace)
}

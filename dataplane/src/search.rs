//! `POST /search`: any node is the root of a search, and every node is a leaf for the shards it holds.
//!
//! The root checks the request once, asks each node that holds shards once, and merges what they answer in time. What does
//! not answer is named and makes the answer partial; it never fails the rest.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use grepzilla_api::search::SearchResponse;
use tokio::time::Instant;

use crate::search::request::Search;
use crate::server::answer::{Failure, respond};
use crate::server::app::App;
use crate::server::body;
use crate::server::trace::TraceId;

mod aggregations;
mod convert;
mod cursor;
pub(crate) mod fuzzing;
pub(crate) mod leaf;
mod merge;
mod plan;
mod request;
mod root;
pub(crate) mod tail;

/// Answers one request.
pub(crate) async fn handle(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let response = respond(search(&app, trace, request, started).await, trace);
    app.metrics.search.answered(response.status(), started.elapsed());
    response
}

async fn search(app: &Arc<App>, trace: TraceId, request: Request, started: Instant) -> Result<SearchResponse, Failure> {
    let (head, body) = request.into_parts();
    let config = &app.node.config.search;
    body::require_json(&head.headers, false)?;
    let body = body::read(&head.headers, body, config.body_bytes_max as usize, &app.admission.bodies).await?;
    let search = Search::read(&body.bytes, config)?;
    drop(body);
    let query = leaf::compile(&search.query).await?;
    root::run(app, trace, search, query, started).await.map(|answer| answer.response)
}

#[cfg(test)]
mod tests;

//! `GET` and `DELETE /doc/{id}`: one document by its id, wherever its shard is led.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use tokio::time::Instant;

use crate::document::address::Address;
use crate::metrics::document::DocumentOperation;
use crate::server::answer::{Failure, json};
use crate::server::app::App;
use crate::server::trace::TraceId;

pub(crate) use crate::document::look_up::look_up_here;

pub(crate) mod address;
mod delete;
mod get;
mod look_up;

/// What the parts of one request share.
struct Asked<'a> {
    app: &'a App,
    trace: TraceId,
    address: Address,
    deadline: Instant,
}

/// Answers `GET /doc/{id}`.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let outcome = match read(&app, trace, id, &uri) {
        Ok(asked) => get::run(&asked).await,
        Err(failure) => Err(failure),
    };
    answer(&app, trace, DocumentOperation::Get, outcome)
}

/// Answers `DELETE /doc/{id}`.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let outcome = match read(&app, trace, id, &uri) {
        Ok(asked) => delete::run(&asked).await,
        Err(failure) => Err(failure),
    };
    answer(&app, trace, DocumentOperation::Delete, outcome)
}

fn read<'a>(
    app: &'a App,
    trace: TraceId,
    id: Result<Path<String>, PathRejection>,
    uri: &Uri,
) -> Result<Asked<'a>, Failure> {
    let (address, time_max) = Address::read(id, uri, &app.node.config.ingest)?;
    Ok(Asked { app, trace, address, deadline: Instant::now() + time_max })
}

fn answer<A: serde::Serialize>(
    app: &App,
    trace: TraceId,
    operation: DocumentOperation,
    outcome: Result<A, Failure>,
) -> Response {
    let response = match outcome {
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(failure) => failure.respond(trace),
    };
    app.metrics.document.answered(operation, response.status());
    response
}

#[cfg(test)]
mod tests;

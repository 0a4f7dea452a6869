//! `GET` and `DELETE /doc/{id}`: one document by its id, wherever its shard is led.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use serde::Serialize;
use tokio::time::Instant;

use crate::document::address::Address;
use crate::metrics::document::DocumentOperation;
use crate::server::answer::{Failure, respond};
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
    answer(&app, trace, DocumentOperation::Get, Asked::read(&app, trace, id, &uri), get::run).await
}

/// Answers `DELETE /doc/{id}`.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    answer(&app, trace, DocumentOperation::Delete, Asked::read(&app, trace, id, &uri), delete::run).await
}

/// Does what was asked, if it can be, and counts it.
async fn answer<A: Serialize>(
    app: &App,
    trace: TraceId,
    operation: DocumentOperation,
    asked: Result<Asked<'_>, Failure>,
    run: impl AsyncFnOnce(&Asked<'_>) -> Result<A, Failure>,
) -> Response {
    let outcome = match &asked {
        Ok(asked) => run(asked).await,
        Err(failure) => Err(failure.clone()),
    };
    let response = respond(outcome, trace);
    app.metrics.document.answered(operation, response.status());
    response
}

impl<'a> Asked<'a> {
    fn read(
        app: &'a App,
        trace: TraceId,
        id: Result<Path<String>, PathRejection>,
        uri: &Uri,
    ) -> Result<Asked<'a>, Failure> {
        let (address, time_max) = Address::read(id, uri, &app.node.config.ingest)?;
        Ok(Asked { app, trace, address, deadline: Instant::now() + time_max })
    }
}

#[cfg(test)]
mod tests;

//! `DELETE /doc/{id}`: one document by its id, wherever its shard is led.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use tokio::time::Instant;

use crate::document::address::Address;
use crate::metrics::document::DocumentOperation;
use crate::server::answer::json;
use crate::server::app::App;
use crate::server::trace::TraceId;

mod address;
mod delete;

/// Answers `DELETE /doc/{id}`.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let outcome = match Address::read(id, &uri, &app.node.config.ingest) {
        Ok((address, time_max)) => delete::run(&app, trace, &address, deadline_after(time_max)).await,
        Err(failure) => Err(failure),
    };
    let response = match outcome {
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(failure) => failure.respond(trace),
    };
    app.metrics.document.answered(DocumentOperation::Delete, response.status());
    response
}

fn deadline_after(time_max: Duration) -> Instant {
    Instant::now() + time_max
}

#[cfg(test)]
mod tests;

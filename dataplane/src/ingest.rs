//! `POST /ingest`: from the bytes of a request to frames in the logs of shards, and to an answer for each document.
//!
//! Any node takes any document: it parses and validates here, and hands each shard's part to that shard's leader. A document
//! enters whole or not at all, and every wait has an end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use grepzilla_api::ingest::IngestResponse;
use grepzilla_model::{Batch, TimeNs};
use tokio::time::Instant;

use crate::ingest::answer::Answered;
use crate::ingest::deliver::deliver_all;
use crate::ingest::documents::Prepared;
use crate::ingest::parameters::Parameters;
use crate::ingest::route::{Route, Routed};
use crate::node::Leader;
use crate::server::answer::{Failure, json};
use crate::server::app::App;
use crate::server::body;
use crate::server::trace::TraceId;

pub(crate) use crate::ingest::deliver::{append_here, deliver};
pub(crate) use crate::ingest::failure::AppendFailure;
pub(crate) use crate::ingest::indexes::Indexes;
pub(crate) use crate::ingest::parameters::check_timeout;

mod answer;
mod deliver;
mod documents;
mod failure;
pub(crate) mod fuzzing;
mod indexes;
mod parameters;
mod route;

/// Answers one request.
pub(crate) async fn handle(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let response = match ingest(&app, trace, request).await {
        Ok(answered) => respond(&answered, trace),
        Err(failure) => failure.respond(trace),
    };
    app.metrics.ingest.answered(response.status(), started.elapsed());
    response
}

fn respond(answered: &Answered, trace: TraceId) -> Response {
    let response = IngestResponse { trace_id: trace.to_string(), ..answered.response.clone() };
    let response = json(answered.status, &response);
    match &answered.failure {
        Some(failure) => {
            failure.log();
            failure.decorate(response)
        }
        None => response,
    }
}

async fn ingest(app: &Arc<App>, trace: TraceId, request: Request) -> Result<Answered, Failure> {
    let (head, body) = request.into_parts();
    let config = &app.node.config.ingest;
    body::require_json(&head.headers, true)?;
    let parameters = Parameters::read(&head.uri, &head.headers, config)?;
    let body_bytes_max = config.body_bytes_max as usize;
    let index_rate = &app.indexes.of(&parameters.index).rate;
    let announced = body::announced_bytes(&head.headers, body_bytes_max);
    let ticket = match app.admission.at_the_door(&app.node, index_rate, announced) {
        Ok(ticket) => ticket,
        Err(refusal) => {
            body::discard_unread(&head.headers, body).await;
            return Err(refusal.into_failure());
        }
    };
    let body = body::read(&head.headers, body, body_bytes_max, &app.admission.bodies).await?;
    ticket.settle(body.bytes.len());
    let (prepared, _share) = documents::prepare(app, body, &parameters).await?;
    tracing::info!(
        bytes = prepared.body_bytes,
        documents = prepared.documents.len(),
        refused = prepared.refused.documents,
        "received"
    );
    app.metrics.ingest.received(prepared.body_bytes, prepared.replaced, prepared.amended);
    let answered = store(app, trace, &parameters, prepared).await?;
    let appended = answered.response.appended - answered.repeated;
    app.metrics.ingest.documents(appended, answered.repeated, answered.refused);
    Ok(answered)
}

/// Sends the documents that are valid to their shards.
async fn store(
    app: &Arc<App>,
    trace: TraceId,
    parameters: &Parameters,
    prepared: Prepared,
) -> Result<Answered, Failure> {
    let Prepared { documents, refused, body_hash, key, .. } = prepared;
    if documents.is_empty() || (parameters.atomic && !refused.is_empty()) {
        return Ok(answer::nothing_entered(refused, parameters.atomic));
    }
    let ring = app.node.topology().ring.clone();
    let reachable = |shard| matches!(app.node.leader_of(shard), Leader::Here(_) | Leader::At { .. });
    let received = TimeNs::from_system(SystemTime::now());
    let route = Route { ring: &ring, index: &parameters.index, key: key.as_deref(), received };
    let parts = route.divide(documents, reachable);
    if parameters.atomic && parts.len() > 1 {
        return Err(answer::atomic_across_shards(&parts));
    }
    let key = documents::hash_of_key(&parameters.index, key.as_deref());
    let parts = parts.into_iter().map(|Routed { shard, positions, records }| {
        let batch = Batch { key, body: body_hash, received, records };
        deliver::Part { shard, positions, batch }
    });
    let parts: Vec<_> = parts.collect();
    deliver::require_frames_fit(&parts)?;
    let deadline = Instant::now() + Duration::from_millis(parameters.timeout_ms);
    let outcomes = deliver_all(app, trace, parts, deadline).await;
    answer::combine(outcomes, refused)
}

#[cfg(test)]
mod tests;

//! `GET /manifest/{shard}?gen=`: what the metadata store holds, so that any node can answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use grepzilla_api::manifest::{ManifestParameters, ManifestResponse};
use grepzilla_cluster::manifests::{self, ManifestReadError};
use grepzilla_model::{Generation, Manifest, ShardId};
use http::StatusCode;
use tokio::time::timeout;

use crate::server::answer::{self, Failure};
use crate::server::app::App;
use crate::server::trace::TraceId;

/// How long the metadata store may take.
const STORE_TIME_MAX: Duration = Duration::from_secs(3);

/// Answers one request.
pub(crate) async fn handle(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    shard: Result<Path<u32>, PathRejection>,
    parameters: Result<Query<ManifestParameters>, QueryRejection>,
) -> Response {
    let outcome = match (shard, parameters) {
        (Ok(Path(shard)), Ok(Query(parameters))) => run(&app, ShardId(shard), parameters.generation).await,
        (Err(_), _) => Err(no_such_shard("a shard is named by a number".to_owned())),
        (_, Err(rejection)) => Err(Failure::bad_request("bad_parameter", rejection.body_text())),
    };
    match outcome {
        Ok(found) => answer::json(StatusCode::OK, &found),
        Err(failure) => failure.respond(trace),
    }
}

async fn run(app: &App, shard: ShardId, generation: Option<Generation>) -> Result<ManifestResponse, Failure> {
    if !app.node.topology().ring.targets.contains_key(&shard) {
        return Err(no_such_shard(format!("the cluster has no shard {shard}")));
    }
    let found = match generation {
        // A shard that has published nothing has an empty manifest.
        None => newest(app, shard).await.map(|newest| Some(newest.unwrap_or_default())),
        Some(generation) => at(app, shard, generation).await,
    };
    let manifest = match found {
        Err(failure) if failure.status == StatusCode::SERVICE_UNAVAILABLE => {
            Some(recorded_here(app, shard, generation).await.ok_or(failure)?)
        }
        found => found?,
    };
    let manifest = manifest.ok_or_else(|| {
        let generation = generation.unwrap_or_default();
        let message = format!(
            "shard {shard} has no generation {generation}: it was never published, or superseded and removed since"
        );
        Failure::new(StatusCode::NOT_FOUND, "no_such_generation", message)
    })?;
    let manifest_error = app.node.held_here(shard).and_then(|held| held.publishing.error());
    Ok(respond(shard, manifest, manifest_error))
}

/// While the store is away: what was published last, as the replica on this node has recorded it, if that is what is wanted.
async fn recorded_here(app: &App, shard: ShardId, wanted: Option<Generation>) -> Option<Manifest> {
    let held = app.node.held_here(shard)?;
    let recorded = tokio::task::spawn_blocking(move || held.log.manifest()).await.ok()?;
    wanted.is_none_or(|wanted| wanted == recorded.generation).then_some(recorded)
}

async fn newest(app: &App, shard: ShardId) -> Result<Option<Manifest>, Failure> {
    let (store, keys) = app.node.metadata();
    of_store(shard, timeout(STORE_TIME_MAX, manifests::newest(store, keys, shard)).await.ok())
}

async fn at(app: &App, shard: ShardId, generation: Generation) -> Result<Option<Manifest>, Failure> {
    let (store, keys) = app.node.metadata();
    of_store(shard, timeout(STORE_TIME_MAX, manifests::at(store, keys, shard, generation)).await.ok())
}

/// What the store said, if it said anything in time.
fn of_store(
    shard: ShardId,
    read: Option<Result<Option<Manifest>, ManifestReadError>>,
) -> Result<Option<Manifest>, Failure> {
    let error = match read {
        Some(Ok(found)) => return Ok(found),
        Some(Err(error)) if !error.retryable() => {
            return Err(Failure::internal(format!("the manifest of shard {shard} cannot be used: {error}")));
        }
        Some(Err(error)) => error.to_string(),
        None => format!("the metadata store did not answer within {} s", STORE_TIME_MAX.as_secs()),
    };
    let message = format!("the manifest of shard {shard} cannot be read now: {error}");
    Err(Failure::unavailable("metadata_unavailable", message))
}

fn respond(shard: ShardId, manifest: Manifest, manifest_error: Option<String>) -> ManifestResponse {
    let Manifest { generation, epoch, base, flushed, segments } = manifest;
    ManifestResponse { shard, generation, epoch, base, flushed, segments, manifest_error }
}

fn no_such_shard(message: String) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "no_such_shard", message)
}

#[cfg(test)]
mod tests;

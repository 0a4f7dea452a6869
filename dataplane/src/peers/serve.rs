//! What the peer port answers to nodes of the same cluster.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use grepzilla_api::peer::{AppendAnswer, Hello, LeafSearchAnswer, LeafSearchRequest, LookUp, LookUpAnswer};
use grepzilla_model::{Batch, ShardId, TimeNs};
use grepzilla_storage::wal::decode_payload;
use grepzilla_storage::wal::frame::PAYLOAD_BYTES_MAX;
use http::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use crate::document::look_up_here;
use crate::ingest::{AppendFailure, append_here};
use crate::node::Leader;
use crate::search::leaf;
use crate::server::answer::{Failure, json, respond};
use crate::server::app::App;
use crate::server::body;
use crate::server::trace::TraceId;

/// Bytes of a look-up: an index, and the largest id with every byte escaped.
const LOOK_UP_BYTES_MAX: usize = 8 << 10;
/// Bytes of a leaf search: thousands of shards with their positions, and the largest pattern.
const SEARCH_BYTES_MAX: usize = 8 << 20;

/// What stands in the place of a shard.
type ShardPath = Result<Path<u32>, PathRejection>;

/// `GET /peer/v1/hello`.
pub(crate) async fn hello(State(app): State<Arc<App>>) -> Response {
    let hello = Hello {
        cluster: app.node.cluster,
        node: app.node.name.clone(),
        incarnation: app.node.incarnation,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    json(StatusCode::OK, &hello)
}

/// `POST /peer/v1/shards/{shard}/append`.
pub(crate) async fn append(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    shard: ShardPath,
    request: Request,
) -> Response {
    respond(append_forwarded(&app, shard, request).await, trace)
}

async fn append_forwarded(app: &App, shard: ShardPath, request: Request) -> Result<AppendAnswer, Failure> {
    let shard = named(shard)?;
    let (head, body) = request.into_parts();
    let body = body::read(&head.headers, body, PAYLOAD_BYTES_MAX, app.admission.peer_bodies()).await?;
    let mut batch = decode_payload(&body.bytes)
        .map_err(|error| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "not_a_batch", error.to_string()))?;
    let _share = body.into_share();
    check_owner(app, shard, &batch)?;
    let Leader::Here(leader) = app.node.leader_of(shard) else {
        return Err(AppendFailure::NotLeader { reason: not_leader(app, shard) }.into_failure(shard));
    };
    // The log's own time is the leader's, not that of whoever forwarded.
    batch.received = TimeNs::from_system(std::time::SystemTime::now());
    let deadline = Instant::now() + Duration::from_millis(app.node.config.ingest.timeout_ms);
    append_here(app, &leader, batch, deadline).await.map_err(|failure| failure.into_failure(shard))
}

/// A batch routed by another ring would put documents where nobody looks for them.
fn check_owner(app: &App, shard: ShardId, batch: &Batch) -> Result<(), Failure> {
    let ring = &app.node.topology().ring;
    match batch.records.iter().find(|record| ring.shard_of(record.bucket) != shard) {
        None => Ok(()),
        Some(record) => {
            let message =
                format!("bucket {} does not belong to shard {shard} in ring version {}", record.bucket, ring.version);
            Err(Failure::new(StatusCode::CONFLICT, "wrong_shard", message)
                .details(json!({ "ring_version": ring.version })))
        }
    }
}

fn not_leader(app: &App, shard: ShardId) -> String {
    match app.node.leader_of(shard) {
        Leader::Here(_) => format!("node {} has just become the leader of shard {shard}", app.node.name),
        Leader::At { node, .. } => format!("shard {shard} is led by node {node}"),
        Leader::ReadOnlyHere { reason, .. } | Leader::Nobody { reason } => reason,
    }
}

/// `POST /peer/v1/shards/{shard}/look-up`.
pub(crate) async fn look_up(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    shard: ShardPath,
    request: Request,
) -> Response {
    respond(look_up_forwarded(&app, shard, request).await, trace)
}

async fn look_up_forwarded(app: &App, shard: ShardPath, request: Request) -> Result<LookUpAnswer, Failure> {
    let shard = named(shard)?;
    let (head, body) = request.into_parts();
    let body = body::read(&head.headers, body, LOOK_UP_BYTES_MAX, app.admission.peer_bodies()).await?;
    let wanted: LookUp = serde_json::from_slice(&body.bytes)
        .map_err(|error| Failure::bad_request("malformed_request", format!("not a look-up: {error}")))?;
    match app.node.leader_of(shard) {
        Leader::Here(held) | Leader::ReadOnlyHere { shard: held, .. } => look_up_here(&held, wanted).await,
        Leader::At { .. } | Leader::Nobody { .. } => {
            Err(AppendFailure::NotLeader { reason: not_leader(app, shard) }.into_failure(shard))
        }
    }
}

fn named(shard: ShardPath) -> Result<ShardId, Failure> {
    let not_a_shard = |_| Failure::new(StatusCode::NOT_FOUND, "no_such_shard", "a shard is named by a number");
    shard.map(|Path(shard)| ShardId(shard)).map_err(not_a_shard)
}

/// `POST /peer/v1/search`.
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    request: Request,
) -> Response {
    respond(search_shards(&app, request).await, trace)
}

async fn search_shards(app: &App, request: Request) -> Result<LeafSearchAnswer, Failure> {
    let (head, body) = request.into_parts();
    let body = body::read(&head.headers, body, SEARCH_BYTES_MAX, app.admission.peer_bodies()).await?;
    let search: LeafSearchRequest = serde_json::from_slice(&body.bytes)
        .map_err(|error| Failure::bad_request("malformed_request", format!("not a leaf search: {error}")))?;
    let query = leaf::compile(&search.query).await?;
    Ok(leaf::search(app, query, search).await)
}

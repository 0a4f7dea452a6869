//! Brings each shard's part of a request into that shard's log: here, or through the peer port of its leader.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use grepzilla_api::peer::{AppendAnswer, NOT_LEADER};
use grepzilla_model::{Batch, ShardId};
use grepzilla_storage::wal::encode_payload;
use grepzilla_storage::wal::frame::PAYLOAD_BYTES_MAX;
use grepzilla_storage::wal::payload::payload_bytes;
use grepzilla_storage::{AppendError, Appended};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::metrics::peers::{PeerOperation, PeerOutcome};
use crate::node::{Leader, LeaderShard};
use crate::peers::PeerFailure;
use crate::server::answer::Failure;
use crate::server::app::App;
use crate::server::trace::TraceId;

/// What a node that was taken for the leader by mistake gives the news to arrive before it is looked up again.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);
/// The code of a batch that may or may not be in the log.
const UNKNOWN_OUTCOME: &str = "unknown_outcome";

/// What one shard gets.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) shard: ShardId,
    /// The place of each record in the request.
    pub(super) positions: Vec<usize>,
    pub(super) batch: Batch,
}

/// What became of a part.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) shard: ShardId,
    /// The place of each record in the request, and its id.
    pub(super) documents: Vec<(usize, Option<Arc<str>>)>,
    pub(super) outcome: Result<AppendAnswer, Failure>,
}

/// Why a batch is not, or not known to be, in its log.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum AppendFailure {
    #[error("{reason}")]
    NoLeader { reason: String },
    #[error("{reason}")]
    NotLeader { reason: String },
    #[error("{backlog_bytes} bytes are waiting for the log, more are not taken")]
    QueueFull { backlog_bytes: usize, backlog_ms: u64 },
    #[error(transparent)]
    Refused(AppendError),
    #[error("the batch was sent to the log, and no answer came in time: it may be stored or not")]
    NoAnswer,
    #[error(transparent)]
    Peer(#[from] PeerFailure),
}

impl AppendFailure {
    /// What the client is told.
    pub(crate) fn into_failure(self, shard: ShardId) -> Failure {
        let message = format!("shard {shard}: {self}");
        match self {
            AppendFailure::NoLeader { .. } => Failure::unavailable("no_leader", message),
            AppendFailure::NotLeader { .. } => Failure::new(StatusCode::MISDIRECTED_REQUEST, NOT_LEADER, message),
            AppendFailure::NoAnswer => Failure::unavailable(UNKNOWN_OUTCOME, message),
            AppendFailure::QueueFull { backlog_bytes, backlog_ms } => Failure::unavailable("queue_full", message)
                .details(json!({ "backlog_bytes": backlog_bytes, "backlog_ms": backlog_ms })),
            AppendFailure::Refused(error) => of_log(&error, message),
            AppendFailure::Peer(PeerFailure::Unreachable { .. }) => Failure::unavailable("unreachable", message),
            AppendFailure::Peer(PeerFailure::NoAnswer { .. }) => {
                let message = format!("{message}; the documents may be stored or not");
                Failure::unavailable(UNKNOWN_OUTCOME, message)
            }
            AppendFailure::Peer(PeerFailure::Refused { status, code, message, details, .. }) => {
                relayed(shard, status, code, message, details)
            }
        }
    }
}

fn of_log(error: &AppendError, message: String) -> Failure {
    match error {
        AppendError::NoSpace => Failure::new(StatusCode::INSUFFICIENT_STORAGE, "no_space", message).retry_after(10),
        AppendError::TooLarge { bytes, bytes_max } => {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "batch_too_large", message)
                .details(json!({ "batch_bytes": bytes, "limit_bytes": bytes_max }))
        }
        AppendError::QueueFull { .. } => Failure::unavailable("queue_full", message),
        AppendError::NoEpoch | AppendError::StaleEpoch { .. } | AppendError::Closed => {
            Failure::unavailable("no_leader", message)
        }
        AppendError::Died(_) => Failure::unavailable(UNKNOWN_OUTCOME, message),
    }
}

/// What a leader says to this node is what the client is told, but for what only concerns the two of them.
fn relayed(shard: ShardId, status: StatusCode, code: String, message: String, details: Value) -> Failure {
    match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE | StatusCode::PAYLOAD_TOO_LARGE => {
            let failure = Failure::new(status, code, message).details(details);
            if status == StatusCode::PAYLOAD_TOO_LARGE { failure } else { failure.retry_after(1) }
        }
        StatusCode::MISDIRECTED_REQUEST => Failure::unavailable("no_leader", message),
        _ => Failure::unavailable(
            "unreachable",
            format!("shard {shard}: its leader answered {status} {code}: {message}"),
        ),
    }
}

/// Refuses a request with a part that no frame can hold, before any of it enters.
pub(super) fn require_frames_fit(parts: &[Part]) -> Result<(), Failure> {
    let largest = parts.iter().map(|part| payload_bytes(&part.batch)).max().unwrap_or(0);
    if largest <= PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "the batch takes {largest} bytes in the log, {PAYLOAD_BYTES_MAX} at most: send fewer documents at once"
    );
    let failure = Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "batch_too_large", message);
    Err(failure.details(json!({ "batch_bytes": largest, "limit_bytes": PAYLOAD_BYTES_MAX })))
}

/// Delivers every part, all at once, each until `deadline` at most.
pub(super) async fn deliver_all(app: &App, trace: TraceId, parts: Vec<Part>, deadline: Instant) -> Vec<Delivered> {
    let deliver_one = |part: Part| async move {
        let ids = part.batch.records.iter().map(|record| record.id.clone());
        let documents = part.positions.iter().copied().zip(ids).collect();
        let outcome = deliver(app, trace, part.shard, part.batch, deadline).await;
        let outcome = outcome.map_err(|failure| failure.into_failure(part.shard));
        Delivered { shard: part.shard, documents, outcome }
    };
    join_all(parts.into_iter().map(deliver_one)).await
}

async fn deliver(
    app: &App,
    trace: TraceId,
    shard: ShardId,
    batch: Batch,
    deadline: Instant,
) -> Result<AppendAnswer, AppendFailure> {
    let (node, peer) = match app.node.leader_of(shard) {
        Leader::Here(leader) => return append_here(&leader, batch, deadline).await,
        Leader::At { node, peer } => (node, peer),
        Leader::ReadOnlyHere { reason, .. } | Leader::Nobody { reason } => {
            return Err(AppendFailure::NoLeader { reason });
        }
    };
    let payload = Bytes::from(encode_payload(&batch));
    tracing::info!(%shard, to = %node, records = batch.records.len(), bytes = payload.len(), "forwarded");
    match forward(app, trace, shard, &peer, payload.clone(), deadline).await {
        Err(PeerFailure::Refused { code, .. }) if code == NOT_LEADER => {}
        outcome => return Ok(outcome?),
    }
    // Leadership has just moved, and nothing was done: look again once.
    sleep(REFRESH_PAUSE).await;
    match app.node.leader_of(shard) {
        Leader::Here(leader) => append_here(&leader, batch, deadline).await,
        Leader::At { peer, .. } => Ok(forward(app, trace, shard, &peer, payload, deadline).await?),
        Leader::ReadOnlyHere { reason, .. } | Leader::Nobody { reason } => Err(AppendFailure::NoLeader { reason }),
    }
}

async fn forward(
    app: &App,
    trace: TraceId,
    shard: ShardId,
    peer: &str,
    payload: Bytes,
    deadline: Instant,
) -> Result<AppendAnswer, PeerFailure> {
    let time_max = deadline.saturating_duration_since(Instant::now());
    let outcome = app.peers.append(peer, shard, payload, trace, time_max).await;
    let word = outcome.as_ref().map_or_else(PeerFailure::outcome, |_| PeerOutcome::Done);
    app.metrics.peers.ended(PeerOperation::Append, word);
    outcome
}

/// Appends a batch to a log of this node and waits for its acknowledgement.
pub(crate) async fn append_here(
    leader: &LeaderShard,
    batch: Batch,
    deadline: Instant,
) -> Result<AppendAnswer, AppendFailure> {
    let (sender, receiver) = oneshot::channel();
    let done = move |outcome: Result<Appended, AppendError>| {
        // Whoever waited may have given up; the batch is in the log all the same.
        let _ = sender.send(outcome);
    };
    leader.log.append(batch, Box::new(done)).map_err(|error| of_append(leader, error))?;
    let answered = timeout_at(deadline, receiver).await.map_err(|_| AppendFailure::NoAnswer)?;
    let appended = answered.map_err(|_| AppendFailure::NoAnswer)?.map_err(|error| of_append(leader, error))?;
    let Appended { epoch, first_seq, last_seq, durability } = appended;
    tracing::info!(shard = %leader.shard, %epoch, %first_seq, %last_seq, "appended frame");
    Ok(AppendAnswer { epoch, first_seq, last_seq, durability })
}

fn of_append(leader: &LeaderShard, error: AppendError) -> AppendFailure {
    match error {
        AppendError::QueueFull { backlog_bytes } => {
            AppendFailure::QueueFull { backlog_bytes, backlog_ms: backlog_ms(leader, backlog_bytes) }
        }
        error => AppendFailure::Refused(error),
    }
}

/// How long a backlog will take, going by what the log's syncs have taken for each byte so far.
fn backlog_ms(leader: &LeaderShard, backlog_bytes: usize) -> u64 {
    let log = leader.log.stats().log;
    let seconds_per_byte = log.fsync.seconds / log.bytes_written.max(1) as f64;
    (backlog_bytes as f64 * seconds_per_byte * 1e3).ceil() as u64
}

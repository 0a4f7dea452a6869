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
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::ingest::failure::AppendFailure;
use crate::metrics::peers::{PeerOperation, PeerOutcome};
use crate::node::{Leader, LeaderShard};
use crate::peers::PeerFailure;
use crate::server::answer::Failure;
use crate::server::app::App;
use crate::server::trace::TraceId;

/// What a node that was taken for the leader by mistake gives the news to arrive before it is looked up again.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

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

/// Brings a batch into the log of a shard, wherever that is led, and waits for its acknowledgement until `deadline`.
pub(crate) async fn deliver(
    app: &App,
    trace: TraceId,
    shard: ShardId,
    batch: Batch,
    deadline: Instant,
) -> Result<AppendAnswer, AppendFailure> {
    let (node, peer) = match app.node.leader_of(shard) {
        Leader::Here(leader) => return append_here(app, &leader, batch, deadline).await,
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
        Leader::Here(leader) => append_here(app, &leader, batch, deadline).await,
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
    app: &App,
    leader: &LeaderShard,
    batch: Batch,
    deadline: Instant,
) -> Result<AppendAnswer, AppendFailure> {
    app.admission.at_the_log(&app.node, leader)?;
    let (sender, receiver) = oneshot::channel();
    let done = move |outcome: Result<Appended, AppendError>| {
        // Whoever waited may have given up; the batch is in the log all the same.
        let _ = sender.send(outcome);
    };
    leader.log.append(batch, Box::new(done)).map_err(|error| of_append(leader, error))?;
    let answered = timeout_at(deadline, receiver).await.map_err(|_| AppendFailure::NoAnswer)?;
    let appended = answered.map_err(|_| AppendFailure::NoAnswer)?.map_err(|error| of_append(leader, error))?;
    let Appended { epoch, first_seq, last_seq, durability, repeated } = appended;
    tracing::info!(shard = %leader.shard, %epoch, %first_seq, %last_seq, repeated, "appended frame");
    Ok(AppendAnswer { epoch, first_seq, last_seq, durability, repeated })
}

fn of_append(leader: &LeaderShard, error: AppendError) -> AppendFailure {
    let backlog_ms = match error {
        AppendError::QueueFull { backlog_bytes } => backlog_ms(leader, backlog_bytes),
        _ => 0,
    };
    AppendFailure::Refused { error, backlog_ms }
}

/// How long a backlog will take, going by what the log's syncs have taken for each byte so far.
fn backlog_ms(leader: &LeaderShard, backlog_bytes: usize) -> u64 {
    let log = leader.log.stats().log;
    let seconds_per_byte = log.fsync.seconds / log.bytes_written.max(1) as f64;
    (backlog_bytes as f64 * seconds_per_byte * 1e3).ceil() as u64
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{BodyHash, Bucket, IndexName, KeyHash, Record, RecordKind, TimeNs};

    use super::*;

    fn part(source_bytes: usize) -> Part {
        let record = Record {
            kind: RecordKind::Put,
            bucket: Bucket(0),
            index: IndexName::default(),
            id: None,
            time: TimeNs(0),
            source: "x".repeat(source_bytes).into(),
        };
        let (key, body) = (KeyHash::default(), BodyHash::default());
        let batch = Batch { key, body, received: TimeNs(0), records: vec![record] };
        Part { shard: ShardId(0), positions: vec![0], batch }
    }

    #[test]
    fn a_part_that_no_frame_can_hold_is_a_413_with_both_sizes() {
        let overhead = payload_bytes(&part(0).batch);
        assert!(require_frames_fit(&[part(5), part(PAYLOAD_BYTES_MAX - overhead)]).is_ok());
        let failure = require_frames_fit(&[part(5), part(PAYLOAD_BYTES_MAX - overhead + 1)]).expect_err("too large");
        assert_eq!(failure.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(failure.details, json!({ "batch_bytes": PAYLOAD_BYTES_MAX + 1, "limit_bytes": PAYLOAD_BYTES_MAX }));
    }
}

//! Why a batch is not, or not known to be, in its log, and what the client is told of it.
//!
//! Promise: every code but `unknown_outcome` says that nothing of the batch was written.

use grepzilla_api::peer::NOT_LEADER;
use grepzilla_model::ShardId;
use grepzilla_storage::AppendError;
use http::StatusCode;
use serde_json::{Value, json};

use crate::admission::Refusal;
use crate::peers::PeerFailure;
use crate::server::answer::Failure;

/// The code of a batch that may or may not be in the log.
const UNKNOWN_OUTCOME: &str = "unknown_outcome";

/// The code of a batch whose key was used for another body.
const KEY_REUSED: &str = "key_reused";

/// Why a batch is not, or not known to be, in its log.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum AppendFailure {
    #[error("{reason}")]
    NoLeader { reason: String },
    #[error("{reason}")]
    NotLeader { reason: String },
    #[error(transparent)]
    Full(#[from] Refusal),
    /// `backlog_ms`: how long what waits will take; 0 where nothing waits.
    #[error("{error}")]
    Refused { error: AppendError, backlog_ms: u64 },
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
            AppendFailure::Full(refusal) => refusal.into_failure(),
            AppendFailure::NoAnswer => Failure::unavailable(UNKNOWN_OUTCOME, message),
            AppendFailure::Refused { error, backlog_ms } => of_log(&error, backlog_ms, message),
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

fn of_log(error: &AppendError, backlog_ms: u64, message: String) -> Failure {
    match error {
        AppendError::NoSpace => Failure::new(StatusCode::INSUFFICIENT_STORAGE, "no_space", message).retry_after(10),
        AppendError::TooLarge { bytes, bytes_max } => {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "batch_too_large", message)
                .details(json!({ "batch_bytes": bytes, "limit_bytes": bytes_max }))
        }
        AppendError::QueueFull { backlog_bytes } => Failure::unavailable("queue_full", message)
            .details(json!({ "backlog_bytes": backlog_bytes, "backlog_ms": backlog_ms })),
        AppendError::NoEpoch | AppendError::StaleEpoch { .. } | AppendError::Closed => {
            Failure::unavailable("no_leader", message)
        }
        AppendError::ReadOnly => Failure::unavailable("read_only", message),
        AppendError::KeyReused => Failure::new(StatusCode::CONFLICT, KEY_REUSED, message),
        AppendError::Died(_) => Failure::unavailable(UNKNOWN_OUTCOME, message),
    }
}

/// What a leader says to this node is what the client is told, but for what only concerns the two of them.
fn relayed(shard: ShardId, status: StatusCode, code: String, message: String, details: Value) -> Failure {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(status, code, message).details(details),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => {
            Failure::new(status, code, message).details(details).retry_after(1)
        }
        StatusCode::MISDIRECTED_REQUEST => Failure::unavailable("no_leader", message),
        StatusCode::CONFLICT if code == KEY_REUSED => Failure::new(status, code, message),
        _ => {
            // Refused at its door nothing was done; after that nobody knows.
            let code_for_client = if status.is_client_error() { "unreachable" } else { UNKNOWN_OUTCOME };
            let message = format!("shard {shard}: its leader answered {status} {code}: {message}");
            Failure::unavailable(code_for_client, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> AppendFailure {
        let status = StatusCode::from_u16(status).expect("a status");
        let (peer, code, details) = ("p".to_owned(), code.to_owned(), json!({ "backlog_ms": 7 }));
        AppendFailure::Peer(PeerFailure::Refused { peer, status, code, message: "said so".to_owned(), details })
    }

    #[test]
    fn the_word_of_a_leader_is_passed_on_unless_it_concerns_the_nodes_alone() {
        for (failure, status, code, has_details) in [
            (refused(503, "queue_full"), 503, "queue_full", true),
            (refused(503, "unknown_outcome"), 503, "unknown_outcome", true),
            (refused(507, "no_space"), 507, "no_space", true),
            (refused(413, "batch_too_large"), 413, "batch_too_large", true),
            (refused(421, "not_leader"), 503, "no_leader", false),
            (refused(409, "key_reused"), 409, "key_reused", false),
            (refused(409, "wrong_shard"), 503, "unreachable", false),
            (refused(401, "wrong_secret"), 503, "unreachable", false),
            (refused(500, "internal"), 503, "unknown_outcome", false),
        ] {
            let told = failure.into_failure(ShardId(3));
            assert_eq!(
                (told.status.as_u16(), told.code.as_ref(), !told.details.is_null()),
                (status, code, has_details)
            );
            assert_eq!(told.retry_after_seconds.is_some(), status >= 500, "{code}");
        }
    }

    #[test]
    fn only_what_may_have_been_written_is_called_unknown() {
        let of_log = |error| AppendFailure::Refused { error, backlog_ms: 0 }.into_failure(ShardId(0)).code;
        for error in [AppendError::Closed, AppendError::NoEpoch, AppendError::NoSpace] {
            assert_ne!(of_log(error), UNKNOWN_OUTCOME);
        }
        let silent = PeerFailure::NoAnswer { peer: "p".to_owned(), reason: "silence".to_owned() };
        let absent = PeerFailure::Unreachable { peer: "p".to_owned(), reason: "nobody".to_owned() };
        assert_eq!(AppendFailure::Peer(silent).into_failure(ShardId(0)).code, UNKNOWN_OUTCOME);
        assert_eq!(AppendFailure::NoAnswer.into_failure(ShardId(0)).code, UNKNOWN_OUTCOME);
        assert_eq!(AppendFailure::Peer(absent).into_failure(ShardId(0)).code, "unreachable");
    }
}

//! What can go wrong between a client and a node, told apart by what it means for the request.

use std::time::Duration;

use http::StatusCode;
use reqwest::Url;

use crate::error::ErrorBody;

/// Codes of a 5xx by which a node says that nothing of a batch was written: it is not ready, has no room for the body, in the
/// shard's queue, in memory or on the disk, or the shard has no leader, or none that can be reached. `unknown_outcome` says the opposite.
const NOTHING_WAS_WRITTEN: [&str; 7] =
    ["starting", "overloaded", "queue_full", "hot_tier_full", "no_space", "no_leader", "unreachable"];

/// A request that did not get the answer it asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not one.
    #[error("{address:?} is not the address of a node: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The key cannot stand in a header.
    #[error("{key:?} cannot be an Idempotency-Key: only visible ASCII characters and spaces can stand in a header")]
    Key {
        /// What was given.
        key: String,
    },
    /// The id cannot stand in a path.
    #[error("{id:?} cannot be asked for: it has no place in a URL")]
    Id {
        /// What was given.
        id: String,
    },
    /// The client could not be made, for example because the machine has no certificates.
    #[error("cannot prepare connections")]
    Setup {
        /// Why.
        source: reqwest::Error,
    },
    /// No connection: the request was never sent.
    #[error("cannot connect to {address}")]
    Unreachable {
        /// Who was asked.
        address: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// The request was sent, or a part of it, and no whole answer came: what became of it is unknown.
    #[error("no answer from {address}, so what became of the request is unknown")]
    Unanswered {
        /// Who was asked.
        address: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// The node said no.
    #[error("{} ({status}, {})", error.message, error.code)]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// What the node says.
        error: ErrorBody,
        /// When the node wants to be asked again.
        retry_after: Option<Duration>,
        /// The request's trace id.
        trace_id: String,
    },
    /// An answer that no node gives: something else answers at that address.
    #[error("the answer ({status}) is not one of a Grepzilla node: {reason}")]
    Malformed {
        /// The answer's status.
        status: StatusCode,
        /// What the parser says.
        reason: String,
    },
}

impl ClientError {
    /// Whether the request certainly had no effect: it was never sent, or the node says that it did nothing.
    pub fn nothing_was_done(&self) -> bool {
        match self {
            ClientError::Address { .. }
            | ClientError::Key { .. }
            | ClientError::Id { .. }
            | ClientError::Setup { .. }
            | ClientError::Unreachable { .. } => true,
            ClientError::Refused { status, error, .. } => {
                status.is_client_error() || NOTHING_WAS_WRITTEN.contains(&error.code.as_str())
            }
            ClientError::Unanswered { .. } | ClientError::Malformed { .. } => false,
        }
    }

    /// Whether the same request may succeed a little later.
    pub fn may_pass(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } => true,
            // Asking again after a timeout would only wait as long again.
            ClientError::Unanswered { source, .. } => !source.is_timeout(),
            ClientError::Refused { status, .. } => {
                matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            }
            ClientError::Address { .. }
            | ClientError::Key { .. }
            | ClientError::Id { .. }
            | ClientError::Setup { .. }
            | ClientError::Malformed { .. } => false,
        }
    }

    /// When the node wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ClientError::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The error of a request that failed below HTTP.
    pub(crate) fn of_transport(address: &Url, source: reqwest::Error) -> ClientError {
        let address = address.clone();
        if source.is_connect() {
            ClientError::Unreachable { address, source }
        } else {
            ClientError::Unanswered { address, source }
        }
    }
}

//! The client for other nodes: a pool of connections, the handshake with every request, and a bound on every wait.
//!
//! Promise: a failure says whether the peer may have acted. `Unreachable` means that it did nothing; `Refused` carries its
//! own word for what it did.

use std::time::Duration;

use bytes::Bytes;
use grepzilla_api::error::ErrorResponse;
use grepzilla_api::peer::{self, AppendAnswer, LeafSearchAnswer, LeafSearchRequest, LookUp, LookUpAnswer};
use grepzilla_model::ShardId;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use reqwest::redirect;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::metrics::peers::PeerOutcome;
use crate::node::Node;
use crate::peers::handshake;
use crate::server::trace::{TRACEPARENT, TraceId};

/// What a connection to a peer may take: it is in the same cluster, or it is not there.
const CONNECT_TIME_MAX: Duration = Duration::from_millis(500);
/// How long an idle connection is kept: less than the peer's patience with a silent one, so that the two do not cross.
const IDLE_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of one answer: a page of hits of several shards, with room to spare.
const ANSWER_BYTES_MAX: usize = 128 << 20;

/// Speaks to the peer ports of the cluster.
#[derive(Debug)]
pub(crate) struct PeerClient {
    http: reqwest::Client,
}

/// Why a peer did not do what it was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum PeerFailure {
    /// No connection: the request was never sent.
    #[error("{peer} cannot be reached: {reason}")]
    Unreachable { peer: String, reason: String },
    /// The request was sent; whether it was done is not known.
    #[error("{peer} did not answer: {reason}")]
    NoAnswer { peer: String, reason: String },
    /// The peer answered with an error.
    #[error("{peer} answered {status} {code}: {message}")]
    Refused { peer: String, status: StatusCode, code: String, message: String, details: Value },
}

impl PeerFailure {
    /// The word for it in the metrics.
    pub(crate) fn outcome(&self) -> PeerOutcome {
        match self {
            PeerFailure::Unreachable { .. } => PeerOutcome::Unreachable,
            PeerFailure::NoAnswer { .. } => PeerOutcome::NoAnswer,
            PeerFailure::Refused { .. } => PeerOutcome::Refused,
        }
    }
}

impl PeerClient {
    /// A client that presents itself as this node.
    pub(crate) fn new(node: &Node) -> Result<PeerClient, reqwest::Error> {
        // Peers are addressed directly and in plain text: no proxy of the environment, no redirect that would carry the
        // secret elsewhere, no certificates to load.
        let http = reqwest::Client::builder()
            .default_headers(handshake::headers(node))
            .connect_timeout(CONNECT_TIME_MAX)
            .pool_idle_timeout(IDLE_TIME_MAX)
            .redirect(redirect::Policy::none())
            .tls_certs_only([])
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .build()?;
        Ok(PeerClient { http })
    }

    /// Forwards the payload of a frame to the leader of its shard.
    pub(crate) async fn append(
        &self,
        peer: &str,
        shard: ShardId,
        payload: Bytes,
        trace: TraceId,
        time_max: Duration,
    ) -> Result<AppendAnswer, PeerFailure> {
        let path = peer::append_path(&shard.to_string());
        let request = self.http.post(format!("http://{peer}{path}")).body(payload);
        send(peer, request.header(CONTENT_TYPE, "application/octet-stream"), trace, time_max).await
    }

    /// Asks a node that holds a shard for one document of it.
    pub(crate) async fn look_up(
        &self,
        peer: &str,
        shard: ShardId,
        wanted: &LookUp,
        trace: TraceId,
        time_max: Duration,
    ) -> Result<LookUpAnswer, PeerFailure> {
        let path = peer::look_up_path(&shard.to_string());
        send(peer, self.http.post(format!("http://{peer}{path}")).json(wanted), trace, time_max).await
    }

    /// Asks a node to search some of its shards.
    pub(crate) async fn search(
        &self,
        peer: &str,
        search: &LeafSearchRequest,
        trace: TraceId,
        time_max: Duration,
    ) -> Result<LeafSearchAnswer, PeerFailure> {
        let request = self.http.post(format!("http://{peer}{}", peer::SEARCH_PATH)).json(search);
        send(peer, request, trace, time_max).await
    }
}

async fn send<A: DeserializeOwned>(
    peer: &str,
    request: reqwest::RequestBuilder,
    trace: TraceId,
    time_max: Duration,
) -> Result<A, PeerFailure> {
    let request = request.header(TRACEPARENT, trace.traceparent()).timeout(time_max);
    let answer = request.send().await.map_err(|error| of_transport(peer, &error))?;
    let status = answer.status();
    let body = collect(peer, answer).await?;
    let unreadable =
        |error: serde_json::Error| no_answer(peer, format!("status {status} with an unreadable body: {error}"));
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(unreadable);
    }
    let ErrorResponse { error, .. } = serde_json::from_slice(&body).map_err(unreadable)?;
    Err(PeerFailure::Refused {
        peer: peer.to_owned(),
        status,
        code: error.code,
        message: error.message,
        details: error.details,
    })
}

async fn collect(peer: &str, mut answer: reqwest::Response) -> Result<Vec<u8>, PeerFailure> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| no_answer(peer, describe(&error)))? {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(no_answer(peer, format!("its answer is larger than {ANSWER_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn of_transport(peer: &str, error: &reqwest::Error) -> PeerFailure {
    if error.is_connect() || error.is_builder() {
        return PeerFailure::Unreachable { peer: peer.to_owned(), reason: describe(error) };
    }
    no_answer(peer, describe(error))
}

fn no_answer(peer: &str, reason: String) -> PeerFailure {
    PeerFailure::NoAnswer { peer: peer.to_owned(), reason }
}

/// The innermost cause, which says more than the layers around it.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

//! What a node answers before it knows which cluster it is in: it is alive, not ready, and says what it waits for.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use grepzilla_api::contract;
use grepzilla_api::error::{ErrorBody, ErrorResponse};
use grepzilla_api::status::Readiness;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long requests that were taken may go on once the node knows its cluster.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

/// The open waiting room.
#[derive(Debug)]
pub(super) struct WaitingRoom {
    reason: Arc<Mutex<String>>,
    leave: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl WaitingRoom {
    /// Answers on a second handle of the node's socket, so that closing the room closes nothing else.
    pub(super) fn open(listener: &TcpListener, reason: String) -> std::io::Result<WaitingRoom> {
        let second_handle = std::net::TcpListener::from(listener.as_fd().try_clone_to_owned()?);
        let listener = TcpListener::from_std(second_handle)?;
        let reason = Arc::new(Mutex::new(reason));
        let leave = CancellationToken::new();
        let routes = axum::Router::new()
            .route(contract::HEALTHZ, get(async || Json(Readiness { ok: true, ..Readiness::default() })))
            .route(contract::READYZ, get(readyz))
            .fallback(starting)
            .with_state(reason.clone());
        let left = leave.clone();
        let serve = axum::serve(listener, routes).with_graceful_shutdown(async move { left.cancelled().await });
        Ok(WaitingRoom { reason, leave, task: tokio::spawn(serve.into_future()) })
    }

    /// Says what is waited for from now on.
    pub(super) fn says(&self, reason: String) {
        *self.reason.lock() = reason;
    }

    /// Stops answering; what was asked is answered.
    pub(super) async fn close(mut self) {
        self.leave.cancel();
        if tokio::time::timeout(CLOSE_TIME_MAX, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for WaitingRoom {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn readyz(State(reason): State<Arc<Mutex<String>>>) -> (StatusCode, Json<Readiness>) {
    let reasons = vec![reason.lock().clone()];
    (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { reasons, ..Readiness::default() }))
}

async fn starting(
    State(reason): State<Arc<Mutex<String>>>,
) -> (StatusCode, [(&'static str, &'static str); 1], Json<ErrorResponse>) {
    let message = format!("the node is starting: {}", reason.lock());
    let error = ErrorBody { code: "starting".to_owned(), message, details: Value::Null };
    let answer = ErrorResponse { error, trace_id: Uuid::new_v4().simple().to_string() };
    (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], Json(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_room_says_what_is_waited_for_and_gives_the_socket_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let room = WaitingRoom::open(&listener, "waiting for the ring".to_owned()).expect("opens");
        let answer = reqwest::get(format!("{url}/healthz")).await.expect("answers");
        assert!(answer.json::<Readiness>().await.expect("JSON").ok);
        let answer = reqwest::get(format!("{url}/readyz")).await.expect("answers");
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.json::<Readiness>().await.expect("JSON").reasons, ["waiting for the ring"]);
        room.says("etcd is away".to_owned());
        let answer = reqwest::get(format!("{url}/search")).await.expect("answers");
        assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
        let answer = answer.json::<ErrorResponse>().await.expect("JSON");
        assert!(answer.error.message.contains("etcd is away"), "{answer:?}");
        room.close().await;
        let connected = tokio::net::TcpStream::connect(listener.local_addr().expect("bound"));
        let (accepted, connected) = tokio::join!(listener.accept(), connected);
        assert!(accepted.is_ok() && connected.is_ok());
    }
}

//! The accept loop of one port: HTTP/1.1 and HTTP/2 on plain TCP, bounded in connections, headers and time, with an end
//! that lets what runs finish.
//!
//! Promise: [`AcceptLoop::run`] returns only when every connection it accepted is gone.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::server::stall::StallGuard;
use crate::shutdown::ShutdownSignals;

/// Connections of one port at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// What a client may take until its first request has arrived, and for the headers of each one after it.
pub(super) const HEADER_TIME_MAX: Duration = Duration::from_secs(30);
/// What a client may pause while it reads its answer.
const STALL_TIME_MAX: Duration = Duration::from_secs(60);
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Bytes of the headers of one request.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// How often a silent HTTP/2 connection is asked whether it lives, and how long its answer may take.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// What requests may still take once nothing new is accepted.
const FINISH_TIME_MAX: Duration = Duration::from_secs(30);
/// The pause after an accept that failed, for instance because file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One port and what answers on it.
pub(super) struct AcceptLoop {
    /// For the log: `http` or `peer`.
    pub(super) port: &'static str,
    /// Bound already.
    pub(super) listener: TcpListener,
    /// The routes.
    pub(super) router: Router,
    /// When to end.
    pub(super) shutdown: ShutdownSignals,
    /// [`HEADER_TIME_MAX`], but for tests that do not have that long.
    pub(super) header_time_max: Duration,
}

impl AcceptLoop {
    /// Serves until `stop_accepting`, then lets the requests that run finish, within a bound.
    pub(super) async fn run(self) {
        let connections = TaskTracker::new();
        let (finish, abort) = (CancellationToken::new(), CancellationToken::new());
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut stop = pin!(self.shutdown.stop_accepting());
        loop {
            let (stream, slot) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&self.listener, &slots) => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(port = self.port, %error, "cannot accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let served = serve_connection(stream, self.router.clone(), self.header_time_max, finish.clone());
            let abort = abort.clone();
            connections.spawn(async move {
                let _slot = slot;
                abort.run_until_cancelled(served).await;
            });
        }
        drop(self.listener);
        finish.cancel();
        connections.close();
        if tokio::time::timeout(FINISH_TIME_MAX, connections.wait()).await.is_err() {
            tracing::warn!(port = self.port, connections = connections.len(), "requests were cut off by the shutdown");
            abort.cancel();
            connections.wait().await;
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Result<(TcpStream, OwnedSemaphorePermit), std::io::Error> {
    let slot = slots.clone().acquire_owned().await.expect("nobody closes the semaphore");
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, slot))
}

/// Serves one connection until its client leaves, breaks the protocol or is too slow, or `finish` asks for its end.
async fn serve_connection(stream: TcpStream, router: Router, header_time_max: Duration, finish: CancellationToken) {
    let requested = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let requested = requested.clone();
        move |request: Request<Incoming>| {
            requested.store(true, Ordering::Relaxed);
            answer(router.clone(), request)
        }
    });
    let builder = builder(header_time_max);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(StallGuard::new(stream, STALL_TIME_MAX)), service));
    // The header timeout of HTTP/1 begins only when the version is known, so the first request has a timer of its own.
    let mut first_request = pin!(sleep(header_time_max));
    let (mut waiting, mut finishing) = (true, false);
    loop {
        tokio::select! {
            biased;
            () = finish.cancelled(), if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            ended = connection.as_mut() => {
                return ended.unwrap_or_else(|error| tracing::debug!(error, "a connection broke"));
            }
            () = &mut first_request, if waiting => {
                waiting = false;
                if !requested.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }
}

fn answer(router: Router, request: Request<Incoming>) -> impl Future<Output = Result<Response, Infallible>> {
    router.oneshot(request.map(axum::body::Body::new))
}

fn builder(header_time_max: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_time_max)
        .max_buf_size(HEADER_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

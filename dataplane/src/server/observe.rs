//! What surrounds every request: its trace id, its span, a net under panics, and the farewell of a node that drains.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use http::header::CONNECTION;
use http::{HeaderValue, Version};
use tracing::Instrument;

use crate::server::answer::Failure;
use crate::server::app::App;
use crate::server::trace::{TRACE_ID, TraceId};

/// Runs one request. The trace id is an extension of it from here on, and stands in a header of its answer.
pub(super) async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let trace = TraceId::of_request(request.headers());
    let version = request.version();
    let span =
        tracing::info_span!("request", trace_id = %trace, method = %request.method(), path = request.uri().path());
    request.extensions_mut().insert(trace);
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answered = async { run.await.unwrap_or_else(|panic| after_panic(panic.as_ref(), trace)) };
    let mut response = answered.instrument(span).await;
    response.headers_mut().insert(TRACE_ID, trace.header_value());
    if app.node.draining() && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn after_panic(panic: &(dyn Any + Send), trace: TraceId) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("not text"), "a request handler panicked");
    Failure::internal("the node hit a bug while it handled this request; its log has this trace id").respond(trace)
}

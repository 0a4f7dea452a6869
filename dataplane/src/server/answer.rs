//! How every route answers: JSON, and one shape for whatever went wrong.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use grepzilla_api::error::{ErrorBody, ErrorResponse};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::server::trace::TraceId;

/// A request that was not done, and what its sender is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    /// Outside 2xx.
    pub(crate) status: StatusCode,
    /// A fixed word for programs.
    pub(crate) code: Cow<'static, str>,
    /// A sentence for people.
    pub(crate) message: String,
    /// Figures and names; null if there are none.
    pub(crate) details: Value,
    /// When trying again makes sense.
    pub(crate) retry_after_seconds: Option<u32>,
}

impl Failure {
    /// A failure without details.
    pub(crate) fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Failure {
        let (code, message) = (code.into(), message.into());
        Failure { status, code, message, details: Value::Null, retry_after_seconds: None }
    }

    /// 400: the request itself is wrong.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 500: a broken promise of ours; the log says more.
    pub(crate) fn internal(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// 503: the same request may succeed later.
    pub(crate) fn unavailable(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, code, message).retry_after(1)
    }

    /// Adds figures and names.
    pub(crate) fn details(self, details: Value) -> Failure {
        Failure { details, ..self }
    }

    /// Adds when to try again.
    pub(crate) fn retry_after(self, seconds: u32) -> Failure {
        Failure { retry_after_seconds: Some(seconds), ..self }
    }

    /// What the body says about it.
    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody { code: self.code.to_string(), message: self.message.clone(), details: self.details.clone() }
    }

    /// The answer. Logged here, and so once: above 500 for a person, below for whoever looks.
    pub(crate) fn respond(&self, trace: TraceId) -> Response {
        self.log();
        self.decorate(json(self.status, &ErrorResponse { error: self.body(), trace_id: trace.to_string() }))
    }

    /// Adds the headers that belong to it to an answer that tells of it in another shape.
    pub(crate) fn decorate(&self, mut response: Response) -> Response {
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// Writes it to the log.
    pub(crate) fn log(&self) {
        let (status, code, message) = (self.status.as_u16(), self.code.as_ref(), self.message.as_str());
        if self.status.is_server_error() {
            tracing::warn!(status, code, message, "request failed");
        } else {
            tracing::debug!(status, code, message, "request refused");
        }
    }
}

/// The answer to a request that was done, or not.
pub(crate) fn respond<A: Serialize>(outcome: Result<A, Failure>, trace: TraceId) -> Response {
    match outcome {
        Ok(done) => json(StatusCode::OK, &done),
        Err(failure) => failure.respond(trace),
    }
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(value).expect("wire types have text keys and no failing serializer");
    with_body(status, "application/json", bytes)
}

/// An answer of any type.
pub(crate) fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

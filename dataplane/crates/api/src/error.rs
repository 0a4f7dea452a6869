//! Errors as every route answers them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of every answer outside 2xx that is not an [`crate::ingest::IngestResponse`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// What went wrong.
    pub error: ErrorBody,
    /// The request's trace id: 32 hexadecimal digits.
    pub trace_id: String,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A fixed word for programs, for example `body_too_large`.
    pub code: String,
    /// A sentence for people that says what to do.
    pub message: String,
    /// Figures and names, for example `{"limit_bytes": 16777216}`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

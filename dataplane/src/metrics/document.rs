//! What the routes for single documents count.

use http::StatusCode;
use prometheus::{IntCounterVec, Opts, Registry};

/// The counters of `/doc/{id}`.
#[derive(Debug)]
pub(crate) struct DocumentMetrics {
    requests: IntCounterVec,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentOperation {
    /// The document.
    Get,
    /// Its end.
    Delete,
}

impl DocumentMetrics {
    pub(super) fn new(registry: &Registry) -> Result<DocumentMetrics, prometheus::Error> {
        let help = "Requests to /doc/{id} that this node answered, by what they ask and HTTP status.";
        let requests =
            IntCounterVec::new(Opts::new("grepzilla_document_requests_total", help), &["operation", "status"])?;
        // The name shall be there before the first request.
        for operation in [DocumentOperation::Get, DocumentOperation::Delete] {
            requests.with_label_values(&[operation.word(), StatusCode::OK.as_str()]);
        }
        registry.register(Box::new(requests.clone()))?;
        Ok(DocumentMetrics { requests })
    }

    /// A request was answered.
    pub(crate) fn answered(&self, operation: DocumentOperation, status: StatusCode) {
        self.requests.with_label_values(&[operation.word(), status.as_str()]).inc();
    }
}

impl DocumentOperation {
    fn word(self) -> &'static str {
        match self {
            DocumentOperation::Get => "get",
            DocumentOperation::Delete => "delete",
        }
    }
}

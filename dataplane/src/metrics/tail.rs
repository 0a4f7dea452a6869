//! What tails count: the documents that they told, and how many there are.

use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, Registry};

use crate::metrics::state::gauge;

/// The counters of `GET /tail`.
#[derive(Debug)]
pub(crate) struct TailMetrics {
    documents: IntCounter,
}

impl TailMetrics {
    pub(super) fn new(registry: &Registry) -> Result<TailMetrics, prometheus::Error> {
        let documents =
            IntCounter::new("grepzilla_tail_documents_total", "Documents that this node told to readers of /tail.")?;
        registry.register(Box::new(documents.clone()))?;
        Ok(TailMetrics { documents })
    }

    /// A page was told.
    pub(crate) fn told(&self, documents: usize) {
        self.documents.inc_by(documents as u64);
    }
}

/// What there is at the moment of a scrape.
pub(super) fn families(open: usize) -> Vec<MetricFamily> {
    vec![gauge("grepzilla_tails", "Readers of /tail that this node has.", open as f64)]
}

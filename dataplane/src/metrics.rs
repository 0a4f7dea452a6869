//! The numbers of a node, one module per subsystem. Names and labels are an interface; label sets are closed.
//!
//! Counters and timers are kept where the work is done. What describes a state (the log, the hot tier, who leads) is
//! read from it when somebody scrapes.

use prometheus::{Registry, TextEncoder};

use crate::admission::Admission;
use crate::metrics::admission::AdmissionMetrics;
use crate::metrics::document::DocumentMetrics;
use crate::metrics::ingest::IngestMetrics;
use crate::metrics::maintenance::MaintenanceMetrics;
use crate::metrics::peers::PeerMetrics;
use crate::metrics::search::SearchMetrics;
use crate::metrics::store::StoreErrors;
use crate::metrics::tail::TailMetrics;
use crate::node::Node;

pub(crate) mod admission;
pub(crate) mod document;
pub(crate) mod ingest;
pub(crate) mod maintenance;
pub(crate) mod peers;
pub(crate) mod search;
mod state;
pub(crate) mod store;
pub(crate) mod tail;

/// The upper bounds of every histogram of request times, in seconds.
const SECONDS_BOUNDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// All metrics of one node.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) ingest: IngestMetrics,
    pub(crate) search: SearchMetrics,
    pub(crate) peers: PeerMetrics,
    pub(crate) document: DocumentMetrics,
    pub(crate) tail: TailMetrics,
    pub(crate) admission: AdmissionMetrics,
}

impl Metrics {
    /// Everything at zero, but for what is counted from before there is a server.
    pub(crate) fn new(
        store_errors: &StoreErrors,
        maintenance: &MaintenanceMetrics,
    ) -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(store_errors.by_operation.clone()))?;
        maintenance.register(&registry)?;
        let (ingest, search) = (IngestMetrics::new(&registry)?, SearchMetrics::new(&registry)?);
        let peers = PeerMetrics::new(&registry)?;
        let document = DocumentMetrics::new(&registry)?;
        let tail = TailMetrics::new(&registry)?;
        let admission = AdmissionMetrics::new(&registry)?;
        Ok(Metrics { registry, ingest, search, peers, document, tail, admission })
    }

    /// Everything as Prometheus reads it, by name.
    pub(crate) fn scrape(&self, node: &Node, admission: &Admission, tails: usize) -> Result<String, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(state::families(node));
        families.extend(admission::families(admission));
        families.extend(tail::families(tails));
        // A node without shards has nothing to say of some; the encoder takes no family without a value.
        families.retain(|family| !family.get_metric().is_empty());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        TextEncoder::new().encode_to_string(&families)
    }
}

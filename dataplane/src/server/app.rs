//! What every handler of a node shares.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::ingest::Indexes;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::peers::PeerClient;
use crate::search::tail::TAILS_MAX;
use crate::server::ServeError;

/// One node as its handlers see it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) node: Arc<Node>,
    pub(crate) peers: PeerClient,
    pub(crate) metrics: Metrics,
    pub(crate) indexes: Indexes,
    /// Who is let in; the room for bodies.
    pub(crate) admission: Admission,
    /// A permit for each large body that is parsed at once: as many as there are processors.
    pub(crate) parsers: Arc<Semaphore>,
    /// A permit for each shard that is searched at once on this node.
    pub(crate) searchers: Arc<Semaphore>,
    /// A permit for each tail.
    pub(crate) tails: Arc<Semaphore>,
}

impl App {
    pub(crate) fn new(node: Arc<Node>) -> Result<App, ServeError> {
        let peers = PeerClient::new(&node).map_err(ServeError::PeerClient)?;
        let metrics = Metrics::new(&node.store_errors, &node.maintenance).map_err(ServeError::Metrics)?;
        let processors = available_parallelism().map_or(1, NonZero::get);
        let parsers = Arc::new(Semaphore::new(processors));
        let searchers = Arc::new(Semaphore::new(node.config.search.concurrency_max));
        let tails = Arc::new(Semaphore::new(TAILS_MAX));
        let indexes = Indexes::new(&node.config);
        let admission = Admission::new(&node.config, metrics.admission.clone());
        Ok(App { node, peers, metrics, indexes, admission, parsers, searchers, tails })
    }

    /// How many tails this node has.
    pub(crate) fn open_tails(&self) -> usize {
        TAILS_MAX - self.tails.available_permits()
    }
}

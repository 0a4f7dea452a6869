//! The task behind one cluster's metadata: takes the term and tells of changes of the picture.

use std::sync::{Arc, Weak};
use std::time::Duration;

use grepzilla_cluster::topology::Topology;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{ClusterKey, Metadata};

/// The pause after an attempt to take the term that failed.
const RETRY: Duration = Duration::from_secs(1);
/// The least time between two changes that are told: a burst of elections is one reason to look.
const THROTTLE: Duration = Duration::from_millis(200);

/// The task.
pub(super) struct Watcher {
    pub(super) metadata: Weak<Metadata>,
    pub(super) key: ClusterKey,
    pub(super) topology: watch::Receiver<Arc<Topology>>,
    pub(super) changes: mpsc::Sender<ClusterKey>,
}

impl Watcher {
    /// Runs until it is stopped.
    pub(super) async fn run(self, stop: CancellationToken) {
        let both = async { tokio::join!(self.take_term(), self.tell(self.topology.clone())) };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            _ = both => {}
        }
    }

    /// From here on the operator before us can write nothing more.
    async fn take_term(&self) {
        while let Some(metadata) = self.metadata.upgrade() {
            match metadata.pen().await {
                Ok(pen) => return tracing::info!(cluster = self.key.name, term = pen.term(), "the term is taken"),
                Err(error) => tracing::warn!(cluster = self.key.name, %error, "the term could not be taken"),
            }
            drop(metadata);
            sleep(RETRY).await;
        }
    }

    async fn tell(&self, mut topology: watch::Receiver<Arc<Topology>>) {
        while topology.changed().await.is_ok() {
            if self.changes.send(self.key.clone()).await.is_err() {
                return;
            }
            sleep(THROTTLE).await;
        }
    }
}

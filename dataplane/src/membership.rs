//! What the node knows of its cluster, kept current and kept on its disk.
//!
//! The follower takes what the watch of the metadata store says, refuses another cluster's word, writes ring and shard
//! configurations to the disk, and only then shows them to the rest of the node. What was once adopted is never given
//! up because the store lost it or is away.

mod addresses;
mod onward;

use std::sync::Arc;
use std::time::SystemTime;

use grepzilla_cluster::adopted::{Adopted, AdoptedError, AdoptedFile};
use grepzilla_cluster::topology::Topology;
use grepzilla_model::ClusterUuid;
use grepzilla_storage::disk::is_no_space;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::membership::addresses::LastAddresses;
use crate::membership::onward::{OtherCluster, onward};

/// The task between the watch of the store and the node.
#[derive(Debug)]
pub(crate) struct Follower {
    cluster: ClusterUuid,
    heard: watch::Receiver<Arc<Topology>>,
    /// `None`: the store is on this very disk, so there is nothing to remember.
    memory: Option<AdoptedFile>,
    known: watch::Sender<Arc<Topology>>,
    addresses: Arc<LastAddresses>,
}

/// Why the node must not go on following its cluster.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    /// See [`OtherCluster`].
    #[error(transparent)]
    OtherCluster(#[from] OtherCluster),
    /// The disk does not keep what it is given.
    #[error("what the metadata store says cannot be kept")]
    Memory(#[from] AdoptedError),
}

impl Follower {
    /// A task that is not running yet, and what it keeps current. It begins with `first`, which has a ring, and always
    /// has one.
    pub(crate) fn new(
        cluster: ClusterUuid,
        first: Topology,
        heard: watch::Receiver<Arc<Topology>>,
        memory: Option<AdoptedFile>,
    ) -> (Follower, watch::Receiver<Arc<Topology>>) {
        let (known, receiver) = watch::channel(Arc::new(first));
        let addresses = Arc::new(LastAddresses::default());
        (Follower { cluster, heard, memory, known, addresses }, receiver)
    }

    /// Where nodes were last to be reached; kept current by the task.
    pub(crate) fn addresses(&self) -> Arc<LastAddresses> {
        self.addresses.clone()
    }

    /// Follows until it is cancelled, or until the store turns out to be another cluster's.
    pub(crate) async fn run(mut self, cancel: CancellationToken) -> Result<(), FollowError> {
        loop {
            let heard = self.heard.borrow_and_update().clone();
            let next = onward(self.cluster, &self.known.borrow(), &heard)?;
            self.remember(&next).await?;
            self.addresses.note(&next, SystemTime::now());
            self.known.send_replace(Arc::new(next));
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(()),
                // The sender goes only with its task, whose end stops the node.
                Ok(()) = self.heard.changed() => {}
                else => cancel.cancelled().await,
            }
        }
    }

    /// Writes to the disk what is not there yet. A full disk is no reason to stop: the copy grows old until there is room.
    async fn remember(&mut self, next: &Topology) -> Result<(), AdoptedError> {
        let (Some(adopted), Some(mut memory)) = (Adopted::of(next), self.memory.take()) else { return Ok(()) };
        // Most news are of nodes that come and go, and nothing of those is kept.
        let written = tokio::task::spawn_blocking(move || {
            let outcome = memory.adopt(adopted);
            (memory, outcome)
        });
        let (memory, outcome) = written.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.memory = Some(memory);
        match outcome {
            Ok(_) => Ok(()),
            Err(AdoptedError::Io { path, source }) if is_no_space(&source) => {
                tracing::warn!(path = %path.display(), "the disk is full: what the metadata store says is not kept");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

//! How a process becomes a node: it learns its name, its cluster and a first ring, and that its data folder agrees.
//!
//! A node that is alone finds all of it on its disk, or makes it, once. A node of a cluster reads what the operator
//! wrote, waits for it, or goes on from what it has adopted before.

mod alone;
mod join;
mod waiting_room;

use grepzilla_cluster::adopted::{AdoptedError, AdoptedFile};
use grepzilla_cluster::keyspace::{InvalidRoot, Keys};
use grepzilla_cluster::ring_writer::RingWriteError;
use grepzilla_cluster::store::disk::DiskStoreError;
use grepzilla_cluster::store::{SharedStore, StoreError};
use grepzilla_cluster::topology::Topology;
use grepzilla_model::{ClusterUuid, NodeName};
use tokio::net::TcpListener;

use crate::identity::{DataFolder, IdentityError};
use crate::node::{ClusterSecret, SecretError};
use crate::serve::arguments::Startup;

/// What a process knows once it is a node.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) store: SharedStore,
    pub(crate) keys: Keys,
    pub(crate) cluster: ClusterUuid,
    pub(crate) name: NodeName,
    /// Where other nodes reach this one, without a port.
    pub(crate) host: String,
    /// Only in a cluster.
    pub(crate) secret: Option<ClusterSecret>,
    /// What is known at first; it has a ring.
    pub(crate) topology: Topology,
    /// Only in a cluster.
    pub(crate) memory: Option<AdoptedFile>,
}

/// Becomes a node. In a cluster it may wait for as long as it takes; meanwhile `http` answers health and readiness.
pub(crate) async fn begin(
    folder: &DataFolder,
    startup: &Startup,
    http: &TcpListener,
) -> Result<Origin, BootstrapError> {
    let origin = match &startup.config.cluster {
        None => alone::begin(folder, startup).await?,
        Some(cluster) => join::begin(folder, startup, cluster, http).await?,
    };
    folder.claim(origin.cluster, &origin.name)?;
    tracing::info!(
        cluster = %origin.cluster, node = %origin.name, ring_version = origin.topology.ring.version,
        shards = origin.topology.ring.targets.len(), data = %folder.path().display(), "the node knows its cluster"
    );
    Ok(origin)
}

/// Why a process does not become a node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    /// Something that only a cluster needs was not given.
    #[error("a node of a cluster needs {what}: set {variable}")]
    NotGiven {
        /// What.
        what: &'static str,
        /// The environment variable.
        variable: &'static str,
    },
    /// The data folder has an identity but no metadata.
    #[error("the data folder belongs to cluster {cluster}, but its metadata.redb is missing or empty: bring it back")]
    MetadataLost {
        /// Whose folder it is.
        cluster: ClusterUuid,
    },
    /// The folder is in use, or another's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The root of the keys cannot be used.
    #[error(transparent)]
    Root(#[from] InvalidRoot),
    /// What was adopted before cannot be used.
    #[error(transparent)]
    Adopted(#[from] AdoptedError),
    /// The metadata store does not do what it must.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The metadata store on this disk cannot be opened.
    #[error(transparent)]
    DiskStore(#[from] DiskStoreError),
    /// The first ring could not be written.
    #[error("the first ring could not be written")]
    Ring(#[from] RingWriteError),
    /// The listening socket does not do what it must.
    #[error("the listening socket cannot be used")]
    Socket(#[source] std::io::Error),
}

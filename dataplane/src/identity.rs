//! Whose folder the data folder is: one process at a time, one cluster and one node for ever.
//!
//! ```text
//! DIR/lock             held by the one process that uses DIR
//! DIR/identity.json    {"v": 1, "cluster": UUID, "node": NAME}, written once
//! DIR/metadata.redb    the metadata store of a node that is alone
//! DIR/adopted.json     in a cluster: what was last heard from the metadata store
//! DIR/shards/<id>/     one replica each
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grepzilla_model::{ClusterUuid, NodeName, ShardId};
use grepzilla_storage::disk::{Disk, DiskError, DiskLock, WriteError, create_dirs, read_whole, replace_file};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// A data folder that this process alone uses, as long as this lives.
#[derive(Debug)]
pub(crate) struct DataFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    _lock: Box<dyn DiskLock>,
}

/// Whose folder it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    v: u32,
    /// The cluster.
    pub(crate) cluster: ClusterUuid,
    /// The node.
    pub(crate) node: NodeName,
}

impl DataFolder {
    /// Takes the folder, making it if it is not there. Fails at once while another process has it.
    pub(crate) fn lock(disk: Arc<dyn Disk>, path: &Path) -> Result<DataFolder, IdentityError> {
        create_dirs(disk.as_ref(), path)?;
        match disk.lock(&path.join("lock")) {
            Ok(lock) => Ok(DataFolder { disk, path: path.to_owned(), _lock: lock }),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Err(IdentityError::Locked { path: path.to_owned() })
            }
            Err(source) => Err(IdentityError::Unlockable { path: path.to_owned(), source }),
        }
    }

    /// Whose it is. `None`: nobody's yet.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, IdentityError> {
        let path = self.identity_path();
        let Some(bytes) = read_whole(self.disk.as_ref(), &path)? else { return Ok(None) };
        let identity: Identity = serde_json::from_slice(&bytes)
            .map_err(|error| IdentityError::Malformed { path: path.clone(), reason: error.to_string() })?;
        if identity.v != VERSION {
            let reason = format!("its version is {}, this program knows {VERSION}", identity.v);
            return Err(IdentityError::Malformed { path, reason });
        }
        Ok(Some(identity))
    }

    /// Makes it this cluster's and this node's, durably. Refuses if it is another's; does nothing if it is theirs.
    pub(crate) fn claim(&self, cluster: ClusterUuid, node: &NodeName) -> Result<(), IdentityError> {
        let wanted = Identity { v: VERSION, cluster, node: node.clone() };
        match self.identity()? {
            None => {
                let bytes = serde_json::to_vec(&wanted).expect("an identity is always JSON");
                Ok(replace_file(self.disk.as_ref(), &self.identity_path(), &bytes)?)
            }
            Some(found) if found.cluster != cluster => {
                Err(IdentityError::OtherCluster { path: self.path.clone(), found: found.cluster, wanted: cluster })
            }
            Some(found) if found.node != *node => {
                Err(IdentityError::OtherNode { path: self.path.clone(), found: found.node, wanted: node.clone() })
            }
            Some(_) => Ok(()),
        }
    }

    /// The disk it is on.
    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }

    /// Where the metadata store of a node that is alone is kept.
    pub(crate) fn metadata_path(&self) -> PathBuf {
        self.path.join("metadata.redb")
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a replica.
    pub(crate) fn shard_path(&self, shard: ShardId) -> PathBuf {
        self.path.join("shards").join(shard.to_string())
    }

    fn identity_path(&self) -> PathBuf {
        self.path.join("identity.json")
    }
}

/// A data folder that this process must not use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// Another process has it.
    #[error("another process is using the data folder {path}; stop it, or give this one another --data")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The lock cannot be taken for another reason.
    #[error("cannot lock the data folder {path}")]
    Unlockable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It belongs to another cluster.
    #[error("the data folder {path} belongs to cluster {found}, but this node is of cluster {wanted}")]
    OtherCluster {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        found: ClusterUuid,
        /// Whose the node is.
        wanted: ClusterUuid,
    },
    /// It belongs to another node of the same cluster.
    #[error("the data folder {path} belongs to node {found}, but this node is {wanted}")]
    OtherNode {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        found: NodeName,
        /// Who this node is.
        wanted: NodeName,
    },
    /// It says something that this program does not understand.
    #[error("{path} cannot be understood: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It cannot be read.
    #[error("the data folder cannot be read")]
    Disk(#[from] DiskError),
    /// It cannot be written.
    #[error("the data folder cannot be written")]
    Write(#[from] WriteError),
}

#[cfg(test)]
mod tests {
    use grepzilla_storage::disk::RealDisk;
    use uuid::Uuid;

    use super::*;

    fn folder(path: &Path) -> Result<DataFolder, IdentityError> {
        DataFolder::lock(Arc::new(RealDisk), path)
    }

    #[test]
    fn a_folder_has_one_user_at_a_time() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a/b");
        let held = folder(&path).expect("free");
        let error = folder(&path).expect_err("held").to_string();
        assert!(error.contains(path.to_str().expect("UTF-8")) && error.contains("another process"), "{error}");
        drop(held);
        folder(&path).expect("free again");
    }

    #[test]
    fn a_folder_of_another_cluster_or_node_is_refused_with_both_named() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = folder(dir.path()).expect("free");
        let (ours, other) = (ClusterUuid(Uuid::from_u128(1)), ClusterUuid(Uuid::from_u128(2)));
        assert_eq!(folder.identity().expect("readable"), None);
        folder.claim(ours, &"logs-0".into()).expect("nobody's");
        folder.claim(ours, &"logs-0".into()).expect("ours already");
        let error = folder.claim(other, &"logs-0".into()).expect_err("another cluster").to_string();
        assert!(error.contains(&ours.to_string()) && error.contains(&other.to_string()), "{error}");
        let error = folder.claim(ours, &"logs-1".into()).expect_err("another node").to_string();
        assert!(error.contains("logs-0") && error.contains("logs-1"), "{error}");
        assert_eq!(folder.identity().expect("readable").map(|identity| identity.cluster), Some(ours));
    }

    #[test]
    fn an_identity_that_cannot_be_understood_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = folder(dir.path()).expect("free");
        for text in ["", "{}", r#"{"v":2,"cluster":"00000000-0000-0000-0000-000000000001","node":"a"}"#] {
            std::fs::write(dir.path().join("identity.json"), text).expect("writes");
            let refused = folder.claim(ClusterUuid(Uuid::from_u128(1)), &"a".into());
            assert!(matches!(refused, Err(IdentityError::Malformed { .. })), "{text:?}: {refused:?}");
        }
    }
}

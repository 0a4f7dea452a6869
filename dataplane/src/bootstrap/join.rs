//! A node of a cluster: it waits until the operator has written the cluster's UUID and a ring, or goes on from what it
//! has adopted before when the metadata store does not say.

use std::sync::Arc;
use std::time::Duration;

use grepzilla_api::config::ClusterConfig;
use grepzilla_api::contract;
use grepzilla_cluster::adopted::{AdoptedError, AdoptedFile};
use grepzilla_cluster::keyspace::Keys;
use grepzilla_cluster::store::etcd::{EtcdOptions, EtcdStore};
use grepzilla_cluster::store::{SharedStore, StoreError};
use grepzilla_cluster::topology::{self, Topology};
use grepzilla_model::ClusterUuid;
use tokio::net::TcpListener;

use super::waiting_room::WaitingRoom;
use super::{BootstrapError, Origin};
use crate::identity::DataFolder;
use crate::node::ClusterSecret;
use crate::serve::arguments::Startup;

/// How long one reading of the store may take.
const READ_TIME_MAX: Duration = Duration::from_secs(3);
/// The first pause between readings; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest pause between readings.
const PAUSE_MAX: Duration = Duration::from_secs(2);

pub(super) async fn begin(
    folder: &DataFolder,
    startup: &Startup,
    cluster: &ClusterConfig,
    http: &TcpListener,
) -> Result<Origin, BootstrapError> {
    let not_given = |what, variable| BootstrapError::NotGiven { what, variable };
    let name = startup.node_name.clone().ok_or(not_given("a name", contract::ENV_NODE_NAME))?;
    let host = startup.advertise.clone().ok_or(not_given("an address for others", contract::ENV_ADVERTISE))?;
    let secret = Some(ClusterSecret::load(&cluster.secret_file)?);
    let keys = Keys::new(&cluster.root)?;
    let memory = open_memory(folder)?;
    let store: SharedStore = Arc::new(EtcdStore::new(EtcdOptions::new(cluster.etcd.iter().cloned()))?);
    let waiting = WaitingRoom::open(http, "reading the metadata store".to_owned()).map_err(BootstrapError::Socket)?;
    let (uuid, topology) = learn(&store, &keys, &memory, &waiting).await?;
    waiting.close().await;
    Ok(Origin { store, keys, cluster: uuid, name, host, secret, topology, memory: Some(memory) })
}

/// Reads until there is something to begin with.
async fn learn(
    store: &SharedStore,
    keys: &Keys,
    memory: &AdoptedFile,
    waiting: &WaitingRoom,
) -> Result<(ClusterUuid, Topology), BootstrapError> {
    let mut pause = PAUSE_FIRST;
    let mut last_reason = String::new();
    loop {
        let reason = match read_once(store, keys).await {
            Ok(known) => match known.cluster {
                Some(cluster) if known.has_ring() => return Ok((cluster, known)),
                _ => what_is_missing(&known, keys),
            },
            Err(error @ StoreError::Refused { .. }) => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        if let Some(adopted) = memory.current() {
            tracing::warn!(reason, "going on from what was adopted before");
            return Ok((adopted.cluster, Topology::remembered(adopted)));
        }
        if reason != last_reason {
            tracing::info!(reason, "waiting");
            waiting.says(reason.clone());
            last_reason = reason;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn read_once(store: &SharedStore, keys: &Keys) -> Result<Topology, StoreError> {
    let late = || StoreError::Unavailable { reason: format!("no answer within {} s", READ_TIME_MAX.as_secs()) };
    tokio::time::timeout(READ_TIME_MAX, topology::read(store.as_ref(), keys)).await.unwrap_or_else(|_| Err(late()))
}

fn what_is_missing(known: &Topology, keys: &Keys) -> String {
    let what = if known.cluster.is_none() { "the cluster's UUID" } else { "a ring" };
    match known.refused.iter().next() {
        Some((key, reason)) => format!("waiting for {what}: {key} cannot be used: {reason}"),
        None => format!("waiting for an operator to write {what} under {}", keys.prefix()),
    }
}

/// The memory. A damaged one is put aside, because it is only a copy.
fn open_memory(folder: &DataFolder) -> Result<AdoptedFile, BootstrapError> {
    match AdoptedFile::open(folder.path()) {
        Err(AdoptedError::Damaged { path, reason }) => {
            let aside = path.with_extension("json.damaged");
            tracing::error!(path = %path.display(), aside = %aside.display(), reason, "what was adopted before is damaged");
            let renamed = folder.disk().rename(&path, &aside);
            renamed.map_err(|source| AdoptedError::Io { path: path.clone(), source })?;
            Ok(AdoptedFile::open(folder.path())?)
        }
        opened => Ok(opened?),
    }
}

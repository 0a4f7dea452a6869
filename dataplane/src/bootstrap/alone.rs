//! A node without a cluster: its metadata are on its own disk, and it is its own operator, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use grepzilla_api::contract;
use grepzilla_cluster::keyspace::Keys;
use grepzilla_cluster::ring_writer::RingWriter;
use grepzilla_cluster::store::SharedStore;
use grepzilla_cluster::store::disk::DiskStore;
use grepzilla_cluster::topology;
use grepzilla_model::{ClusterUuid, NodeIndex, NodeName, Ring, RingNode, RingNodeState};
use uuid::Uuid;

use super::{BootstrapError, Origin};
use crate::identity::DataFolder;
use crate::serve::arguments::Startup;

/// The only node there is.
const INDEX: NodeIndex = NodeIndex(0);

pub(super) async fn begin(folder: &DataFolder, startup: &Startup) -> Result<Origin, BootstrapError> {
    let name = startup.node_name.clone().unwrap_or_else(|| contract::node_name("grepzilla", INDEX.0).as_str().into());
    let store: SharedStore = Arc::new(DiskStore::open(&folder.metadata_path())?);
    let keys = Keys::local();
    if !topology::read(store.as_ref(), &keys).await?.has_ring() {
        if let Some(identity) = folder.identity()? {
            return Err(BootstrapError::MetadataLost { cluster: identity.cluster });
        }
        found(&store, &keys, &name, startup.config.shards).await?;
    }
    let topology = topology::read(store.as_ref(), &keys).await?;
    let cluster = topology.cluster.expect("the cluster has its identity before it has a ring");
    let (shards, asked) = (topology.ring.targets.len(), startup.config.shards);
    if u32::try_from(shards) != Ok(asked) {
        tracing::info!(shards, asked, "the number of shards was fixed when the data folder was made");
    }
    let host = startup.advertise.clone().unwrap_or_else(|| "127.0.0.1".to_owned());
    Ok(Origin { store, keys, cluster, name, host, secret: None, topology, memory: None })
}

/// Does once what an operator does for a cluster. A process that dies on the way is followed by one that goes on.
async fn found(store: &SharedStore, keys: &Keys, name: &NodeName, shards: u32) -> Result<(), BootstrapError> {
    let writer = RingWriter::take_lead(store.clone(), keys.clone(), &name.0).await?;
    writer.ensure_cluster(ClusterUuid(Uuid::new_v4())).await?;
    writer.write(None, &first_ring(name, shards)).await?;
    Ok(())
}

fn first_ring(name: &NodeName, shards: u32) -> Ring {
    let ranges = Ring::even_ranges(shards);
    let node = RingNode { name: name.clone(), zone: String::new(), state: RingNodeState::Active };
    Ring {
        version: 1,
        feature_level: 1,
        replication_factor: 1,
        nodes: BTreeMap::from([(INDEX, node)]),
        targets: ranges.iter().map(|range| (range.shard, vec![INDEX])).collect(),
        ranges,
    }
}

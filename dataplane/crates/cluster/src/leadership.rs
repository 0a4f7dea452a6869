//! Who leads a shard: epochs raised by compare-and-swap.
//!
//! [`claim`] is for shards with one replica, where the only copy elects itself. It never invents data: a shard whose
//! configuration lists another node, or another life of this node's folder, stays as it is, because only a person can
//! say that the listed copy is lost. The leader key under the node's lease (see [`crate::registry`]) is liveness and
//! discovery only; safety rests on the configuration's `mod_revision` alone.

use grepzilla_model::{
    Epoch, Incarnation, NodeName, ReplicaRole, Ring, ShardConfig, ShardId, ShardReplica, ShardState,
};

use crate::keyspace::{Key, Keys, Nonce, StoredConfig, StoredRing, Value, ValueError};
use crate::read::{Known, read};
use crate::store::{MetadataStore, Outcome, Revision, StoreError, Transaction};

/// Rounds of reading and writing before a claim gives up. One round is the rule; another one follows each transaction
/// that lost a race or whose answer was lost.
const ROUNDS_MAX: usize = 8;

/// A replica that wants to lead.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The shard.
    pub shard: ShardId,
    /// This node.
    pub node: NodeName,
    /// The life of its folder.
    pub incarnation: Incarnation,
    /// The last epoch in its log; 0 if the log is empty.
    pub last_epoch: Epoch,
}

/// An epoch that is ours until somebody claims a higher one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The configuration as we wrote it. Its epoch is above that of every configuration before and of our own log.
    pub config: ShardConfig,
    /// The revision that wrote it: what the next change of it compares.
    pub revision: Revision,
}

/// Claims the next epoch of a shard that has one replica.
///
/// Makes the configuration if there is none and the ring wants the shard on this node. Otherwise raises the epoch, if
/// this very replica is the one listed in sync. Safe to repeat: each success is a higher epoch.
pub async fn claim(store: &dyn MetadataStore, keys: &Keys, candidate: &Candidate) -> Result<Claimed, ClaimError> {
    let writer = Nonce::random();
    let config_key = keys.text(&Key::ShardConfig(candidate.shard));
    for _ in 0..ROUNDS_MAX {
        let known: Option<Known<StoredConfig>> =
            read::<_, ClaimError>(store, keys, &Key::ShardConfig(candidate.shard)).await?;
        let (config, guard) = match known {
            // A transaction of ours whose answer was lost has happened after all.
            Some(known) if known.value.writer == writer => {
                return Ok(Claimed { config: known.value.config, revision: known.revision });
            }
            Some(known) => {
                let config = raised(known.value.config, candidate)?;
                (config, Transaction::new().unchanged(&config_key, known.revision))
            }
            None => {
                let (config, ring_revision) = founded(store, keys, candidate).await?;
                let guard = Transaction::new().absent(&config_key).unchanged(keys.text(&Key::Ring), ring_revision);
                (config, guard)
            }
        };
        let value = StoredConfig { writer, config: config.clone() }.encode();
        match store.commit(guard.put(&config_key, value)).await {
            Ok(Outcome::Committed(revision)) => return Ok(Claimed { config, revision }),
            Ok(Outcome::Conflict) | Err(StoreError::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ClaimError::Contended { shard: candidate.shard, rounds: ROUNDS_MAX })
}

/// The next epoch of a shard that has a configuration.
fn raised(config: ShardConfig, candidate: &Candidate) -> Result<ShardConfig, ClaimError> {
    let shard = candidate.shard;
    let [replica] = config.replicas.as_slice() else {
        return Err(ClaimError::Replicated { shard, replicas: config.replicas.len() });
    };
    if replica.node != candidate.node {
        let (node, incarnation) = (replica.node.clone(), replica.incarnation);
        return Err(ClaimError::HeldByOther { shard, node, incarnation });
    }
    if replica.incarnation != candidate.incarnation {
        let (listed, ours) = (replica.incarnation, candidate.incarnation);
        return Err(ClaimError::LostIncarnation { shard, node: candidate.node.clone(), listed, ours });
    }
    if replica.role != ReplicaRole::Member || !config.in_sync.contains(&candidate.node) {
        return Err(ClaimError::NotInSync { shard, node: candidate.node.clone() });
    }
    let epoch = config.epoch.max(candidate.last_epoch).next();
    // A lone replica has nobody to seal and nothing to catch up with, so the epoch begins active.
    Ok(ShardConfig { epoch, leader: candidate.node.clone(), state: ShardState::Active, ..config })
}

/// The first configuration of a shard, and the revision of the ring that wants it here.
async fn founded(
    store: &dyn MetadataStore,
    keys: &Keys,
    candidate: &Candidate,
) -> Result<(ShardConfig, Revision), ClaimError> {
    let shard = candidate.shard;
    let known: Option<Known<StoredRing>> = read::<_, ClaimError>(store, keys, &Key::Ring).await?;
    let Known { value: StoredRing { ring, .. }, revision } = known.ok_or(ClaimError::NoRing { shard })?;
    wants(&ring, candidate)?;
    let node = candidate.node.clone();
    let replica = ShardReplica { node: node.clone(), incarnation: candidate.incarnation, role: ReplicaRole::Member };
    let config = ShardConfig {
        epoch: candidate.last_epoch.next(),
        leader: node.clone(),
        replicas: vec![replica],
        in_sync: vec![node],
        min_isr: 1,
        state: ShardState::Active,
        lossy: None,
    };
    Ok((config, revision))
}

fn wants(ring: &Ring, candidate: &Candidate) -> Result<(), ClaimError> {
    let shard = candidate.shard;
    let targets: Vec<NodeName> = ring.target_names(shard).cloned().collect();
    if !targets.contains(&candidate.node) {
        return Err(ClaimError::NotTarget { shard, node: candidate.node.clone(), targets });
    }
    match targets.len() {
        1 => Ok(()),
        replicas => Err(ClaimError::Replicated { shard, replicas }),
    }
}

/// Why an epoch was not claimed. Nothing was written, except where the store says that it does not know.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The only copy is on another node.
    #[error("shard {shard} is held by node {node}, replica {incarnation}")]
    HeldByOther {
        /// The shard.
        shard: ShardId,
        /// Who holds it.
        node: NodeName,
        /// Which life of that node's folder.
        incarnation: Incarnation,
    },
    /// The only copy was in a folder of this node that is gone.
    #[error(
        "shard {shard} was held by replica {listed} of node {node}, but the folder there now is replica {ours}: \
         its disk was lost or replaced"
    )]
    LostIncarnation {
        /// The shard.
        shard: ShardId,
        /// This node.
        node: NodeName,
        /// The life that the configuration lists.
        listed: Incarnation,
        /// The life that is there.
        ours: Incarnation,
    },
    /// The replica is listed, but does not hold all that is committed.
    #[error("the replica of shard {shard} on node {node} is not in sync")]
    NotInSync {
        /// The shard.
        shard: ShardId,
        /// This node.
        node: NodeName,
    },
    /// Several replicas hold the shard, so one of them alone must not decide.
    #[error("shard {shard} has {replicas} replicas, and a leader of several is elected, not claimed")]
    Replicated {
        /// The shard.
        shard: ShardId,
        /// How many there are.
        replicas: usize,
    },
    /// Nobody holds the shard yet, and the ring wants it elsewhere.
    #[error("the ring wants shard {shard} on {targets:?}, not on node {node}")]
    NotTarget {
        /// The shard.
        shard: ShardId,
        /// This node.
        node: NodeName,
        /// Where the ring wants it.
        targets: Vec<NodeName>,
    },
    /// Nobody holds the shard yet, and there is no ring.
    #[error("shard {shard} has no configuration, and there is no ring to say where it belongs")]
    NoRing {
        /// The shard.
        shard: ShardId,
    },
    /// Others change the configuration all the time.
    #[error("the configuration of shard {shard} could not be changed in {rounds} rounds")]
    Contended {
        /// The shard.
        shard: ShardId,
        /// How often it was tried.
        rounds: usize,
    },
    /// A value in the store cannot be used.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The store did not do it. Claim again, whatever the outcome was.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ClaimError {
    /// Whether the same claim may succeed later without a person's help.
    pub fn retryable(&self) -> bool {
        match self {
            ClaimError::NoRing { .. } | ClaimError::NotTarget { .. } | ClaimError::Contended { .. } => true,
            ClaimError::Store(StoreError::Refused { .. }) => false,
            ClaimError::Store(_) => true,
            ClaimError::HeldByOther { .. }
            | ClaimError::LostIncarnation { .. }
            | ClaimError::NotInSync { .. }
            | ClaimError::Replicated { .. }
            | ClaimError::Value(_) => false,
        }
    }
}

//! What this node knows about the shards that it should hold: one short-lived lock, read by every request.

use std::collections::BTreeMap;
use std::sync::Arc;

use grepzilla_model::{Epoch, ShardId};
use grepzilla_storage::Damage;
use parking_lot::RwLock;

use crate::shards::PublishBoard;

/// A shard that this node leads, or whose log it holds as the last leader.
#[derive(Debug)]
pub struct LeaderShard {
    /// The shard.
    pub shard: ShardId,
    /// The epoch in which this node leads or, where it may only read, last led.
    pub epoch: Epoch,
    /// Its log and hot tier.
    pub log: Arc<grepzilla_storage::Shard>,
    /// What became of the last try to publish its manifest.
    pub(crate) publishing: Arc<PublishBoard>,
}

/// What a shard lacks, in one sentence; `None`: nothing.
pub(crate) fn lacks(shard: ShardId, damage: &[Damage]) -> Option<String> {
    const NAMED_MAX: usize = 3;
    if damage.is_empty() {
        return None;
    }
    let named: Vec<String> = damage.iter().take(NAMED_MAX).map(Damage::to_string).collect();
    let more = damage.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!("; and {more} more segments") } else { String::new() };
    Some(format!("shard {shard} can be read but not written, and lacks documents: {}{more}", named.join("; ")))
}

/// Where a shard of this node stands.
#[derive(Debug, Clone)]
pub(crate) enum LocalShard {
    /// Its folder is being opened for the first time since the process started. Later attempts leave it blocked until
    /// one succeeds, so that this state is left once and never comes back.
    Opening {
        /// How far that is: a sentence.
        progress: String,
    },
    /// It is open, but nobody may write: this node has not been confirmed as its leader.
    ReadOnly {
        /// The log.
        shard: Arc<LeaderShard>,
        /// What it waits for: a sentence.
        reason: String,
    },
    /// This node leads it.
    Leading(Arc<LeaderShard>),
    /// It serves nothing.
    Blocked {
        /// Why, and what a person can do: a sentence.
        reason: String,
    },
}

impl LocalShard {
    /// Why it does not serve everything, if it does not.
    pub(crate) fn blocker(&self) -> Option<&str> {
        match self {
            LocalShard::Leading(_) => None,
            LocalShard::Opening { progress } => Some(progress),
            LocalShard::ReadOnly { reason, .. } | LocalShard::Blocked { reason } => Some(reason),
        }
    }

    /// The shard as an open log, where it is one.
    pub(crate) fn open(&self) -> Option<&Arc<LeaderShard>> {
        match self {
            LocalShard::Leading(shard) | LocalShard::ReadOnly { shard, .. } => Some(shard),
            LocalShard::Opening { .. } | LocalShard::Blocked { .. } => None,
        }
    }
}

/// All shards of this node. Written by their tasks, read by everyone.
#[derive(Debug, Default)]
pub(crate) struct ShardTable {
    shards: RwLock<BTreeMap<ShardId, LocalShard>>,
}

impl ShardTable {
    /// Where a shard stands. `None`: this node has nothing to do with it.
    pub(crate) fn get(&self, shard: ShardId) -> Option<LocalShard> {
        self.shards.read().get(&shard).cloned()
    }

    /// All of them, by id.
    pub(crate) fn all(&self) -> Vec<(ShardId, LocalShard)> {
        self.shards.read().iter().map(|(&shard, local)| (shard, local.clone())).collect()
    }

    /// Says where a shard stands from now on. A request that has taken the shard before goes on with what it has; the
    /// epoch in its log decides.
    pub(crate) fn set(&self, shard: ShardId, local: LocalShard) {
        self.shards.write().insert(shard, local);
    }

    /// Replaces what is said of a shard by something made of it; nothing happens to a shard of which nothing is said.
    pub(crate) fn replace(&self, shard: ShardId, change: impl FnOnce(LocalShard) -> LocalShard) {
        if let Some(local) = self.shards.write().get_mut(&shard) {
            *local = change(local.clone());
        }
    }

    /// Why shards that were opened or given up do not serve everything: sentences.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let trouble = |local: &LocalShard| match local {
            LocalShard::Leading(_) | LocalShard::Opening { .. } => None,
            LocalShard::ReadOnly { reason, .. } | LocalShard::Blocked { reason } => Some(reason.clone()),
        };
        self.shards.read().values().filter_map(trouble).collect()
    }

    /// What the first opening of shards still waits for: a sentence. `None`: each has been opened or was given up for now.
    pub(crate) fn unsettled(&self) -> Option<String> {
        let shards = self.shards.read();
        let opening = shards.iter().filter_map(|(shard, local)| match local {
            LocalShard::Opening { progress } => Some((shard, progress)),
            LocalShard::ReadOnly { .. } | LocalShard::Leading(_) | LocalShard::Blocked { .. } => None,
        });
        let opening: Vec<_> = opening.collect();
        let (shard, progress) = opening.first()?;
        Some(format!("{} of {} shards are still opening; shard {shard}: {progress}", opening.len(), shards.len()))
    }
}

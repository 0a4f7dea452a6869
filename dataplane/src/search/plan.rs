//! Who is asked for which shards: one request for each node, and a reason for each shard that nobody can be asked for.

use std::collections::BTreeMap;

use grepzilla_api::peer::{LeafShard, LogPosition};
use grepzilla_api::search::FailedShard;
use grepzilla_model::ShardId;
use serde_json::json;

use crate::node::{Leader, Node};
use crate::search::request::Search;
use crate::server::answer::Failure;

/// Who is asked for what.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Shards of this node.
    pub(super) here: Vec<LeafShard>,
    /// Shards of other nodes, by the address of the peer port.
    pub(super) peers: BTreeMap<String, Vec<LeafShard>>,
    /// Shards that nobody can be asked for.
    pub(super) failed: Vec<FailedShard>,
}

impl Plan {
    /// Finds the node for each of `shards`.
    pub(super) fn new(node: &Node, search: &Search, shards: impl IntoIterator<Item = ShardId>) -> Plan {
        let mut plan = Plan::default();
        for shard in shards {
            match leaf_shard(search, shard) {
                Ok(leaf) => plan.place(node, leaf),
                Err(failed) => plan.failed.push(failed),
            }
        }
        plan
    }

    fn place(&mut self, node: &Node, leaf: LeafShard) {
        match node.leader_of(leaf.shard) {
            Leader::Here(_) | Leader::ReadOnlyHere { .. } => self.here.push(leaf),
            Leader::At { peer, .. } => self.peers.entry(peer).or_default().push(leaf),
            Leader::Nobody { reason } => self.failed.push(failed(leaf.shard, "no_leader", reason)),
        }
    }
}

/// A shard that did not answer.
pub(super) fn failed(shard: ShardId, code: &str, message: impl Into<String>) -> FailedShard {
    FailedShard { shard, code: code.to_owned(), message: message.into() }
}

/// The shards of a search; one that is not there is the client's mistake.
pub(super) fn shards_of(search: &Search, node: &Node) -> Result<Vec<ShardId>, Failure> {
    let ring = &node.topology().ring;
    let mut named = search.shards.iter().flatten().chain(search.token.keys());
    if let Some(unknown) = named.find(|shard| !ring.targets.contains_key(shard)) {
        let failure = Failure::bad_request("unknown_shard", format!("the cluster has no shard {unknown}"));
        return Err(failure.details(json!({ "shard": unknown })));
    }
    Ok(match &search.shards {
        Some(shards) => shards.iter().copied().collect(),
        None => ring.shards().collect(),
    })
}

/// What a shard is asked: with a cursor it reads up to the position of the first page.
fn leaf_shard(search: &Search, shard: ShardId) -> Result<LeafShard, FailedShard> {
    let token = search.token.get(&shard).copied();
    let since = search.since.get(&shard).copied();
    let Some(page) = &search.after else {
        return Ok(LeafShard { shard, since, upto: None, at_least: token, after: None });
    };
    let Some(first_page) = page.positions.get(&shard).copied() else {
        return Err(failed(
            shard,
            "failed",
            "it did not answer the first page of this cursor, so later pages leave it out",
        ));
    };
    let at_least =
        token.into_iter().chain([first_page]).max_by_key(|position: &LogPosition| (position.seq, position.epoch));
    Ok(LeafShard { shard, since, upto: Some(first_page.seq), at_least, after: Some(page.last) })
}

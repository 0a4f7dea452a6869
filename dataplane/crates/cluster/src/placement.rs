//! Which nodes should hold which shard. Pure: the same question has the same answer, always.
//!
//! Replicas of a shard go to different zones where there are enough, and to different nodes always. Fresh rings are
//! even. A ring that exists changes as little as possible.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use grepzilla_model::{NodeIndex, NodeName, Ring, RingNode, RingNodeState, ShardId};

/// A node that may hold shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementNode {
    /// Its ordinal.
    pub index: NodeIndex,
    /// Its name.
    pub name: NodeName,
    /// Its failure zone; empty when not known.
    pub zone: String,
}

/// Whether shards that have a home may get another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// No: data cannot be moved. New nodes hold nothing until shards are made for them.
    Never,
}

/// What a cluster should look like.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The nodes, each index and each name once.
    pub nodes: &'a [PlacementNode],
    /// How many shards there are: 1 to 65,536.
    pub shards: u32,
    /// Replicas of each shard.
    pub replication_factor: u32,
    /// Whether shards may move.
    pub rebalance: Rebalance,
}

/// The ring that is wanted. If it says the same as `previous`, it is `previous` with its version; otherwise its version
/// is the next one.
pub fn place(previous: Option<&Ring>, wanted: &Wanted<'_>) -> Result<Ring, PlacementError> {
    check_nodes(wanted.nodes)?;
    match previous {
        None => fresh(wanted),
        Some(previous) => match wanted.rebalance {
            Rebalance::Never => kept(previous, wanted),
        },
    }
}

fn check_nodes(nodes: &[PlacementNode]) -> Result<(), PlacementError> {
    let (mut indexes, mut names) = (BTreeSet::new(), BTreeSet::new());
    match nodes.iter().find(|node| !indexes.insert(node.index) | !names.insert(&node.name)) {
        Some(twice) => Err(PlacementError::NodeTwice { node: twice.name.clone() }),
        None => Ok(()),
    }
}

/// The first ring of a cluster.
fn fresh(wanted: &Wanted<'_>) -> Result<Ring, PlacementError> {
    let replicas = wanted.replication_factor as usize;
    if !(1..=65_536).contains(&wanted.shards) {
        return Err(PlacementError::Shards { shards: wanted.shards });
    }
    if replicas == 0 || replicas > wanted.nodes.len() {
        let (replication_factor, nodes) = (wanted.replication_factor, wanted.nodes.len());
        return Err(PlacementError::NotEnoughNodes { replication_factor, nodes });
    }
    let mut load = Load::new(wanted.nodes);
    let targets = (0..wanted.shards).map(|shard| (ShardId(shard), load.choose(replicas))).collect();
    Ok(Ring {
        version: 1,
        feature_level: 1,
        replication_factor: wanted.replication_factor,
        nodes: wanted.nodes.iter().map(|node| (node.index, ring_node(node, RingNodeState::Active))).collect(),
        ranges: Ring::even_ranges(wanted.shards),
        targets,
    })
}

/// A ring whose shards stay where they are.
fn kept(previous: &Ring, wanted: &Wanted<'_>) -> Result<Ring, PlacementError> {
    let shards = previous.targets.len();
    if shards != wanted.shards as usize {
        return Err(PlacementError::ShardsChanged { from: shards, to: wanted.shards });
    }
    if previous.replication_factor != wanted.replication_factor {
        let (from, to) = (previous.replication_factor, wanted.replication_factor);
        return Err(PlacementError::ReplicationFactorChanged { from, to });
    }
    let state = |index| previous.nodes.get(&index).map_or(RingNodeState::Active, |node| node.state);
    let nodes: BTreeMap<NodeIndex, RingNode> =
        wanted.nodes.iter().map(|node| (node.index, ring_node(node, state(node.index)))).collect();
    let stays = |index: &NodeIndex| match (previous.nodes.get(index), nodes.get(index)) {
        (Some(before), Some(after)) => before.name == after.name,
        _ => false,
    };
    let mut holding: BTreeMap<NodeName, Vec<ShardId>> = BTreeMap::new();
    for (&shard, targets) in &previous.targets {
        for index in targets.iter().filter(|index| !stays(index)) {
            let name = previous.nodes.get(index).map_or_else(|| NodeName::from("?"), |node| node.name.clone());
            holding.entry(name).or_default().push(shard);
        }
    }
    if !holding.is_empty() {
        return Err(PlacementError::HoldsShards { holding });
    }
    let next = Ring { version: previous.version + 1, nodes, ..previous.clone() };
    Ok(if next.nodes == previous.nodes { previous.clone() } else { next })
}

fn ring_node(node: &PlacementNode, state: RingNodeState) -> RingNode {
    RingNode { name: node.name.clone(), zone: node.zone.clone(), state }
}

/// How much each node and each zone has been given so far.
struct Load<'a> {
    nodes: Vec<&'a PlacementNode>,
    /// By node: replicas, and those among them that stand first in their shard.
    given: BTreeMap<NodeIndex, (usize, usize)>,
    /// By zone: replicas.
    given_to_zone: BTreeMap<&'a str, usize>,
}

impl<'a> Load<'a> {
    fn new(nodes: &'a [PlacementNode]) -> Load<'a> {
        let mut nodes: Vec<&PlacementNode> = nodes.iter().collect();
        nodes.sort_by_key(|node| node.index);
        Load { nodes, given: BTreeMap::new(), given_to_zone: BTreeMap::new() }
    }

    /// Gives one shard to `replicas` nodes; the first one should lead.
    fn choose(&mut self, replicas: usize) -> Vec<NodeIndex> {
        let mut chosen: Vec<&PlacementNode> = Vec::with_capacity(replicas);
        for _ in 0..replicas {
            let next =
                self.nodes.iter().filter(|node| !chosen.iter().any(|taken| taken.index == node.index)).min_by_key(
                    |node| {
                        let in_zone = chosen.iter().filter(|taken| taken.zone == node.zone).count();
                        (in_zone, self.given(node).0, self.zone(node), node.index)
                    },
                );
            chosen.push(next.expect("there are at least as many nodes as replicas"));
        }
        // Whoever leads least so far stands first.
        chosen.sort_by_key(|node| (self.given(node).1, Reverse(self.given(node).0), node.index));
        for (position, node) in chosen.iter().enumerate() {
            let given = self.given.entry(node.index).or_default();
            given.0 += 1;
            given.1 += usize::from(position == 0);
            *self.given_to_zone.entry(&node.zone).or_default() += 1;
        }
        chosen.iter().map(|node| node.index).collect()
    }

    fn given(&self, node: &PlacementNode) -> (usize, usize) {
        self.given.get(&node.index).copied().unwrap_or_default()
    }

    fn zone(&self, node: &PlacementNode) -> usize {
        self.given_to_zone.get(node.zone.as_str()).copied().unwrap_or_default()
    }
}

/// Why there is no such ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Nodes that are to go hold shards.
    #[error("{}", holding_sentence(.holding))]
    HoldsShards {
        /// What each of them holds.
        holding: BTreeMap<NodeName, Vec<ShardId>>,
    },
    /// There are fewer nodes than each shard needs.
    #[error("{replication_factor} replicas of each shard need as many nodes, and there are {nodes}")]
    NotEnoughNodes {
        /// Replicas per shard.
        replication_factor: u32,
        /// Nodes there are.
        nodes: usize,
    },
    /// A number of shards that no cluster has.
    #[error("a cluster has 1 to 65,536 shards, not {shards}")]
    Shards {
        /// The number.
        shards: u32,
    },
    /// Shards cannot be split or merged yet.
    #[error("the cluster has {from} shards, and their number cannot be changed to {to}")]
    ShardsChanged {
        /// How many there are.
        from: usize,
        /// How many were wanted.
        to: u32,
    },
    /// Replicas cannot be added or removed yet.
    #[error("the cluster has replication factor {from}, and it cannot be changed to {to}")]
    ReplicationFactorChanged {
        /// What it is.
        from: u32,
        /// What was wanted.
        to: u32,
    },
    /// Two nodes with one index or one name.
    #[error("node {node} has an index or a name that another node has too")]
    NodeTwice {
        /// One of them.
        node: NodeName,
    },
}

fn holding_sentence(holding: &BTreeMap<NodeName, Vec<ShardId>>) -> String {
    let one = |(node, shards): (&NodeName, &Vec<ShardId>)| {
        let shards: Vec<String> = shards.iter().map(ShardId::to_string).collect();
        format!("node {node} holds shards {}", shards.join(", "))
    };
    format!("{}: a node that holds shards cannot be removed", holding.iter().map(one).collect::<Vec<_>>().join("; "))
}

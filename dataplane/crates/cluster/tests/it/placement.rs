//! Properties of placement, over clusters drawn at random. A failing case is shrunk and printed with its seed.

use std::collections::{BTreeMap, BTreeSet};

use grepzilla_cluster::placement::{PlacementError, PlacementNode, Rebalance, Wanted, place};
use grepzilla_model::{NodeIndex, Ring, RingNodeState, ShardId};
use proptest::prelude::*;

use crate::fixtures;

fn wanted(nodes: &[PlacementNode], shards: u32, replication_factor: u32) -> Wanted<'_> {
    Wanted { nodes, shards, replication_factor, rebalance: Rebalance::Never }
}

/// Node `at` is in zone `zones[at]`.
fn in_zones(zones: &[u8]) -> Vec<PlacementNode> {
    let node = |(at, zone): (usize, &u8)| PlacementNode {
        index: NodeIndex(at as u32),
        name: format!("n-{at}").as_str().into(),
        zone: format!("z{zone}"),
    };
    zones.iter().enumerate().map(node).collect()
}

fn load(ring: &Ring) -> Vec<usize> {
    let count = |index: &NodeIndex| ring.targets.values().filter(|targets| targets.contains(index)).count();
    ring.nodes.keys().map(count).collect()
}

fn spread(values: impl Iterator<Item = usize> + Clone) -> usize {
    values.clone().max().unwrap_or(0) - values.min().unwrap_or(0)
}

proptest! {
    #[test]
    fn fresh_rings_are_valid_and_keep_replicas_apart(
        zones in prop::collection::vec(0u8..4, 1..12), shards in 1u32..200, factor in 1u32..4,
    ) {
        prop_assume!(factor as usize <= zones.len());
        let nodes = in_zones(&zones);
        let ring = place(None, &wanted(&nodes, shards, factor)).unwrap();
        ring.check().unwrap();
        prop_assert_eq!(ring.shards().count(), shards as usize);
        let there_are = zones.iter().collect::<BTreeSet<_>>().len();
        for targets in ring.targets.values() {
            prop_assert_eq!(targets.iter().collect::<BTreeSet<_>>().len(), factor as usize, "a node twice");
            let used = targets.iter().map(|index| &ring.nodes[index].zone).collect::<BTreeSet<_>>().len();
            prop_assert_eq!(used, there_are.min(factor as usize), "replicas share a zone without need");
        }
        prop_assert_eq!(place(None, &wanted(&nodes, shards, factor)).unwrap(), ring);
    }

    #[test]
    fn fresh_rings_with_one_replica_are_even_whatever_the_zones(
        zones in prop::collection::vec(0u8..4, 1..12), shards in 1u32..200,
    ) {
        let ring = place(None, &wanted(&in_zones(&zones), shards, 1)).unwrap();
        prop_assert!(spread(load(&ring).into_iter()) <= 1, "{:?}", load(&ring));
    }

    #[test]
    fn fresh_rings_in_equal_zones_are_even_in_replicas_and_in_leaders(
        zones in 1usize..5, per_zone in 1usize..5, shards in 1u32..200, factor in 1u32..4,
    ) {
        prop_assume!(factor as usize <= zones || zones == 1 && factor as usize <= per_zone);
        let zone_of: Vec<u8> = (0..zones * per_zone).map(|at| (at % zones) as u8).collect();
        let ring = place(None, &wanted(&in_zones(&zone_of), shards, factor)).unwrap();
        prop_assert!(spread(load(&ring).into_iter()) <= 1, "{:?}", load(&ring));
        let first = |index: &NodeIndex| ring.targets.values().filter(|targets| targets[0] == *index).count();
        let leading: Vec<usize> = ring.nodes.keys().map(first).collect();
        prop_assert!(spread(leading.iter().copied()) <= 2, "{:?}", leading);
    }

    #[test]
    fn the_order_in_which_nodes_are_named_does_not_matter(
        zones in prop::collection::vec(0u8..3, 1..10), shards in 1u32..50, seed in any::<u64>(),
    ) {
        let nodes = in_zones(&zones);
        let mut shuffled = nodes.clone();
        shuffled.sort_by_key(|node| (u64::from(node.index.0) + 1).wrapping_mul(seed | 1));
        prop_assert_eq!(place(None, &wanted(&nodes, shards, 1)), place(None, &wanted(&shuffled, shards, 1)));
    }

    #[test]
    fn nothing_moves_while_nodes_come_and_go(
        zones in prop::collection::vec(0u8..3, 1..8), shards in 1u32..50, more in 0usize..5, gone in any::<prop::sample::Index>(),
    ) {
        let before = place(None, &wanted(&in_zones(&zones), shards, 1)).unwrap();
        let mut grown: Vec<u8> = zones.clone();
        grown.extend(vec![1u8; more]);
        let mut nodes = in_zones(&grown);
        let after = place(Some(&before), &wanted(&nodes, shards, 1)).unwrap();
        prop_assert_eq!(&after.targets, &before.targets);
        prop_assert_eq!(&after.ranges, &before.ranges);
        prop_assert_eq!(after.nodes.len(), grown.len());
        prop_assert_eq!(after.version, before.version + u64::from(more > 0));
        let holds: BTreeSet<NodeIndex> = after.targets.values().flatten().copied().collect();
        let leaver = nodes.remove(gone.index(nodes.len()));
        match place(Some(&after), &wanted(&nodes, shards, 1)) {
            Ok(ring) => {
                prop_assert!(!holds.contains(&leaver.index));
                prop_assert_eq!(ring.targets, after.targets);
            }
            Err(PlacementError::HoldsShards { holding }) => {
                let its: Vec<ShardId> = after
                    .targets
                    .iter()
                    .filter(|(_, targets)| targets.contains(&leaver.index))
                    .map(|(shard, _)| *shard)
                    .collect();
                prop_assert!(!its.is_empty());
                prop_assert_eq!(holding, BTreeMap::from([(leaver.name, its)]));
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}

#[test]
fn the_same_wish_is_the_same_ring() {
    let nodes = fixtures::nodes(3);
    let ring = place(None, &wanted(&nodes, 12, 1)).unwrap();
    assert_eq!(place(Some(&ring), &wanted(&nodes, 12, 1)).unwrap(), ring, "the version rose for nothing");
}

#[test]
fn a_zone_that_has_become_known_is_noted_and_a_draining_node_stays_one() {
    let mut nodes = fixtures::nodes(3);
    nodes[1].zone.clear();
    let mut ring = place(None, &wanted(&nodes, 12, 1)).unwrap();
    ring.nodes.get_mut(&NodeIndex(2)).unwrap().state = RingNodeState::Draining;
    let next = place(Some(&ring), &wanted(&fixtures::nodes(3), 12, 1)).unwrap();
    assert_eq!(next.nodes[&NodeIndex(1)].zone, "b");
    assert_eq!(next.nodes[&NodeIndex(2)].state, RingNodeState::Draining);
    assert_eq!((next.version, &next.targets), (ring.version + 1, &ring.targets));
}

#[test]
fn what_cannot_be_done_is_said() {
    let nodes = fixtures::nodes(3);
    let ring = place(None, &wanted(&nodes, 6, 1)).unwrap();
    let error = place(Some(&ring), &wanted(&nodes[..1], 6, 1)).unwrap_err().to_string();
    assert_eq!(
        error,
        "node n-1 holds shards 1, 4; node n-2 holds shards 2, 5: a node that holds shards cannot be removed"
    );
    let cases = [
        (place(Some(&ring), &wanted(&nodes, 8, 1)), PlacementError::ShardsChanged { from: 6, to: 8 }),
        (place(Some(&ring), &wanted(&nodes, 6, 2)), PlacementError::ReplicationFactorChanged { from: 1, to: 2 }),
        (place(None, &wanted(&nodes, 6, 4)), PlacementError::NotEnoughNodes { replication_factor: 4, nodes: 3 }),
        (place(None, &wanted(&[], 6, 1)), PlacementError::NotEnoughNodes { replication_factor: 1, nodes: 0 }),
        (place(None, &wanted(&nodes, 0, 1)), PlacementError::Shards { shards: 0 }),
    ];
    for (found, expected) in cases {
        assert_eq!(found, Err(expected));
    }
    let mut twice = nodes.clone();
    twice[1].name = twice[0].name.clone();
    assert!(matches!(place(None, &wanted(&twice, 6, 1)), Err(PlacementError::NodeTwice { .. })));
    let mut renamed = nodes;
    renamed[0].name = "other".into();
    assert!(matches!(place(Some(&ring), &wanted(&renamed, 6, 1)), Err(PlacementError::HoldsShards { .. })));
}

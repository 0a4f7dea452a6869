//! Where nodes were last to be reached: for the moments in which the registry lacks a node that lives.
//!
//! A registration ends with its lease, and a lease can end although its node is well: an etcd that is stopped goes on
//! expiring leases after it has ceased to renew them. A registration is for discovery only, so its end alone does not
//! make a leader unreachable. A node that is really gone costs an attempt to connect for as long as [`GRACE`].

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use grepzilla_cluster::topology::Topology;
use grepzilla_model::NodeName;
use parking_lot::RwLock;

/// How long a node is still looked for where it was, counted only while the store is in touch and the node could have
/// registered again: several times the longest wait for a new lease.
const GRACE: Duration = Duration::from_secs(10);

/// The peer ports of all nodes that were ever registered in this process's life; empty at first.
#[derive(Debug, Default)]
pub(crate) struct LastAddresses(RwLock<BTreeMap<NodeName, Last>>);

#[derive(Debug)]
struct Last {
    peer: String,
    /// Since when the registry lacks it.
    gone: Option<SystemTime>,
}

impl LastAddresses {
    /// Takes note of who is registered now, and of who is no longer.
    pub(crate) fn note(&self, topology: &Topology, now: SystemTime) {
        let mut known = self.0.write();
        for (name, record) in &topology.nodes {
            known.insert(name.clone(), Last { peer: record.peer.clone(), gone: None });
        }
        for (name, last) in known.iter_mut() {
            if !topology.nodes.contains_key(name) {
                last.gone.get_or_insert(now);
            }
        }
    }

    /// The peer port of a node that the registry lacks, if it is still worth an attempt.
    pub(crate) fn of(&self, node: &NodeName, topology: &Topology, now: SystemTime) -> Option<String> {
        let known = self.0.read();
        let last = known.get(node)?;
        let could_return_since = last.gone.unwrap_or(now).max(topology.since);
        let waited = now.duration_since(could_return_since).unwrap_or_default();
        (!topology.connected || waited < GRACE).then(|| last.peer.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use grepzilla_cluster::keyspace::{NodeRecord, NodeState};

    use super::*;

    fn topology(registered: bool, connected: bool, since: SystemTime) -> Topology {
        let record = NodeRecord {
            name: "n-1".into(),
            api: "n-1:7300".to_owned(),
            peer: "n-1:7301".to_owned(),
            version: "1".to_owned(),
            formats: 1,
            incarnations: BTreeMap::new(),
            troubles: BTreeMap::new(),
            state: NodeState::Serving,
        };
        let nodes = registered.then(|| ("n-1".into(), record)).into_iter().collect();
        Topology { nodes, connected, since, ..Topology::unknown() }
    }

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn a_node_that_left_the_registry_is_looked_for_during_the_grace_and_no_longer() {
        let addresses = LastAddresses::default();
        let (there, gone) = (topology(true, true, at(0)), topology(false, true, at(0)));
        addresses.note(&there, at(100));
        addresses.note(&gone, at(200));
        addresses.note(&gone, at(205));
        assert_eq!(addresses.of(&"n-1".into(), &gone, at(209)).as_deref(), Some("n-1:7301"));
        assert_eq!(addresses.of(&"n-1".into(), &gone, at(210)), None);
        assert_eq!(addresses.of(&"n-2".into(), &gone, at(200)), None);
    }

    #[test]
    fn the_time_without_a_store_does_not_count() {
        let addresses = LastAddresses::default();
        addresses.note(&topology(true, true, at(0)), at(100));
        addresses.note(&topology(false, true, at(0)), at(200));
        let away = topology(false, false, at(203));
        assert_eq!(addresses.of(&"n-1".into(), &away, at(900)).as_deref(), Some("n-1:7301"));
        let back = topology(false, true, at(900));
        assert_eq!(addresses.of(&"n-1".into(), &back, at(909)).as_deref(), Some("n-1:7301"));
        assert_eq!(addresses.of(&"n-1".into(), &back, at(910)), None);
    }
}

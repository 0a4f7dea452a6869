//! Whether a request is let in, decided before its body is read: by how full the disk and the hot tier are, by the bytes of
//! all requests at once, and by how much may come in a second.
//!
//! Two lines are drawn. At the door stand clients: beyond a soft mark they are sent away. At the log stands every batch,
//! that of another node too: beyond a hard mark nothing is written any more. Whatever is refused was refused before
//! anything was done, and is told when to come again.

pub(crate) mod disk;
#[cfg(test)]
mod load;
mod marks;
mod rate;
mod refusal;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use grepzilla_api::config::{AdmissionConfig, NodeConfig};
use tokio::time::Instant;

use crate::admission::disk::DiskSpace;
use crate::admission::marks::Marks;
use crate::metrics::admission::AdmissionMetrics;
use crate::node::{LeaderShard, Node};
use crate::server::body::BodyBudget;

pub(crate) use crate::admission::rate::{RateLimit, Ticket};
pub(crate) use crate::admission::refusal::{RateScope, Refusal};

/// What stands at the door and at the logs of one node.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) disk: DiskSpace,
    /// Room for the bodies of clients; of a node that is alone, for all.
    pub(crate) bodies: BodyBudget,
    /// Room for what other nodes send, in a cluster: however many clients there are, what another node has let in finds
    /// room here, or nodes that are all too busy would do work for each other in vain.
    of_peers: Option<BodyBudget>,
    marks: Marks,
    rate: RateLimit,
    metrics: AdmissionMetrics,
}

impl Admission {
    /// From a configuration that was checked.
    pub(crate) fn new(config: &NodeConfig, metrics: AdmissionMetrics) -> Admission {
        let NodeConfig { admission, data, .. } = config;
        let AdmissionConfig { rate, in_flight_bytes_max, .. } = admission;
        let bytes = usize::try_from(*in_flight_bytes_max).unwrap_or(usize::MAX);
        let (bodies, of_peers) = match config.cluster {
            Some(_) => (BodyBudget::new(bytes / 2), Some(BodyBudget::new(bytes / 2))),
            None => (BodyBudget::new(bytes), None),
        };
        Admission {
            disk: DiskSpace::new(PathBuf::from(data)),
            bodies,
            of_peers,
            marks: Marks::new(admission),
            rate: RateLimit::new(rate, Instant::now()),
            metrics,
        }
    }

    /// Lets a client's request in or not. `body_bytes`: what it announces, as far as that is known.
    ///
    /// What only looks comes before what takes something, so that a request that is sent away has cost nobody anything.
    pub(crate) fn at_the_door<'a>(
        &'a self,
        node: &Node,
        index: &'a RateLimit,
        body_bytes: usize,
    ) -> Result<Ticket<'a>, Refusal> {
        let decide = || {
            self.marks.at_the_door(node, self.disk.free_bytes())?;
            self.marks.in_flight(node, &self.bodies, body_bytes)?;
            let limits = [(RateScope::Node, &self.rate), (RateScope::Index, index)];
            Ticket::take(limits, body_bytes, Instant::now())
        };
        decide().inspect_err(|refusal| self.metrics.refused(refusal))
    }

    /// Lets a batch into a log of this node or not.
    pub(crate) fn at_the_log(&self, node: &Node, leader: &LeaderShard) -> Result<(), Refusal> {
        let decided = self.marks.at_the_log(node, leader, self.disk.free_bytes());
        decided.inspect_err(|refusal| self.metrics.refused(refusal))
    }

    /// Room for the bodies of other nodes.
    pub(crate) fn peer_bodies(&self) -> &BodyBudget {
        self.of_peers.as_ref().unwrap_or(&self.bodies)
    }

    /// What all bodies hold now, and what they can hold.
    pub(crate) fn in_flight_bytes(&self) -> (usize, usize) {
        let (used, max) = self.of_peers.as_ref().map_or((0, 0), |bodies| (bodies.used_bytes(), bodies.bytes_max()));
        (self.bodies.used_bytes() + used, self.bodies.bytes_max() + max)
    }

    /// The marks as they are configured.
    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }
}

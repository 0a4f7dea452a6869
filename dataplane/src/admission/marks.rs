//! The marks of the hot tier and of the disk, and the bound of all requests at once.

use grepzilla_api::config::AdmissionConfig;

use crate::admission::refusal::{Mark, Refusal};
use crate::node::{LeaderShard, Node};
use crate::server::body::BodyBudget;

/// Where the marks stand.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) hot_soft_bytes: u64,
    pub(crate) hot_hard_bytes: u64,
    pub(crate) disk_soft_free_bytes: u64,
    pub(crate) disk_hard_free_bytes: u64,
}

impl Marks {
    pub(super) fn new(config: &AdmissionConfig) -> Marks {
        let AdmissionConfig { hot_soft_bytes, hot_hard_bytes, disk_soft_free_bytes, disk_hard_free_bytes, .. } =
            *config;
        Marks { hot_soft_bytes, hot_hard_bytes, disk_soft_free_bytes, disk_hard_free_bytes }
    }

    /// A client's request.
    pub(super) fn at_the_door(&self, node: &Node, free_bytes: u64) -> Result<(), Refusal> {
        self.disk(Mark::Hard, free_bytes)?;
        self.disk(Mark::Soft, free_bytes)?;
        let hot_bytes = hot_bytes(node);
        self.hot(Mark::Hard, hot_bytes, |bytes| backlog_of_all_ms(node, bytes))?;
        self.hot(Mark::Soft, hot_bytes, |bytes| backlog_of_all_ms(node, bytes))
    }

    /// A batch for a log of this node.
    pub(super) fn at_the_log(&self, node: &Node, leader: &LeaderShard, free_bytes: u64) -> Result<(), Refusal> {
        self.disk(Mark::Hard, free_bytes)?;
        self.hot(Mark::Hard, hot_bytes(node), |bytes| backlog_ms([leader], bytes))
    }

    /// A request with a body of so many bytes, beside those that are under way.
    pub(super) fn in_flight(&self, node: &Node, bodies: &BodyBudget, body_bytes: usize) -> Result<(), Refusal> {
        if bodies.has_room(body_bytes) {
            return Ok(());
        }
        let (bytes, bytes_max) = (bodies.used_bytes() as u64, bodies.bytes_max() as u64);
        Err(Refusal::InFlight { bytes, bytes_max, backlog_ms: backlog_of_all_ms(node, bytes) })
    }

    fn disk(&self, mark: Mark, free_bytes: u64) -> Result<(), Refusal> {
        let free_bytes_min = match mark {
            Mark::Soft => self.disk_soft_free_bytes,
            Mark::Hard => self.disk_hard_free_bytes,
        };
        if free_bytes < free_bytes_min { Err(Refusal::Disk { mark, free_bytes, free_bytes_min }) } else { Ok(()) }
    }

    fn hot(&self, mark: Mark, bytes: u64, backlog_ms: impl FnOnce(u64) -> u64) -> Result<(), Refusal> {
        let bytes_max = match mark {
            Mark::Soft => self.hot_soft_bytes,
            Mark::Hard => self.hot_hard_bytes,
        };
        if bytes < bytes_max {
            return Ok(());
        }
        let backlog_ms = backlog_ms(bytes - self.hot_soft_bytes.min(bytes));
        Err(Refusal::HotTier { mark, bytes, bytes_max, backlog_ms })
    }
}

/// Bytes of memory of the hot tiers of the shards led here.
fn hot_bytes(node: &Node) -> u64 {
    node.led_here().iter().map(|shard| shard.log.stats().hot.bytes).sum()
}

fn backlog_of_all_ms(node: &Node, bytes: u64) -> u64 {
    backlog_ms(node.led_here().iter().map(AsRef::as_ref), bytes)
}

/// How long so many bytes will take, going by what the logs' syncs have taken for each byte so far; at least 1.
fn backlog_ms<'a>(leaders: impl IntoIterator<Item = &'a LeaderShard>, bytes: u64) -> u64 {
    let (mut seconds, mut written) = (0.0, 0);
    for leader in leaders {
        let log = leader.log.stats().log;
        seconds += log.fsync.seconds;
        written += log.bytes_written;
    }
    ((bytes as f64 * seconds / written.max(1) as f64 * 1e3).ceil() as u64).max(1)
}

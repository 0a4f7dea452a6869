//! The life of one shard on this node.
//!
//! ```text
//! open the folder ──> claim the next epoch ──> start it in the log ──> lead
//!       ^                     ^    │ refused, or the store is away        │ somebody has a higher epoch
//!       │                     └────┘ (read only where that is sound)      │
//!       └────────────────────── close the log <──────────────────────────┘
//! ```
//!
//! Never so: a batch is taken before the epoch is ours in the store and started in the log; a log is appended to after
//! another epoch was seen.

use std::sync::Arc;
use std::time::Duration;

use grepzilla_cluster::leadership::{Candidate, ClaimError, claim};
use grepzilla_cluster::store::StoreError;
use grepzilla_cluster::topology::Topology;
use grepzilla_model::{Epoch, NodeName, ShardConfig, ShardId};
use grepzilla_storage::{AppendError, OpenError, Shard};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::logging::with_causes;
use crate::shards::ShardsContext;
use crate::shards::maintenance::RunningMaintenance;
use crate::shards::opening::may_open_later;
use crate::shards::table::{LeaderShard, LocalShard, lacks};

/// How long one claim may take before it is tried again.
const CLAIM_TIME_MAX: Duration = Duration::from_secs(5);
/// The pause after something failed that may come right by itself.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How often a leader looks whether its log still takes batches.
const LOG_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a leader looks whether a segment was found to be damaged.
const DAMAGE_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// The pause after something failed that hardly comes right without a person.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// The task.
#[derive(Debug)]
pub(super) struct ShardTask {
    context: Arc<ShardsContext>,
    shard: ShardId,
    topology: watch::Receiver<Arc<Topology>>,
}

/// Why an epoch could not be begun.
#[derive(Debug, thiserror::Error)]
enum BeginError {
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("the metadata store did not answer within {} s", CLAIM_TIME_MAX.as_secs())]
    ClaimTimeout,
    #[error("epoch {epoch} could not be started in the log")]
    Start { epoch: Epoch, source: AppendError },
}

impl ShardTask {
    pub(super) fn new(
        context: Arc<ShardsContext>,
        shard: ShardId,
        topology: watch::Receiver<Arc<Topology>>,
    ) -> ShardTask {
        ShardTask { context, shard, topology }
    }

    /// Holds the shard until it is cancelled. Then its log is closed.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        while let Some(log) = cancel.run_until_cancelled(self.open()).await {
            let mut maintenance = None;
            cancel.run_until_cancelled(self.claim_and_lead(&log, &mut maintenance)).await;
            let reason =
                if cancel.is_cancelled() { "the node is shutting down" } else { "its log is being opened again" };
            self.show(LocalShard::Blocked { reason: format!("shard {}: {reason}", self.shard) });
            self.context.registration.withdraw_leader(self.shard);
            if let Some(running) = maintenance {
                running.end().await;
            }
            self.close(log).await;
        }
    }

    /// Opens the folder, however often that takes.
    async fn open(&self) -> Arc<Shard> {
        loop {
            match self.context.opener.open(self.shard).await {
                Ok(log) => {
                    let incarnation = log.incarnation();
                    self.context.registration.update(|record| {
                        record.incarnations.insert(self.shard, incarnation);
                        record.report(self.shard, None);
                    });
                    return Arc::new(log);
                }
                Err(error) => self.cannot_open(error).await,
            }
        }
    }

    async fn cannot_open(&self, error: OpenError) {
        let (later, is_locked) = (may_open_later(&error), matches!(error, OpenError::Locked { .. }));
        let (shard, error) = (self.shard, with_causes(&error));
        tracing::error!(%shard, error, tried_again = later, "the shard cannot be opened");
        let reason = format!("shard {shard} cannot be opened: {error}");
        self.show(LocalShard::Blocked { reason: reason.clone() });
        if later {
            // Requests that began before the log was closed hold its folder until they are answered.
            tokio::time::sleep(if is_locked { RETRY_PAUSE } else { LONG_PAUSE }).await;
        } else {
            self.context.registration.update(|record| record.report(shard, Some(&reason)));
            std::future::pending().await
        }
    }

    /// Leads the shard until somebody else does, or until its log is found closed.
    async fn claim_and_lead(&mut self, log: &Arc<Shard>, maintenance: &mut Option<RunningMaintenance>) {
        if log.is_damaged() {
            return self.damaged(log).await;
        }
        let epoch = self.claim_however_often(log).await;
        let leader = LeaderShard { shard: self.shard, epoch, log: log.clone(), publishing: Arc::default() };
        let running = maintenance.insert(RunningMaintenance::begin(self.context.clone(), &leader));
        self.show(LocalShard::Leading(Arc::new(leader)));
        self.context.registration.announce_leader(self.shard, epoch);
        tracing::info!(shard = %self.shard, %epoch, "leading the shard");
        tokio::select! {
            () = self.overtaken(epoch) => tracing::warn!(shard = %self.shard, %epoch, "another epoch has begun; stepping down"),
            () = running.ended() => tracing::error!(shard = %self.shard, %epoch, "its maintenance has ended; opening the log again"),
            () = ended(log) => tracing::error!(shard = %self.shard, %epoch, "the log's thread has ended; opening it again"),
            () = found_damaged(log) => {}
        }
        if log.is_damaged() {
            running.stop();
            self.context.registration.withdraw_leader(self.shard);
            self.damaged(log).await;
        }
    }

    /// A segment cannot be used. If the log still has what was in it, opening the shard again brings it back. If not, what is
    /// left is shown for ever: only a person can say what to do.
    async fn damaged(&self, log: &Arc<Shard>) {
        let (shard, epoch) = (self.shard, log.last_epoch());
        let reason = lacks(shard, &log.damage()).expect("it is damaged");
        let read_only = LeaderShard { shard, epoch, log: log.clone(), publishing: Arc::default() };
        self.show(LocalShard::ReadOnly { shard: Arc::new(read_only), reason: reason.clone() });
        if log.can_be_restored() {
            tracing::warn!(%shard, %epoch, reason, "a segment is damaged, and the log still has what was in it");
            tokio::time::sleep(RETRY_PAUSE).await;
        } else {
            tracing::error!(%shard, %epoch, reason, "a segment is damaged; it is kept, and the shard is only read");
            self.context.registration.update(|record| record.report(shard, Some(&reason)));
            std::future::pending().await
        }
    }

    /// Resolves when the store shows another epoch or another leader.
    async fn overtaken(&mut self, epoch: Epoch) {
        let (shard, node) = (self.shard, self.context.node.clone());
        let overtaken = self
            .topology
            .wait_for(|topology| topology.configs.get(&shard).is_some_and(|config| is_overtaken(config, &node, epoch)));
        if overtaken.await.is_err() {
            // The sender goes only with its task, whose end stops the node.
            std::future::pending().await
        }
    }

    async fn claim_however_often(&mut self, log: &Arc<Shard>) -> Epoch {
        let mut last_reason = String::new();
        loop {
            let error = match self.begin_epoch(log).await {
                Ok(epoch) => return epoch,
                Err(error) => error,
            };
            let local = self.without_epoch(log, &error);
            let reason = local.blocker().unwrap_or_default().to_owned();
            if reason != last_reason {
                tracing::warn!(shard = %self.shard, reason, "the shard waits");
                last_reason = reason;
            }
            self.show(local);
            let pause = if error.retryable() { RETRY_PAUSE } else { LONG_PAUSE };
            // Whatever is new in the topology may be what was waited for.
            let _ = tokio::time::timeout(pause, self.topology.changed()).await;
        }
    }

    /// Makes the next epoch ours in the store, then in the log.
    async fn begin_epoch(&self, log: &Arc<Shard>) -> Result<Epoch, BeginError> {
        let candidate = Candidate {
            shard: self.shard,
            node: self.context.node.clone(),
            incarnation: log.incarnation(),
            last_epoch: log.last_epoch(),
        };
        let claimed = claim(self.context.store.as_ref(), &self.context.keys, &candidate);
        let claimed = tokio::time::timeout(CLAIM_TIME_MAX, claimed).await.map_err(|_| BeginError::ClaimTimeout)??;
        let epoch = claimed.config.epoch;
        let log = log.clone();
        let started = tokio::task::spawn_blocking(move || log.start_epoch(epoch)).await;
        let started = started.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        started.map_err(|source| BeginError::Start { epoch, source })?;
        Ok(epoch)
    }

    /// What the shard can still do. With the store away, the only replica of the last configuration that was heard holds
    /// everything that was ever committed, and nobody else can have taken its place: reading it is sound.
    fn without_epoch(&self, log: &Arc<Shard>, error: &BeginError) -> LocalShard {
        let shard = self.shard;
        let topology = self.topology.borrow();
        let listed = topology.configs.get(&shard).filter(|config| is_only_replica(config, &self.context.node, log));
        match listed {
            Some(config) if error.store_is_away() => LocalShard::ReadOnly {
                shard: Arc::new(LeaderShard {
                    shard,
                    epoch: config.epoch,
                    log: log.clone(),
                    publishing: Arc::default(),
                }),
                reason: format!("shard {shard} can be read but not written until its leader is confirmed: {error}"),
            },
            _ => LocalShard::Blocked { reason: format!("shard {shard} has no leader: {}", with_causes(error)) },
        }
    }

    async fn close(&self, log: Arc<Shard>) {
        let closed = tokio::task::spawn_blocking(move || log.close()).await;
        match closed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
            Ok(()) => tracing::info!(shard = %self.shard, "the log is closed"),
            Err(error) => tracing::error!(shard = %self.shard, %error, "the log was not closed cleanly"),
        }
    }

    fn show(&self, local: LocalShard) {
        self.context.table.set(self.shard, local);
    }
}

impl BeginError {
    fn store_is_away(&self) -> bool {
        match self {
            BeginError::ClaimTimeout => true,
            BeginError::Claim(ClaimError::Store(error)) => match error {
                StoreError::Unavailable { .. } | StoreError::Unknown { .. } => true,
                StoreError::Compacted { .. } | StoreError::LeaseGone(_) | StoreError::Refused { .. } => false,
            },
            BeginError::Claim(_) | BeginError::Start { .. } => false,
        }
    }

    fn retryable(&self) -> bool {
        match self {
            BeginError::ClaimTimeout => true,
            BeginError::Claim(error) => error.retryable(),
            // A higher epoch will be asked for, or room may have come.
            BeginError::Start { source, .. } => source.retryable() || matches!(source, AppendError::StaleEpoch { .. }),
        }
    }
}

/// Resolves when a log no longer takes batches although nobody closed it: a bug, whose panic has been logged.
async fn ended(log: &Shard) {
    while log.is_open() {
        tokio::time::sleep(LOG_CHECK_INTERVAL).await;
    }
}

/// Resolves when a segment of a shard is found that cannot be used.
async fn found_damaged(log: &Shard) {
    while !log.is_damaged() {
        tokio::time::sleep(DAMAGE_CHECK_INTERVAL).await;
    }
}

/// Whether the epoch that a node leads in is no longer the shard's.
fn is_overtaken(config: &ShardConfig, node: &NodeName, epoch: Epoch) -> bool {
    config.epoch > epoch || (config.epoch == epoch && config.leader != *node)
}

fn is_only_replica(config: &ShardConfig, node: &NodeName, log: &Shard) -> bool {
    let [replica] = config.replicas.as_slice() else { return false };
    replica.node == *node && replica.incarnation == log.incarnation() && config.leader == *node
}

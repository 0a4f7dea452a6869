//! The manifest in the metadata store: taken over from it, published to it, tidied up in it.

use std::time::{Duration, SystemTime};

use grepzilla_cluster::manifests::{self, Publication, PublishError};
use grepzilla_model::{Manifest, TimeNs};
use grepzilla_storage::MaintenanceError;
use tokio::time::{Instant, timeout};

use super::Maintenance;
use super::trouble::Trouble;
use crate::logging::with_causes;
use crate::metrics::maintenance::PublishStatus;

/// What the store may take to answer.
const STORE_TIME_MAX: Duration = Duration::from_secs(5);
/// The pause between two looks at whether there is something to publish; so a shard publishes about once a second.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);
/// How often lists that are not readable any more are looked for.
const TIDY_INTERVAL: Duration = Duration::from_secs(60);

/// How far the publishing of a manifest is.
#[derive(Debug)]
enum Step {
    /// There is none, or it is done.
    Idle,
    /// The store has it or has it not; the same publication finds out.
    Sent(Publication),
    /// The store has it, and this replica has not recorded that.
    Accepted(Manifest),
}

/// A step that was not made.
#[derive(Debug)]
struct NotPublished {
    status: PublishStatus,
    reason: String,
    /// The publication never will be made: another one may be tried.
    is_final: bool,
}

impl Maintenance {
    /// Takes the store's manifest over, however often that takes. `false`: maintenance is to end.
    pub(super) async fn adopt(&self) -> bool {
        let mut trouble = Trouble::default();
        loop {
            let Some(adopted) = self.stop.run_until_cancelled(self.read_newest()).await else { return false };
            let adopted = match adopted {
                Ok(manifest) => self.blocking(|log| log.adopt(manifest)).await.map_err(|error| not_recorded(&error)),
                Err(failure) => Err(failure),
            };
            match adopted {
                Ok(()) => return true,
                Err(failure) => self.not_published("the store's manifest was not taken over", failure, &mut trouble),
            }
            if !self.pause(trouble.pause(Duration::ZERO)).await {
                return false;
            }
        }
    }

    async fn read_newest(&self) -> Result<Option<Manifest>, NotPublished> {
        let (store, keys) = (self.context.store.as_ref(), &self.context.keys);
        match timeout(STORE_TIME_MAX, manifests::newest(store, keys, self.shard)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                let status = if error.retryable() { PublishStatus::Unavailable } else { PublishStatus::Refused };
                Err(NotPublished { status, reason: with_causes(&error), is_final: false })
            }
            Err(_) => Err(silence()),
        }
    }

    /// Publishes whatever there is to publish.
    pub(super) async fn publish(&self) {
        let (mut step, mut trouble) = (Step::Idle, Trouble::default());
        let mut tidied = Instant::now();
        while self.pause(trouble.pause(PUBLISH_INTERVAL)).await {
            match self.advance(step).await {
                (next, Ok(())) => {
                    step = next;
                    if trouble.over() {
                        tracing::info!(shard = %self.shard, epoch = %self.epoch, "manifests are published again");
                    }
                    self.board.succeeded();
                }
                (next, Err(failure)) => {
                    step = next;
                    self.not_published("the manifest was not published", failure, &mut trouble);
                }
            }
            if tidied.elapsed() >= TIDY_INTERVAL {
                tidied = Instant::now();
                self.tidy().await;
            }
        }
    }

    /// Goes as far as it can.
    async fn advance(&self, step: Step) -> (Step, Result<(), NotPublished>) {
        let publication = match step {
            Step::Accepted(manifest) => return self.record(manifest).await,
            Step::Sent(publication) => publication,
            Step::Idle => match self.blocking(|log| log.next_manifest()).await {
                None => return (Step::Idle, Ok(())),
                Some(next) => Publication::new(self.shard, next, TimeNs::from_system(SystemTime::now())),
            },
        };
        match self.send(&publication).await {
            Ok(()) => self.record(publication.into_manifest()).await,
            Err(failure) if failure.is_final => (Step::Idle, Err(failure)),
            Err(failure) => (Step::Sent(publication), Err(failure)),
        }
    }

    async fn send(&self, publication: &Publication) -> Result<(), NotPublished> {
        let (store, keys) = (self.context.store.as_ref(), &self.context.keys);
        let publish = timeout(STORE_TIME_MAX, publication.publish(store, keys));
        match self.stop.run_until_cancelled(publish).await {
            Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => {
                let (status, is_final) = (status_of(&error), error.is_final());
                Err(NotPublished { status, reason: with_causes(&error), is_final })
            }
            // Whoever claims the shard next finds out.
            Some(Err(_)) | None => Err(silence()),
        }
    }

    /// Records what the store has accepted, and lets go of what it makes superfluous.
    async fn record(&self, manifest: Manifest) -> (Step, Result<(), NotPublished>) {
        let recorded = manifest.clone();
        if let Err(error) = self.blocking(|log| log.published(recorded)).await {
            return (Step::Accepted(manifest), Err(not_recorded(&error)));
        }
        self.context.metrics.publish_ended(PublishStatus::Ok);
        tracing::info!(
            shard = %self.shard, epoch = %self.epoch, generation = %manifest.generation, base = %manifest.base,
            last_seq = %manifest.flushed, segments = manifest.segments.len(), "published the manifest"
        );
        (Step::Idle, Ok(()))
    }

    fn not_published(&self, what: &'static str, failure: NotPublished, trouble: &mut Trouble) {
        let NotPublished { status, reason, .. } = failure;
        if self.stop.is_cancelled() {
            return;
        }
        self.context.metrics.publish_ended(status);
        if trouble.met(status.word()) {
            tracing::warn!(shard = %self.shard, epoch = %self.epoch, status = status.word(), reason, "{what}; it is tried again");
        }
        self.board.failed(reason);
    }

    /// Removes lists that no cursor can name any more. What is not removed now is the next time.
    async fn tidy(&self) {
        let (store, keys) = (self.context.store.as_ref(), &self.context.keys);
        let now = TimeNs::from_system(SystemTime::now());
        let tidied = manifests::remove_superseded(store, keys, self.shard, now, self.context.cursor_ttl);
        match self.stop.run_until_cancelled(timeout(STORE_TIME_MAX, tidied)).await {
            Some(Ok(Ok(removed))) => tracing::debug!(shard = %self.shard, removed, "removed old lists of segments"),
            Some(Ok(Err(error))) => {
                let error = with_causes(&error);
                tracing::debug!(shard = %self.shard, error, "old lists of segments were not removed");
            }
            Some(Err(_)) | None => {}
        }
    }
}

fn status_of(error: &PublishError) -> PublishStatus {
    match error {
        PublishError::Overtaken { .. } => PublishStatus::Overtaken,
        error if error.retryable() => PublishStatus::Unavailable,
        _ => PublishStatus::Refused,
    }
}

fn silence() -> NotPublished {
    let reason = format!("the metadata store did not answer within {} s", STORE_TIME_MAX.as_secs());
    NotPublished { status: PublishStatus::Unavailable, reason, is_final: false }
}

fn not_recorded(error: &MaintenanceError) -> NotPublished {
    NotPublished { status: PublishStatus::NotRecorded, reason: with_causes(error), is_final: false }
}

//! One leader among the operator's replicas, by a Lease. It is a courtesy, not a fence: two leaders would apply the same
//! objects, and the ring is fenced by the operator's term in etcd.
//!
//! A Lease that has not changed for its duration, measured on the own clock, is up for the taking.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use tokio::time::{Instant, sleep};

/// How long a Lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// After how long without a renewal a leader steps down by itself: before anybody may take over.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a leader renews and the others look.
const PERIOD: Duration = Duration::from_secs(2);

/// A candidate.
#[derive(Debug, Clone)]
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
}

impl Candidate {
    /// A candidate for Lease `name`; `identity` tells it from the others.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Candidate {
        Candidate { api: Api::namespaced(client, namespace), name: name.to_owned(), identity: identity.to_owned() }
    }

    /// Returns when the Lease is ours. `heard` is called after each answer of the API server.
    pub async fn acquire(&self, heard: impl Fn()) {
        let mut seen: Option<(String, Instant)> = None;
        loop {
            match self.look().await {
                Ok(found) => {
                    heard();
                    if self.may_take(found.as_ref(), &mut seen) {
                        match self.take(found).await {
                            Ok(()) => return tracing::info!(identity = self.identity, "leads"),
                            Err(error) => tracing::info!(%error, "the Lease went to another one"),
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "the Lease cannot be read"),
            }
            sleep(PERIOD).await;
        }
    }

    /// Renews until that has not worked for too long, or the Lease is another one's.
    pub async fn hold(&self) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < DEADLINE {
            sleep(PERIOD).await;
            let began = Instant::now();
            match tokio::time::timeout(DEADLINE.saturating_sub(renewed.elapsed()), self.renew()).await {
                Ok(Ok(true)) => renewed = began,
                Ok(Ok(false)) => return tracing::warn!("another one holds the Lease"),
                Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be renewed"),
                Err(_) => break,
            }
        }
        tracing::warn!("the Lease could not be renewed in time");
    }

    /// Gives the Lease back, so that the next one need not wait.
    pub async fn release(&self) -> kube::Result<()> {
        if let Some(lease) = self.look().await?.filter(|lease| self.is_ours(lease)) {
            let transitions = transitions(Some(&lease));
            let spec = LeaseSpec { holder_identity: None, ..self.spec(transitions, None) };
            self.write(lease, spec).await?;
        }
        Ok(())
    }

    async fn look(&self) -> kube::Result<Option<Lease>> {
        self.api.get_opt(&self.name).await
    }

    /// Free, ours, or not changed for its duration.
    fn may_take(&self, found: Option<&Lease>, seen: &mut Option<(String, Instant)>) -> bool {
        let Some(lease) = found else { return true };
        if holder(lease).is_none() || self.is_ours(lease) {
            return true;
        }
        let version = lease.resource_version().unwrap_or_default();
        let since = match seen {
            Some((known, since)) if *known == version => *since,
            _ => seen.insert((version, Instant::now())).1,
        };
        let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let duration = seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(DURATION, Duration::from_secs);
        since.elapsed() >= duration
    }

    async fn take(&self, found: Option<Lease>) -> kube::Result<()> {
        let another = found.as_ref().is_some_and(|lease| !self.is_ours(lease));
        let spec = self.spec(transitions(found.as_ref()) + i32::from(another), Some(MicroTime(Timestamp::now())));
        match found {
            Some(lease) => self.write(lease, spec).await,
            None => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                self.api.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await.map(drop)
            }
        }
    }

    async fn renew(&self) -> kube::Result<bool> {
        let Some(lease) = self.look().await?.filter(|lease| self.is_ours(lease)) else { return Ok(false) };
        let acquired = lease.spec.as_ref().and_then(|spec| spec.acquire_time.clone());
        let spec = self.spec(transitions(Some(&lease)), acquired);
        self.write(lease, spec).await.map(|()| true)
    }

    /// The resource version that was read goes along, so two candidates never both succeed.
    async fn write(&self, mut lease: Lease, spec: LeaseSpec) -> kube::Result<()> {
        lease.spec = Some(spec);
        self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
    }

    fn spec(&self, transitions: i32, acquired: Option<MicroTime>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            lease_transitions: Some(transitions),
            acquire_time: acquired,
            renew_time: Some(MicroTime(Timestamp::now())),
            ..LeaseSpec::default()
        }
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        holder(lease) == Some(&self.identity)
    }
}

fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}

fn transitions(lease: Option<&Lease>) -> i32 {
    lease.and_then(|lease| lease.spec.as_ref()?.lease_transitions).unwrap_or_default()
}

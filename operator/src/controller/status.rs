//! Step 6: what is answered. Derived from the facts alone each time; the former status only lends the moments at which
//! something began. Written only when it differs.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::build::{MANAGER, selector_text};
use super::facts::{Facts, MetadataFacts};
use super::plan::{Plan, Wait};
use super::validate::{Cluster, Invalid};
use crate::crd::status::{Blocker, Gate, NodeNumbers, Reason, ShardNumbers};
use crate::crd::{GrepzillaCluster, GrepzillaClusterStatus};

/// What one reconcile found out.
#[derive(Debug)]
pub enum Findings<'a> {
    /// The spec cannot be carried out.
    Invalid(&'a Invalid),
    /// The cluster was looked at.
    Seen {
        /// What was wanted.
        cluster: &'a Cluster,
        /// What was the case.
        facts: &'a Facts,
        /// What was planned.
        plan: &'a Plan,
        /// What Kubernetes refused.
        refused: &'a [Wait],
        /// Whether something was written, or failed to be, so that this is not the end of it.
        unfinished: bool,
    },
}

/// The status that tells these findings.
pub fn derive(resource: &GrepzillaCluster, findings: &Findings<'_>, now: Timestamp) -> GrepzillaClusterStatus {
    let former = resource.status.as_ref();
    let now = to_the_second(now);
    let mut status = GrepzillaClusterStatus {
        observed_generation: resource.metadata.generation.unwrap_or_default(),
        selector: selector_text(&resource.name_any()),
        cluster_uuid: former.and_then(|former| former.cluster_uuid.clone()),
        nodes: NodeNumbers { desired: resource.spec.nodes, current: 0, ready: 0 },
        shards: ShardNumbers { desired: resource.spec.shards, ..ShardNumbers::default() },
        ..GrepzillaClusterStatus::default()
    };
    let (reasons, waits) = match findings {
        Findings::Invalid(invalid) => (
            [Reason::NotLookedAt, Reason::WaitsForBlockers, Reason::HealthNotLookedAt, Reason::Blocked],
            vec![invalid_spec(resource, invalid)],
        ),
        Findings::Seen { cluster, facts, plan, refused, unfinished } => {
            count(&mut status, facts);
            let waits = [&plan.waits[..], refused].concat();
            (judge(cluster, facts, plan, &waits, *unfinished), waits)
        }
    };
    let generation = status.observed_generation;
    status.conditions = reasons.map(|reason| condition(reason, generation, former, now)).into();
    status.blockers = waits.into_iter().map(|wait| blocker(wait, former, now)).collect();
    status.blockers.dedup_by(|a, b| a.gate == b.gate && a.object == b.object);
    status
}

/// Writes a status if it is not the one that is there. A resource of the same name but another UID is not touched.
pub async fn write(
    client: &Client,
    resource: &GrepzillaCluster,
    status: &GrepzillaClusterStatus,
) -> kube::Result<bool> {
    if resource.status.as_ref() == Some(status) {
        return Ok(false);
    }
    let name = resource.name_any();
    let api: Api<GrepzillaCluster> = Api::namespaced(client.clone(), &resource.namespace().unwrap_or_default());
    let body = json!({
        "apiVersion": "grepzilla.io/v1alpha1",
        "kind": "GrepzillaCluster",
        "metadata": { "name": name, "uid": resource.uid() },
        "status": status,
    });
    api.patch_status(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(body)).await?;
    Ok(true)
}

fn count(status: &mut GrepzillaClusterStatus, facts: &Facts) {
    status.nodes.current = u32::try_from(facts.pods.len()).expect("there are at most 1,000 pods");
    status.nodes.ready = facts.ready_pods();
    status.ring_version = facts.ring().map(|ring| ring.version);
    status.shards.led = facts.led_shards();
    status.shards.damaged = facts.damaged_shards();
    let in_ring = facts.ring().map(|ring| u32::try_from(ring.targets.len()).expect("shard ids are u32"));
    status.shards.leaderless = in_ring.zip(status.shards.led).map(|(all, led)| all - led);
    // An identity is recorded once. What etcd says later is compared with it, never written over it.
    let found = facts.cluster().and_then(|cluster| cluster.uuid).or(facts.known_uuid());
    status.cluster_uuid = status.cluster_uuid.take().or_else(|| found.map(|uuid| uuid.to_string()));
}

fn judge(cluster: &Cluster, facts: &Facts, plan: &Plan, waits: &[Wait], unfinished: bool) -> [Reason; 4] {
    let busy = plan.progress.or(unfinished.then_some(Reason::Applying));
    let progressing = match busy {
        _ if cluster.paused => Reason::LeftAlone,
        Some(reason) => reason,
        None if waits.is_empty() => Reason::Settled,
        None => Reason::WaitsForBlockers,
    };
    let reconciled = match busy {
        _ if cluster.paused => Reason::Paused,
        _ if !waits.is_empty() => Reason::Blocked,
        Some(_) => Reason::InProgress,
        None => Reason::AllApplied,
    };
    [available(facts), progressing, degraded(facts), reconciled]
}

fn available(facts: &Facts) -> Reason {
    let formed = facts.recorded_uuid.is_some() && facts.stateful_set.is_some();
    match (&facts.metadata, facts.ring(), facts.led_shards()) {
        _ if !formed => Reason::Forming,
        (MetadataFacts::OutOfTouch { .. }, ..) if facts.ready_pods() > 0 => Reason::ShardsUnknown,
        (MetadataFacts::InTouch(cluster), ..) if cluster.uuid != facts.recorded_uuid => Reason::ShardsLeaderless,
        (MetadataFacts::InTouch(_), None, _) => Reason::Forming,
        _ if facts.ready_pods() == 0 => Reason::NoNodeReady,
        (_, Some(ring), Some(led)) if led as usize == ring.targets.len() => Reason::AllShardsLed,
        _ => Reason::ShardsLeaderless,
    }
}

fn degraded(facts: &Facts) -> Reason {
    let in_ring_but_down = |ring: &grepzilla_model::Ring| {
        ring.nodes.keys().any(|index| facts.pods.get(&index.0).is_none_or(|pod| !pod.ready))
    };
    let wanted = facts.stateful_set.as_ref().map_or(0, |set| set.replicas);
    match (available(facts), facts.ring()) {
        (Reason::Forming, _) => Reason::NotYetFormed,
        (Reason::ShardsUnknown, _) if facts.ready_pods() >= wanted => Reason::HealthUnknown,
        (Reason::ShardsLeaderless, _) => Reason::ShardsWithoutLeader,
        (_, Some(ring)) if !in_ring_but_down(ring) => Reason::AsExpected,
        _ => Reason::NodesNotReady,
    }
}

fn condition(reason: Reason, generation: i64, former: Option<&GrepzillaClusterStatus>, now: Timestamp) -> Condition {
    let (word, kind, truth, message) = reason.entry();
    let before = former.and_then(|former| former.conditions.iter().find(|it| it.type_ == kind.as_str()));
    let unchanged = before.filter(|before| before.status == truth.as_str());
    Condition {
        type_: kind.as_str().into(),
        status: truth.as_str().into(),
        reason: word.into(),
        message: message.into(),
        observed_generation: Some(generation),
        last_transition_time: unchanged.map_or(Time(now), |before| before.last_transition_time.clone()),
    }
}

fn blocker(wait: Wait, former: Option<&GrepzillaClusterStatus>, now: Timestamp) -> Blocker {
    let before = former
        .and_then(|former| former.blockers.iter().find(|it| it.gate == wait.gate && it.object == wait.object))
        .map(|before| before.since.clone());
    let since = wait.since.map(|since| Time(to_the_second(since))).or(before).unwrap_or(Time(now));
    Blocker { gate: wait.gate, object: wait.object, since, message: wait.message, action: wait.action }
}

fn invalid_spec(resource: &GrepzillaCluster, invalid: &Invalid) -> Wait {
    Wait {
        gate: Gate::InvalidSpec,
        object: format!("GrepzillaCluster/{}", resource.name_any()),
        since: None,
        message: invalid.to_string(),
        action: "correct the spec".into(),
    }
}

/// As Kubernetes writes times; a finer one would not be found again.
fn to_the_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).expect("a second of a valid time is valid")
}

#[cfg(test)]
mod tests;

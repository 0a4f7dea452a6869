//! Scenarios: a state of the world goes in, a plan comes out and is compared with its golden file.

use std::fmt::Write;

use super::*;
use crate::controller::facts::Placement;
use crate::fixtures;

/// A plan as a reader wants to see it.
fn tell(plan: &Plan) -> String {
    let mut text = String::new();
    let mut line =
        |arguments: std::fmt::Arguments<'_>| text.write_fmt(format_args!("{arguments}\n")).expect("a string");
    line(format_args!("create identity: {}, create secret: {}", plan.create_identity, plan.create_secret));
    match &plan.stateful_set {
        Some(set) => line(format_args!("stateful set: {} pods, volumes of {}", set.replicas, set.claim_size)),
        None => line(format_args!("stateful set: not touched")),
    }
    if let Some(ring) = &plan.ring {
        line(format_args!("write ring version {}", ring.version));
        for (index, node) in &ring.nodes {
            let shards = ring.targets.values().filter(|nodes| nodes.contains(index)).count();
            line(format_args!("  {} in {:?} holds {shards} shards", node.name, node.zone));
        }
    }
    if plan.volumes != volumes::Growth::default() {
        line(format_args!("volumes: grow {:?}, recreate {}", plan.volumes.claims, plan.volumes.recreate));
    }
    if let Some(replace) = &plan.replace {
        line(format_args!("replace pod {} as of {} {}", replace.ordinal, replace.uid, replace.resource_version));
    }
    line(format_args!("progress: {:?}", plan.progress));
    for wait in &plan.waits {
        let since = wait.since.map(|since| format!(" since {since}")).unwrap_or_default();
        line(format_args!("wait: {:?} {}{since}\n  {}\n  {}", wait.gate, wait.object, wait.message, wait.action));
    }
    text
}

fn planned(cluster: &Cluster, facts: &Facts) -> String {
    tell(&plan(cluster, facts, fixtures::now()))
}

/// A plan that changes nothing and waits for nothing.
fn assert_nothing_to_do(cluster: &Cluster, facts: &Facts) {
    let plan = plan(cluster, facts, fixtures::now());
    let settled = Plan { stateful_set: plan.stateful_set.clone(), create_secret: false, ..fixtures::first_plan(0) };
    assert_eq!(plan, settled);
    let replicas = plan.stateful_set.map(|set| set.replicas);
    assert_eq!(replicas, facts.stateful_set.as_ref().map(|set| set.replicas));
}

#[test]
fn a_new_cluster_gets_its_identity_before_its_pods() {
    insta::assert_snapshot!(planned(&fixtures::minimal(), &fixtures::nothing()));
}

#[test]
fn with_an_identity_the_pods_are_made() {
    let mut facts = fixtures::nothing();
    fixtures::metadata(&mut facts).uuid = Some(fixtures::uuid());
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
}

#[test]
fn the_first_ring_is_written_when_every_pod_has_a_place() {
    let mut facts = fixtures::running(3, 3);
    fixtures::metadata(&mut facts).ring = None;
    facts.pods.get_mut(&1).expect("pod 1").placement = Placement::Pending;
    assert_eq!(plan(&fixtures::minimal(), &facts, fixtures::now()).ring, None);
    facts.pods.get_mut(&1).expect("pod 1").placement = Placement::Zone("zone-b".into());
    facts.pods.values_mut().for_each(|pod| pod.ready = false);
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
}

#[test]
fn a_pod_without_a_place_is_named_as_a_blocker() {
    let mut facts = fixtures::running(3, 3);
    fixtures::metadata(&mut facts).ring = None;
    let pod = facts.pods.get_mut(&1).expect("pod 1");
    pod.ready = false;
    pod.placement = Placement::Unschedulable { reason: "0/3 nodes are available".into(), since: Some(fixtures::now()) };
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
}

#[test]
fn a_cluster_that_is_as_it_shall_be_is_left_alone() {
    assert_nothing_to_do(&fixtures::minimal(), &fixtures::running(3, 3));
    assert_nothing_to_do(&fixtures::with_nodes(5), &fixtures::running(5, 3));
}

#[test]
fn scaling_up_adds_pods_and_then_nodes_without_shards() {
    let cluster = fixtures::with_nodes(5);
    let asked = plan(&cluster, &fixtures::running(3, 3), fixtures::now());
    assert_eq!(asked.stateful_set.map(|set| set.replicas), Some(5));
    assert_eq!(asked.ring, None, "nodes join when their zones are known");
    let mut facts = fixtures::running(5, 3);
    fixtures::metadata(&mut facts).ring = Some(fixtures::ring(3));
    facts.pods.get_mut(&4).expect("pod 4").placement = Placement::Pending;
    insta::assert_snapshot!(planned(&cluster, &facts));
}

#[test]
fn nodes_that_hold_nothing_leave_the_ring_before_their_pods_go() {
    let cluster = fixtures::minimal();
    insta::assert_snapshot!(planned(&cluster, &fixtures::running(5, 3)));
    let mut facts = fixtures::running(5, 3);
    fixtures::metadata(&mut facts).ring = Some(fixtures::ring(3));
    let then = plan(&cluster, &facts, fixtures::now());
    assert_eq!(then.stateful_set.map(|set| set.replicas), Some(3));
    assert_eq!(then.ring, None, "pods that are about to go are not taken in again");
}

#[test]
fn a_node_that_holds_shards_keeps_all_nodes_and_is_a_blocker() {
    insta::assert_snapshot!(planned(&fixtures::with_nodes(2), &fixtures::running(5, 3)));
}

#[test]
fn a_node_that_only_a_shards_configuration_names_is_not_taken_away() {
    let mut facts = fixtures::running(5, 3);
    let shards = &mut fixtures::metadata(&mut facts).shards;
    shards.values_mut().next().expect("a shard").holders.insert("logs-4".into());
    let plan = plan(&fixtures::minimal(), &facts, fixtures::now());
    assert_eq!((plan.stateful_set.map(|set| set.replicas), plan.ring), (Some(5), None));
    assert_eq!(plan.waits.iter().map(|wait| wait.gate).collect::<Vec<_>>(), [Gate::NodeHoldsShards]);
}

#[test]
fn without_etcd_nodes_are_added_but_never_taken_away() {
    insta::assert_snapshot!(planned(&fixtures::minimal(), &fixtures::out_of_touch(fixtures::running(5, 3))));
    let more = plan(&fixtures::with_nodes(5), &fixtures::out_of_touch(fixtures::running(3, 3)), fixtures::now());
    assert_eq!(more.stateful_set.map(|set| set.replicas), Some(5));
}

#[test]
fn over_volumes_of_a_cluster_that_etcd_has_lost_no_new_identity_is_made() {
    let mut facts = fixtures::running(3, 3);
    *fixtures::metadata(&mut facts) = Default::default();
    insta::assert_snapshot!("lost_etcd", planned(&fixtures::minimal(), &facts));
    // A resource that was made again has no status; the volumes alone must do.
    facts.recorded_uuid = None;
    facts.stateful_set = None;
    facts.pods.clear();
    let plan = plan(&fixtures::minimal(), &facts, fixtures::now());
    assert!(!plan.create_identity && plan.stateful_set.is_none() && plan.ring.is_none());
}

#[test]
fn another_clusters_etcd_is_not_adopted() {
    let mut facts = fixtures::running(3, 3);
    fixtures::metadata(&mut facts).uuid = Some(grepzilla_model::ClusterUuid(uuid::Uuid::nil()));
    let plan = plan(&fixtures::minimal(), &facts, fixtures::now());
    assert!(plan.stateful_set.is_none() && plan.ring.is_none());
    assert_eq!(plan.waits.iter().map(|wait| wait.gate).collect::<Vec<_>>(), [Gate::IdentityMismatch]);
}

#[test]
fn a_cluster_of_the_same_name_adopts_volumes_and_ring() {
    let mut facts = fixtures::running(3, 3);
    facts.recorded_uuid = None;
    facts.stateful_set = None;
    facts.secret = SecretFacts::Absent;
    facts.pods.clear();
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
}

#[test]
fn an_adopted_ring_of_another_number_of_shards_is_a_blocker() {
    let cluster = Cluster { shards: 6, ..fixtures::minimal() };
    insta::assert_snapshot!(planned(&cluster, &fixtures::running(3, 3)));
}

#[test]
fn pods_of_an_older_template_are_replaced_one_at_a_time_while_all_are_ready() {
    let mut facts = fixtures::running(3, 3);
    facts.pods.values_mut().for_each(|pod| pod.outdated = true);
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
    let canary = facts.pods.get_mut(&2).expect("pod 2");
    canary.deleting = true;
    assert_eq!(plan(&fixtures::minimal(), &facts, fixtures::now()).replace, None, "the canary is on its way");
    facts.stateful_set.as_mut().expect("a set").observed = false;
    facts.pods.values_mut().for_each(|pod| (pod.deleting, pod.outdated) = (false, false));
    let plan = plan(&fixtures::minimal(), &facts, fixtures::now());
    assert_eq!((plan.replace, plan.progress), (None, Some(Reason::Applying)), "the new template is not known yet");
}

#[test]
fn a_canary_that_does_not_lead_its_shards_holds_the_rollout_back_and_so_does_an_etcd_that_is_away() {
    let mut facts = fixtures::running(3, 3);
    facts.pods.values_mut().take(2).for_each(|pod| pod.outdated = true);
    let next = |facts: &Facts| plan(&fixtures::minimal(), facts, fixtures::now()).replace.map(|it| it.ordinal);
    assert_eq!(next(&facts), Some(1));
    assert_eq!(next(&fixtures::out_of_touch(facts.clone())), None);
    let on_the_canary = fixtures::ring(3).targets.into_iter().find(|(_, nodes)| nodes[0].0 == 2).expect("a shard").0;
    fixtures::metadata(&mut facts).shards.get_mut(&on_the_canary).expect("its facts").led = false;
    assert_eq!(next(&facts), None);
}

#[test]
fn a_canary_that_does_not_become_ready_halts_the_rollout() {
    let mut facts = fixtures::running(3, 3);
    facts.pods.values_mut().for_each(|pod| pod.outdated = true);
    let canary = facts.pods.get_mut(&2).expect("pod 2");
    (canary.outdated, canary.ready) = (false, false);
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
    facts.pods.get_mut(&2).expect("pod 2").outdated = true;
    let healed = plan(&fixtures::minimal(), &facts, fixtures::now()).replace.map(|replace| replace.ordinal);
    assert_eq!(healed, Some(2), "a corrected template replaces the broken pod first");
}

#[test]
fn shards_that_nobody_leads_although_their_node_runs_are_a_blocker() {
    let mut facts = fixtures::running(3, 3);
    fixtures::metadata(&mut facts).shards.values_mut().take(4).for_each(|shard| shard.led = false);
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
    facts.pods.values_mut().for_each(|pod| pod.ready_since = Some(fixtures::now()));
    assert_eq!(plan(&fixtures::minimal(), &facts, fixtures::now()).waits, [], "it may take a while");
}

#[test]
fn a_lost_copy_is_a_blocker_at_once_and_stands_for_the_missing_leader() {
    let mut facts = fixtures::running(3, 3);
    let shard = fixtures::metadata(&mut facts).shards.values_mut().next().expect("shards");
    (shard.led, shard.lost) = (false, shard.holders.clone());
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
}

#[test]
fn a_damaged_shard_is_a_blocker_by_its_nodes_words_and_stands_for_the_missing_leader() {
    let mut facts = fixtures::running(3, 3);
    for shard in [0, 3, 6, 9, 1] {
        fixtures::damage(&mut facts, shard, &format!("shard {shard} can be read but not written, and lacks documents"));
    }
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
    facts.pods.values_mut().for_each(|pod| pod.outdated = true);
    facts.pods.get_mut(&0).expect("pod 0").outdated = false;
    let replaced = plan(&fixtures::minimal(), &facts, fixtures::now()).replace.map(|replace| replace.ordinal);
    assert_eq!(replaced, Some(2), "a damaged shard of pod 0 does not halt the rollout");
}

#[test]
fn volumes_grow_without_touching_pods_where_their_class_allows_it() {
    let cluster = Cluster { storage_size: "30Gi".into(), ..fixtures::minimal() };
    let mut facts = fixtures::running(3, 3);
    insta::assert_snapshot!("growth_refused", planned(&cluster, &facts));
    facts.claims.values_mut().for_each(|claim| claim.expandable = true);
    insta::assert_snapshot!("growth", planned(&cluster, &facts));
    facts.claims.values_mut().for_each(|claim| (claim.requested_bytes, claim.grown) = (30 << 30, false));
    facts.stateful_set.as_mut().expect("a set").deleting = true;
    let leaving = plan(&cluster, &facts, fixtures::now());
    assert_eq!((leaving.volumes.recreate, leaving.stateful_set), (false, None), "it has to be gone first");
    facts.stateful_set = None;
    let again = plan(&cluster, &facts, fixtures::now());
    assert_eq!(again.stateful_set.map(|set| set.claim_size).as_deref(), Some("30Gi"));
    assert_eq!(again.progress, Some(Reason::VolumesGrowing));
}

#[test]
fn an_object_of_somebody_else_is_a_blocker() {
    let mut facts = fixtures::nothing();
    facts.taken = vec![(ChildKind::ClientService, "Service/logs".into(), "nobody that the operator knows".into())];
    insta::assert_snapshot!(planned(&fixtures::minimal(), &facts));
}

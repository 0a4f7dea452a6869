//! The status against states of the world.

use super::*;
use crate::controller::plan::plan;
use crate::fixtures;

/// Conditions as `Type=Status/Reason`, the numbers, and the gates.
fn tell(status: &GrepzillaClusterStatus) -> String {
    let conditions: Vec<String> =
        status.conditions.iter().map(|it| format!("{}={}/{}", it.type_, it.status, it.reason)).collect();
    let gates: Vec<String> = status.blockers.iter().map(|it| format!("{:?} {}", it.gate, it.object)).collect();
    format!(
        "{}\nnodes {}/{}/{}, shards {}, led {:?}, leaderless {:?}, damaged {:?}, ring {:?}\nblockers {gates:?}",
        conditions.join(" "),
        status.nodes.desired,
        status.nodes.current,
        status.nodes.ready,
        status.shards.desired,
        status.shards.led,
        status.shards.leaderless,
        status.shards.damaged,
        status.ring_version,
    )
}

fn status_of(facts: &Facts) -> GrepzillaClusterStatus {
    derived(&fixtures::minimal_resource(), facts, fixtures::now())
}

fn derived(resource: &GrepzillaCluster, facts: &Facts, now: Timestamp) -> GrepzillaClusterStatus {
    let cluster = Cluster { paused: resource.spec.paused, ..fixtures::minimal() };
    let plan = plan(&cluster, facts, now);
    let findings = Findings::Seen { cluster: &cluster, facts, plan: &plan, refused: &[], unfinished: false };
    derive(resource, &findings, now)
}

#[test]
fn the_states_of_a_cluster_are_told_as_they_are() {
    let mut no_leader = fixtures::running(3, 3);
    fixtures::metadata(&mut no_leader).shards.values_mut().take(4).for_each(|shard| shard.led = false);
    no_leader.pods.get_mut(&0).expect("pod 0").ready = false;
    let mut all_down = fixtures::out_of_touch(fixtures::running(3, 3));
    all_down.pods.values_mut().for_each(|pod| pod.ready = false);
    let mut unled = fixtures::running(3, 3);
    fixtures::metadata(&mut unled).shards.clear();
    let mut damaged = fixtures::running(3, 3);
    fixtures::damage(&mut damaged, 2, "a segment is gone");
    let states = [
        ("nothing is there", fixtures::nothing()),
        ("all is well", fixtures::running(3, 3)),
        ("the ring is there, nobody leads yet", unled),
        ("one node is down", no_leader),
        ("etcd is away", fixtures::out_of_touch(fixtures::running(3, 3))),
        ("etcd is away and all nodes are down", all_down),
        ("two nodes too many", fixtures::running(5, 3)),
        ("a shard is damaged", damaged),
    ];
    let told: Vec<String> =
        states.iter().map(|(name, facts)| format!("{name}:\n{}\n", tell(&status_of(facts)))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn the_same_facts_give_the_same_status_however_late() {
    let mut resource = fixtures::minimal_resource();
    let facts = fixtures::out_of_touch(fixtures::running(3, 3));
    resource.status = Some(derived(&resource, &facts, fixtures::now()));
    let later = "2026-11-23T11:11:11.5Z".parse().expect("a time");
    assert_eq!(Some(derived(&resource, &facts, later)), resource.status);
}

#[test]
fn a_transition_time_moves_only_with_its_condition() {
    let mut resource = fixtures::minimal_resource();
    resource.status = Some(status_of(&fixtures::running(3, 3)));
    let later = "2026-11-23T11:00:00Z".parse().expect("a time");
    let status = derived(&resource, &fixtures::out_of_touch(fixtures::running(3, 3)), later);
    let moved: Vec<(&str, bool)> =
        status.conditions.iter().map(|it| (it.type_.as_str(), it.last_transition_time == Time(later))).collect();
    assert_eq!(
        moved,
        [("Available", true), ("Progressing", false), ("Degraded", true), ("Reconciled", true)],
        "{status:?}"
    );
}

#[test]
fn a_recorded_identity_is_never_written_over() {
    let mut resource = fixtures::minimal_resource();
    resource.status = Some(status_of(&fixtures::running(3, 3)));
    let mut facts = fixtures::running(3, 3);
    fixtures::metadata(&mut facts).uuid = Some(grepzilla_model::ClusterUuid(uuid::Uuid::nil()));
    let status = derived(&resource, &facts, fixtures::now());
    assert_eq!(status.cluster_uuid, Some(fixtures::uuid().to_string()));
}

#[test]
fn an_invalid_spec_and_a_paused_cluster_say_so() {
    let invalid = derive(&fixtures::minimal_resource(), &Findings::Invalid(&Invalid::NoEtcd), fixtures::now());
    let mut resource = fixtures::minimal_resource();
    resource.spec.paused = true;
    let paused = derived(&resource, &fixtures::running(3, 3), fixtures::now());
    insta::assert_snapshot!(format!("{}\n\n{}", tell(&invalid), tell(&paused)));
}

#[test]
fn a_status_survives_the_way_through_the_api_server() {
    for facts in [fixtures::nothing(), fixtures::running(3, 3), fixtures::out_of_touch(fixtures::running(5, 3))] {
        let status = status_of(&facts);
        let text = serde_json::to_string(&status).expect("plain data");
        assert_eq!(serde_json::from_str::<GrepzillaClusterStatus>(&text).expect("the same form"), status);
    }
}

#[test]
fn every_reason_belongs_to_one_condition_and_has_a_sentence() {
    let mut words: Vec<&str> = Reason::ALL.iter().map(|reason| reason.entry().0).collect();
    assert!(Reason::ALL.iter().all(|reason| !reason.entry().3.is_empty()));
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Reason::ALL.len());
}

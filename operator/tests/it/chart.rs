//! The chart, linted and rendered by real helm.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use grepzilla_operator::access::{RIGHTS, Scope};
use serde_json::Value;

use crate::tools::tool;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/grepzilla");

/// The ways in which the chart is used.
const WAYS: [&[&str]; 5] = [
    &[],
    &["etcd.enabled=true"],
    &["etcd.enabled=true", "etcd.members=3", "etcd.storage.storageClassName=fast"],
    &["etcd.endpoints={http://a.example:2379,http://b.example:2379}", "imagePullSecrets={registry}"],
    &["operator.watchNamespace=prod", "crds.enabled=false", "operator.nodeSelector.disk=ssd"],
];

fn helm(verb: &[&str], values: &[&str]) -> Output {
    let mut command = Command::new(tool("helm"));
    command.args(verb).args(["--namespace", "grepzilla-system"]);
    values.iter().for_each(|value| _ = command.args(["--set", value]));
    command.output().expect("helm runs")
}

/// The objects of a release called `grepzilla`.
pub(crate) fn rendered(values: &[&str]) -> Vec<Value> {
    let output = helm(&["template", "grepzilla", CHART], values);
    assert!(output.status.success(), "{values:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("YAML is text");
    let documents = text.split("\n---\n").filter(|document| document.contains("kind:"));
    documents.map(|document| serde_saphyr::from_str(document).expect("YAML")).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn helm_lints_and_renders_every_way_of_using_the_chart() {
    for values in WAYS {
        let lint = helm(&["lint", "--strict", CHART], values);
        assert!(lint.status.success(), "{values:?}: {}", String::from_utf8_lossy(&lint.stdout));
        assert_eq!(of_kind(&rendered(values), "Deployment").len(), 1);
    }
}

#[test]
fn a_value_that_has_no_effect_is_refused() {
    for values in [&["etcd.membres=3"], &["etcd.members=2"], &["replicas=3"], &["etcd.endpoints={etcd:2379}"]] {
        let output = helm(&["template", "grepzilla", CHART], values);
        assert!(!output.status.success(), "{values:?} was taken");
    }
}

#[test]
fn the_definition_comes_with_the_release_and_stays_without_it() {
    let objects = rendered(&[]);
    let [found] = of_kind(&objects, "CustomResourceDefinition")[..] else { panic!("one definition") };
    assert_eq!(found["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    let printed: Value = serde_saphyr::from_str(&grepzilla_operator::crd::yaml()).expect("YAML");
    assert!(plain(&found["spec"]) == plain(&printed["spec"]), "the chart's definition is another one");
    assert!(of_kind(&rendered(&["crds.enabled=false"]), "CustomResourceDefinition").is_empty());
}

#[test]
fn the_roles_give_the_rights_that_the_code_lists_and_no_others() {
    let objects = rendered(&[]);
    for (scope, kind, suffix) in [
        (Scope::Clusters, "ClusterRole", "-clusters"),
        (Scope::Global, "ClusterRole", "-global"),
        (Scope::Own, "Role", "-own"),
    ] {
        let name = format!("grepzilla-operator{suffix}");
        let role = of_kind(&objects, kind).into_iter().find(|role| role["metadata"]["name"] == *name);
        let given = rights_of(role.unwrap_or_else(|| panic!("there is no {kind} {name}")));
        let listed: BTreeSet<String> = RIGHTS
            .iter()
            .filter(|right| right.scope == scope)
            .flat_map(|right| right.verbs.iter().map(|verb| format!("{verb} {}/{}", right.group, right.resource)))
            .collect();
        assert_eq!(given, listed, "{name}");
    }
    let roles = of_kind(&objects, "ClusterRole").len() + of_kind(&objects, "Role").len();
    assert_eq!(roles, 3, "a role that this test does not look at");
}

/// With every number in one form: helm writes 1.0 as 1.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(plain).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        Value::Number(number) => number.as_f64().into(),
        other => other.clone(),
    }
}

/// Each right as `verb group/resource`.
fn rights_of(role: &Value) -> BTreeSet<String> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        for (group, resource) in texts(&rule["apiGroups"])
            .iter()
            .flat_map(|group| texts(&rule["resources"]).into_iter().map(move |it| (group.clone(), it)))
        {
            rights.extend(texts(&rule["verbs"]).iter().map(|verb| format!("{verb} {group}/{resource}")));
        }
    }
    rights
}

#[test]
fn a_watched_namespace_ends_the_rights_there() {
    let objects = rendered(&["operator.watchNamespace=prod"]);
    let binding = of_kind(&objects, "RoleBinding").into_iter().find(|it| it["metadata"]["namespace"] == "prod");
    assert_eq!(binding.expect("a binding in that namespace")["roleRef"]["name"], "grepzilla-operator-clusters");
    let everywhere = of_kind(&objects, "ClusterRoleBinding");
    assert!(everywhere.iter().all(|it| it["roleRef"]["name"] == "grepzilla-operator-global"), "{everywhere:?}");
}

#[test]
fn every_pod_is_without_root_and_without_a_writable_root() {
    let objects = rendered(&["etcd.enabled=true", "etcd.members=3"]);
    let workloads = [of_kind(&objects, "Deployment"), of_kind(&objects, "StatefulSet")].concat();
    assert_eq!(workloads.len(), 2);
    for workload in workloads {
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for container in pod["containers"].as_array().expect("containers") {
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["capabilities"]["drop"][0], "ALL");
        }
    }
}

#[test]
fn three_members_of_etcd_know_each_other_and_forget_old_revisions() {
    let objects = rendered(&["etcd.enabled=true", "etcd.members=3"]);
    let set = of_kind(&objects, "StatefulSet")[0];
    let args: Vec<&str> = set["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .expect("arguments")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let cluster = args.iter().find_map(|arg| arg.strip_prefix("--initial-cluster=")).expect("an initial cluster");
    let members: Vec<&str> = cluster.split(',').filter_map(|member| Some(member.split_once('=')?.0)).collect();
    assert_eq!(members, ["grepzilla-etcd-0", "grepzilla-etcd-1", "grepzilla-etcd-2"]);
    assert_eq!(set["spec"]["replicas"], 3);
    assert!(args.contains(&"--auto-compaction-retention=5m"), "{args:?}");
    let endpoint = "http://grepzilla-etcd.grepzilla-system.svc:2379";
    let environment = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["env"];
    assert!(environment.as_array().expect("environment").iter().any(|it| it["value"] == endpoint), "{environment}");
}

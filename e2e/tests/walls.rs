//! The walls between the crates, checked over what cargo itself says of the dependencies.
//!
//! 1. Only `operator` and `e2e` know Kubernetes.
//! 2. Only `cluster` knows etcd.
//! 3. `model`, `storage`, `query` and `replication` know neither tokio nor the network.
//! 4. Wire types live in `api`, which nothing below the border of the data plane knows.
//! 5. Only the node and its test twin `sim` know everything.
//!
//! And one more that keeps a second cryptography library out: nothing brings `ring`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::Command;

use serde_json::Value;

const NODE: &str = "grepzilla";
const KUBERNETES: [&str; 5] = ["kube", "kube-client", "kube-core", "kube-runtime", "k8s-openapi"];
const NETWORK: [&str; 8] = ["tokio", "mio", "socket2", "hyper", "h2", "reqwest", "tonic", "axum"];
/// Crates of which a wall speaks and which exist already.
const NAMED: [&str; 9] = [
    NODE,
    "grepzilla-api",
    "grepzilla-cli",
    "grepzilla-cluster",
    "grepzilla-e2e",
    "grepzilla-model",
    "grepzilla-operator",
    "grepzilla-query",
    "grepzilla-storage",
];

/// Packages by name with their normal dependencies. Versions of one package are taken as one: that can only add paths.
#[derive(Debug, Default)]
struct Graph {
    members: BTreeSet<String>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
    /// Everything that is compiled at all, for building and testing too.
    compiled: BTreeSet<String>,
}

impl Graph {
    fn of_cargo() -> Graph {
        let metadata = cargo(&["metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"]);
        let mut graph = Graph::of_metadata(&serde_json::from_str(&metadata).expect("cargo writes JSON"));
        // `cargo metadata` also names optional packages that no feature asks for; `cargo tree` does not.
        let tree =
            cargo(&["tree", "--workspace", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}"]);
        graph.compiled.extend(tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned));
        graph
    }

    fn of_metadata(metadata: &Value) -> Graph {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().expect("cargo's ids and names are text").to_owned();
        let names: BTreeMap<String, String> =
            list(&metadata["packages"]).iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let mut graph = Graph::default();
        graph.members.extend(list(&metadata["workspace_members"]).iter().map(|id| names[&text(id)].clone()));
        for node in list(&metadata["resolve"]["nodes"]) {
            let name = names[&text(&node["id"])].clone();
            let normal = |dependency: &&Value| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let dependencies = list(&node["deps"]);
            let normal = dependencies.iter().filter(normal).map(|dependency| names[&text(&dependency["pkg"])].clone());
            graph.dependencies.entry(name).or_default().extend(normal);
        }
        graph
    }

    /// The shortest way from one package to another, both included.
    fn way(&self, from: &str, to: &str) -> Option<String> {
        let mut ways = VecDeque::from([vec![from]]);
        let mut seen = BTreeSet::from([from]);
        while let Some(way) = ways.pop_front() {
            let last = *way.last().expect("a way has a start");
            if last == to && way.len() > 1 {
                return Some(way.join(" -> "));
            }
            for next in self.dependencies.get(last).into_iter().flatten() {
                if seen.insert(next) {
                    ways.push_back(way.iter().copied().chain([next.as_str()]).collect());
                }
            }
        }
        None
    }

    fn members_but<'a>(&'a self, allowed: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.members.iter().map(String::as_str).filter(|member| !allowed.contains(member))
    }
}

fn cargo(arguments: &[&str]) -> String {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--manifest-path", manifest])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

/// Every breach of every wall, each as the way by which it happens.
fn breaches(graph: &Graph) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut forbid = |wall: &str, from: &str, to: &str| {
        breaches.extend(graph.way(from, to).map(|way| format!("{wall}: {way}")));
    };
    for member in graph.members_but(&["grepzilla-operator", "grepzilla-e2e"]) {
        KUBERNETES.iter().for_each(|kubernetes| forbid("only operator and e2e know Kubernetes", member, kubernetes));
    }
    for member in ["grepzilla-model", "grepzilla-storage", "grepzilla-query", "grepzilla-replication"] {
        NETWORK.iter().for_each(|network| forbid("the inner crates know no tokio and no network", member, network));
    }
    for member in graph.members_but(&[NODE, "grepzilla-cli", "grepzilla-operator", "grepzilla-e2e", "grepzilla-sim"]) {
        forbid("only what meets the border knows the wire types", member, "grepzilla-api");
    }
    for (package, dependencies) in &graph.dependencies {
        if package != "grepzilla-cluster" && dependencies.contains("etcd-client") {
            breaches.push(format!("only cluster knows etcd: {package} -> etcd-client"));
        }
    }
    for member in graph.members_but(&[NODE, "grepzilla-sim"]) {
        let parts = ["grepzilla-storage", "grepzilla-query", "grepzilla-cluster"];
        let ways: Vec<String> = parts.iter().filter_map(|part| graph.way(member, part)).collect();
        if ways.len() == parts.len() {
            breaches.push(format!("only the node knows everything: {}", ways.join(", ")));
        }
    }
    if graph.compiled.contains("ring") {
        breaches.push("one cryptography library is enough: something brings ring (cargo tree -i ring)".to_owned());
    }
    breaches
}

#[test]
fn the_walls_stand() {
    let graph = Graph::of_cargo();
    let missing: Vec<_> = NAMED.iter().filter(|name| !graph.members.contains(**name)).collect();
    assert!(missing.is_empty(), "a wall speaks of crates that are gone: {missing:?}");
    for (from, to) in [("grepzilla-operator", "kube-client"), ("grepzilla-cluster", "tokio"), (NODE, "reqwest")] {
        assert!(graph.way(from, to).is_some(), "the graph is not whole: {from} does not reach {to}");
        assert!(graph.compiled.contains(to), "the list of what is compiled is not whole: {to} is missing");
    }
    assert_eq!(breaches(&graph), Vec::<String>::new());
}

/// What stands today, in small: each package with its dependencies.
fn in_small(further: &[(&str, &str)]) -> Graph {
    let sound = [
        ("grepzilla-model", "serde"),
        ("grepzilla-storage", "grepzilla-model"),
        ("grepzilla-query", "grepzilla-storage"),
        ("grepzilla-cluster", "etcd-client"),
        ("etcd-client", "tonic"),
        ("tonic", "tokio"),
        ("grepzilla-api", "reqwest"),
        ("grepzilla-cli", "grepzilla-api"),
        ("grepzilla-operator", "kube"),
        ("grepzilla-operator", "grepzilla-api"),
        ("grepzilla-operator", "grepzilla-cluster"),
        ("grepzilla-e2e", "kube"),
        (NODE, "grepzilla-api"),
        (NODE, "grepzilla-query"),
        (NODE, "grepzilla-cluster"),
    ];
    let mut graph = Graph { members: NAMED.map(str::to_owned).into(), ..Graph::default() };
    for (from, to) in sound.iter().chain(further) {
        graph.dependencies.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        graph.compiled.extend([(*from).to_owned(), (*to).to_owned()]);
    }
    graph
}

#[test]
fn every_wall_notices_when_it_is_breached() {
    assert_eq!(breaches(&in_small(&[])), Vec::<String>::new());
    let planted: [(&[(&str, &str)], &str); 9] = [
        (&[("serde", "kube-core")], "only operator and e2e know Kubernetes: grepzilla-model -> serde -> kube-core"),
        (&[(NODE, "k8s-openapi")], "only operator and e2e know Kubernetes: grepzilla -> k8s-openapi"),
        (&[("grepzilla-operator", "etcd-client")], "only cluster knows etcd: grepzilla-operator -> etcd-client"),
        (&[("serde", "mio")], "no network: grepzilla-query -> grepzilla-storage -> grepzilla-model -> serde -> mio"),
        (
            &[("grepzilla-storage", "tokio")],
            "the inner crates know no tokio and no network: grepzilla-storage -> tokio",
        ),
        (&[("grepzilla-cluster", "grepzilla-api")], "knows the wire types: grepzilla-cluster -> grepzilla-api"),
        (&[("grepzilla-model", "grepzilla-api")], "knows the wire types: grepzilla-storage -> grepzilla-model"),
        (&[("grepzilla-operator", "grepzilla-query")], "only the node knows everything: grepzilla-operator -> "),
        (&[("zstd", "ring")], "something brings ring"),
    ];
    for (further, expected) in planted {
        let found = breaches(&in_small(further));
        assert!(found.iter().any(|breach| breach.contains(expected)), "{further:?} gave {found:?}");
    }
}

#[test]
fn dependencies_for_building_and_testing_break_no_wall() {
    let dependency = |name: &str, kind: Value| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
    let graph = Graph::of_metadata(&serde_json::json!({
        "packages": [{"id": "m", "name": "m"}, {"id": "n", "name": "n"}, {"id": "d", "name": "d"}, {"id": "b", "name": "b"}],
        "workspace_members": ["m"],
        "resolve": {"nodes": [
            {"id": "m", "deps": [dependency("n", Value::Null), dependency("d", "dev".into()), dependency("b", "build".into())]},
            {"id": "n", "deps": []}, {"id": "d", "deps": []}, {"id": "b", "deps": []}
        ]}
    }));
    assert_eq!(graph.way("m", "n").as_deref(), Some("m -> n"));
    assert_eq!((graph.way("m", "d"), graph.way("m", "b")), (None, None));
    assert_eq!(graph.members, BTreeSet::from(["m".to_owned()]));
}

//! Two clusters of one name in two namespaces, and one operator, do not meet.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use grepzilla_e2e::gateway::Gateway;
use grepzilla_e2e::resource::Resource;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{WELL_AGAIN, World};

const TWIN: &str = "\
apiVersion: grepzilla.io/v1alpha1
kind: GrepzillaCluster
metadata:
  name: twin
spec:
  nodes: 1
  shards: 2
  storage:
    size: 1Gi
  service: { type: NodePort }
";

#[tokio::test]
async fn clusters_of_one_name_do_not_meet() -> Result<()> {
    let world = World::open().await?;
    // Names of their own: what etcd knows of a cluster stays when its volumes are deleted with their namespace.
    let moment = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let namespaces = ["left", "right"].map(|side| format!("{side}-{moment}"));
    let mut seen = Vec::new();
    for namespace in &namespaces {
        world.kind.namespace(namespace).await?;
        Resource::new(&world.kind, namespace, "twin").apply(TWIN).await?;
    }
    for namespace in &namespaces {
        let twin = Resource::new(&world.kind, namespace, "twin");
        twin.available(WELL_AGAIN).await?;
        let gateway = Gateway::open(&world.kind, &twin).await?;
        let answer =
            gateway.ingest("main", json!({"message": format!("written to the {namespace}")}).to_string()).await?;
        ensure!(answer.status == StatusCode::OK, "{answer:?}");
        let cluster = gateway.get("/cluster").await?.body["cluster"].clone();
        seen.push((namespace, gateway, cluster));
    }
    ensure!(seen[0].2 != seen[1].2 && seen[0].2.is_string(), "the two share an identity: {}", seen[0].2);
    for (namespace, gateway, _) in &seen {
        let answer = gateway.search_whole(&json!({"contains": "written to the"})).await?;
        let sources: Vec<&Value> = answer["hits"].as_array().into_iter().flatten().map(|hit| &hit["source"]).collect();
        ensure!(
            sources == [&json!({"message": format!("written to the {namespace}")})],
            "{namespace} sees {sources:?}"
        );
    }
    let all: Api<Namespace> = Api::all(world.kind.client.clone());
    for namespace in &namespaces {
        Resource::new(&world.kind, namespace, "twin").delete().await?;
        all.delete(namespace, &DeleteParams::default()).await?;
    }
    Ok(())
}

//! `kubectl scale gz/logs --replicas=5`: two nodes join, are registered, and serve as roots; and they may leave again,
//! because they hold nothing.

use anyhow::{Context, Result, ensure};
use grepzilla_e2e::gateway::{Gateway, total};
use grepzilla_e2e::kind::is_ready;
use grepzilla_e2e::wait::until;
use serde_json::{Value, json};

use crate::world::{NAMESPACE, SAMPLE, WELL_AGAIN, World};

#[tokio::test]
async fn two_nodes_join_serve_and_leave() -> Result<()> {
    let (world, gateway, sample) = World::with_documents().await?;
    world.logs.scale(5).await?;
    world.logs.available(WELL_AGAIN).await?;
    registered(&gateway, 5).await?;
    let everything = json!({"regex": "(?s).", "index": [SAMPLE], "count": true, "page": {"size": 0}, "limits": {"deadline_ms": 60_000}});
    for pod in ["logs-3", "logs-4"] {
        until(&format!("{pod} to be ready"), WELL_AGAIN, async || {
            Ok(is_ready(&world.kind.pod(NAMESPACE, pod).await?).then_some(()))
        })
        .await?;
        let answer = through_pod(&world, pod, &everything).await.with_context(|| format!("{pod} as a root"))?;
        ensure!(
            answer["partial"] == false && total(&answer)? == sample.lines.len() as u64,
            "{pod} as a root: {answer}"
        );
    }
    world.logs.scale(3).await?;
    world.kind.pods_gone(NAMESPACE, "statefulset.kubernetes.io/pod-name=logs-4", WELL_AGAIN).await?;
    world.kind.pods_gone(NAMESPACE, "statefulset.kubernetes.io/pod-name=logs-3", WELL_AGAIN).await?;
    world.logs.available(WELL_AGAIN).await?;
    registered(&gateway, 3).await?;
    ensure!(gateway.documents(SAMPLE).await? == sample.lines.len() as u64);
    Ok(())
}

async fn registered(gateway: &Gateway, nodes: usize) -> Result<()> {
    until(&format!("{nodes} nodes to be registered"), WELL_AGAIN, async || {
        let cluster = gateway.get("/cluster").await?.body;
        let found = cluster["nodes"].as_object().context("nodes are a map")?.len();
        ensure!(found == nodes, "{found} nodes are registered");
        Ok(Some(()))
    })
    .await
}

/// A search answered by one pod, reached through the API server.
async fn through_pod(world: &World, pod: &str, search: &Value) -> Result<Value> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:7300/proxy/search");
    let request =
        http::Request::post(path).header("content-type", "application/json").body(search.to_string().into_bytes())?;
    Ok(world.kind.client.request(request).await?)
}

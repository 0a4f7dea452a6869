//! Each data pod is killed, by SIGKILL of its process and by deletion, while a loader writes: nothing acknowledged is lost
//! and nothing is there twice.

use std::time::Duration;

use anyhow::Result;
use grepzilla_e2e::gateway::Gateway;
use grepzilla_e2e::kind::{Kind, is_ready};
use grepzilla_e2e::loader::Loader;
use grepzilla_e2e::wait::until;
use kube::ResourceExt;
use serde_json::Value;

use crate::world::{NAMESPACE, WELL_AGAIN, World};

#[tokio::test]
async fn killed_pods_lose_nothing_that_was_acknowledged() -> Result<()> {
    let (world, gateway) = World::with_logs().await?;
    let loader = Loader::start(&gateway, "fire", 4);
    tokio::time::sleep(Duration::from_secs(2)).await;
    for ordinal in 0..3 {
        let pod = format!("logs-{ordinal}");
        let restarts = restarts_of(&world.kind, &pod).await?;
        world.kind.kill_process(NAMESPACE, &pod).await?;
        until(&format!("{pod} to be restarted"), WELL_AGAIN, async || {
            Ok((restarts_of(&world.kind, &pod).await? > restarts).then_some(()))
        })
        .await?;
        all_lead(&gateway).await?;

        let uid = world.kind.pod(NAMESPACE, &pod).await?.uid();
        world.kind.delete_pod(NAMESPACE, &pod).await?;
        until(&format!("{pod} to be made anew"), WELL_AGAIN, async || {
            let now = world.kind.pod(NAMESPACE, &pod).await?;
            Ok((now.uid() != uid && is_ready(&now)).then_some(()))
        })
        .await?;
        all_lead(&gateway).await?;
    }
    world.logs.available(WELL_AGAIN).await?;
    let written = loader.stop_and_check().await?;
    println!(
        "{} documents acknowledged, {} requests failed under fire",
        written.acknowledged.len(),
        written.failed_requests
    );
    Ok(())
}

async fn restarts_of(kind: &Kind, pod: &str) -> Result<i32> {
    let pod = kind.pod(NAMESPACE, pod).await?;
    let containers = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
    Ok(containers.iter().map(|container| container.restart_count).sum())
}

/// Waits until every shard has a leader, as the nodes see it.
pub(crate) async fn all_lead(gateway: &Gateway) -> Result<()> {
    until("every shard to have a leader", WELL_AGAIN, async || {
        let cluster = gateway.get("/cluster").await?.body;
        let shards = cluster["shards"].as_array().cloned().unwrap_or_default();
        let led = |shard: &Value| shard["leader"].is_string() && shard["blocker"].is_null();
        if !shards.is_empty() && shards.iter().all(led) { Ok(Some(())) } else { anyhow::bail!("{cluster}") }
    })
    .await
}

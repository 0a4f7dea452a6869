//! Edits that must be refused are refused with the right sentence; fewer nodes than hold shards changes nothing and shows
//! as a blocker.

use anyhow::{Result, ensure};
use grepzilla_e2e::kind::expect_refusal;
use grepzilla_e2e::wait::until;
use serde_json::json;

use crate::world::{NAMESPACE, WELL_AGAIN, World};

#[tokio::test]
async fn the_api_server_refuses_what_cannot_be_done() -> Result<()> {
    let (world, _) = World::with_logs().await?;
    expect_refusal(world.logs.edit(json!({"replicationFactor": 2})).await, "replicationFactor")?;
    expect_refusal(world.logs.edit(json!({"shards": 12})).await, "shards")?;
    expect_refusal(world.logs.edit(json!({"storage": {"size": "512Mi"}})).await, "storage")?;
    expect_refusal(world.logs.edit(json!({"nodez": 4})).await, "nodez")?;
    expect_refusal(world.logs.edit(json!({"nodes": 0})).await, "nodes")?;
    Ok(())
}

#[tokio::test]
async fn nodes_that_hold_shards_do_not_leave() -> Result<()> {
    let (world, gateway) = World::with_logs().await?;
    pods(&world, 3).await?;
    world.logs.edit(json!({"nodes": 2})).await?;
    let blocker = world.logs.blocked_by("logs-2", WELL_AGAIN).await?;
    println!("blocker: {blocker}");
    for field in ["gate", "object", "since", "action"] {
        ensure!(blocker[field].is_string(), "the blocker lacks {field}: {blocker}");
    }
    pods(&world, 3).await?;
    gateway.documents("any").await?;
    world.logs.edit(json!({"nodes": 3})).await?;
    until("the blocker to be gone", WELL_AGAIN, async || {
        let object = world.logs.read().await?;
        Ok(object["status"]["blockers"].as_array().is_none_or(Vec::is_empty).then_some(()))
    })
    .await?;
    world.logs.available(WELL_AGAIN).await.map(drop)
}

async fn pods(world: &World, number: usize) -> Result<()> {
    until(&format!("{number} pods to be there"), WELL_AGAIN, async || {
        let pods = world.kind.pods(NAMESPACE, "app.kubernetes.io/instance=logs").await?;
        ensure!(pods.len() == number, "{} pods are there", pods.len());
        Ok(Some(()))
    })
    .await
}

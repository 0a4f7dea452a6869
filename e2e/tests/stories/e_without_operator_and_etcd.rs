//! The operator is gone for a minute, then etcd: what was running goes on, what cannot says why, and all is well again
//! without hands.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use grepzilla_e2e::gateway::Gateway;
use grepzilla_e2e::loader::Loader;
use grepzilla_e2e::wait::until;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use reqwest::StatusCode;
use serde_json::json;

use crate::c_killed_pods::all_lead;
use crate::world::{ETCD_LABELS, NAMESPACE, OPERATOR, OPERATOR_LABELS, SAMPLE, SYSTEM, WELL_AGAIN, World};

const A_MINUTE: Duration = Duration::from_secs(60);
const WITHOUT_ETCD: Duration = Duration::from_secs(20);

#[tokio::test]
async fn writes_and_searches_go_on_without_the_operator() -> Result<()> {
    let (world, gateway, sample) = World::with_documents().await?;
    world.kind.scale::<Deployment>(SYSTEM, OPERATOR, 0).await?;
    world.kind.pods_gone(SYSTEM, OPERATOR_LABELS, WELL_AGAIN).await?;
    let loader = Loader::start(&gateway, "no-operator", 2);
    tokio::time::sleep(A_MINUTE).await;
    let found = gateway.documents(SAMPLE).await;
    world.kind.scale::<Deployment>(SYSTEM, OPERATOR, 1).await?;
    ensure!(found? == sample.lines.len() as u64);
    let written = loader.stop_and_check().await?;
    ensure!(written.failed_requests == 0, "{} requests failed without the operator", written.failed_requests);
    world.logs.available(WELL_AGAIN).await.map(drop)
}

#[tokio::test]
async fn writes_and_searches_of_running_leaders_go_on_without_etcd() -> Result<()> {
    let (world, gateway, sample) = World::with_documents().await?;
    let etcd = world.etcd().await?;
    let loader = Loader::start(&gateway, "no-etcd", 2);
    world.kind.scale::<StatefulSet>(SYSTEM, &etcd, 0).await?;
    let told = without_etcd(&world, &gateway, loader, sample.lines.len() as u64).await;
    world.kind.scale::<StatefulSet>(SYSTEM, &etcd, 1).await?;
    told?;
    world.logs.available(WELL_AGAIN).await?;
    all_lead(&gateway).await?;
    // Leases that ran out with etcd are taken anew within seconds; until then some nodes are not known to the others.
    let found =
        until("searches to be whole again", WELL_AGAIN, async || gateway.documents(SAMPLE).await.map(Some)).await?;
    ensure!(found == sample.lines.len() as u64, "{found} documents are there after etcd is back");
    let answer = gateway.ingest("no-etcd", json!({"marker": "back-end"}).to_string()).await?;
    ensure!(answer.status == StatusCode::OK, "{answer:?}");
    Ok(())
}

async fn without_etcd(world: &World, gateway: &Gateway, loader: Loader, documents: u64) -> Result<()> {
    world.kind.pods_gone(SYSTEM, ETCD_LABELS, WELL_AGAIN).await?;
    tokio::time::sleep(WITHOUT_ETCD).await;
    ensure!(gateway.documents(SAMPLE).await? == documents, "searches are not whole without etcd");
    let written = loader.stop_and_check().await?;
    ensure!(written.failed_requests == 0, "{} requests failed without etcd", written.failed_requests);
    // The status does not repeat the last good word.
    world.logs.wait_for("Available", "Unknown", WELL_AGAIN).await?;
    // A node that restarts now cannot take its shards again: no election without etcd. It says so.
    world.kind.kill_process(NAMESPACE, "logs-2").await?;
    until("a write to say that etcd is away", WELL_AGAIN, async || {
        for number in 0..40 {
            let document = json!({"_id": format!("{number}"), "message": "where to?"}).to_string();
            let answer = gateway.ingest("no-etcd-ids", document).await?;
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                answer.headers.get("retry-after").context("503 without Retry-After")?;
                let why = answer.body.to_string();
                ensure!(why.contains("metadata store") || why.contains("leader"), "503 does not say why: {why}");
                return Ok(Some(()));
            }
        }
        Ok(None)
    })
    .await
}

//! One pod is held down: searches are partial and name its shards, writes to them get 503, the other shards notice nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use grepzilla_e2e::gateway::{Answer, Gateway};
use grepzilla_e2e::kind::machine_of;
use grepzilla_e2e::wait::until;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::c_killed_pods::all_lead;
use crate::world::{NAMESPACE, SAMPLE, WELL_AGAIN, World};

const HELD: &str = "logs-1";
const IDS: u32 = 40;

#[tokio::test]
async fn only_the_shards_of_a_held_pod_are_missing() -> Result<()> {
    let (world, gateway, sample) = World::with_documents().await?;
    let homes = homes(&gateway).await?;
    let missing = shards_of(&gateway, HELD).await?;
    ensure!(!missing.is_empty() && missing.len() < 6, "{HELD} should hold some shards, not {missing:?}");

    let machine = machine_of(&world.kind.pod(NAMESPACE, HELD).await?)?;
    world.kind.set_schedulable(&machine, false).await?;
    world.kind.delete_pod(NAMESPACE, HELD).await?;
    let told = told(&gateway, &missing, &homes, sample.lines.len() as u64).await;
    world.kind.set_schedulable(&machine, true).await?;
    told?;

    world.logs.available(WELL_AGAIN).await?;
    all_lead(&gateway).await?;
    ensure!(
        gateway.documents(SAMPLE).await? == sample.lines.len() as u64,
        "documents are missing after the pod is back"
    );
    Ok(())
}

/// What must be seen while the pod is down.
async fn told(gateway: &Gateway, missing: &BTreeSet<u64>, homes: &BTreeMap<u32, u64>, documents: u64) -> Result<()> {
    let everything = json!({"regex": "(?s).", "index": [SAMPLE], "count": true, "page": {"size": 0}});
    until("searches to name the missing shards", WELL_AGAIN, async || {
        let answer = gateway.search(&everything).await?;
        let named: BTreeSet<u64> = shards(&answer.body["failed_shards"]);
        ensure!(
            answer.status == StatusCode::OK && answer.body["partial"] == true && &named == missing,
            "{}",
            answer.body
        );
        Ok(Some(()))
    })
    .await?;
    // From here on every answer is the same, through whichever pod it goes.
    for round in 0..10 {
        let answer = gateway.search(&everything).await?;
        ensure!(answer.status == StatusCode::OK, "a search was answered with {}", answer.status);
        ensure!(&shards(&answer.body["failed_shards"]) == missing, "round {round}: {}", answer.body);
        // What is missing may match too, so the total is a lower bound and says so.
        ensure!(answer.body["total_relation"] == "gte", "round {round}: the total is called exact");
        let found = answer.body["total"].as_u64().context("a total is a number")?;
        ensure!(0 < found && found < documents, "{found} of {documents} were found without {missing:?}");
    }
    for (id, home) in homes {
        let answer = write(gateway, *id).await?;
        if missing.contains(home) {
            let retry = answer.headers.get("retry-after").is_some();
            ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE && retry, "a write to shard {home}: {answer:?}");
        } else {
            ensure!(answer.status == StatusCode::OK, "a write to shard {home}, which is up: {answer:?}");
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Which shard each of some ids belongs to, learned by writing them.
async fn homes(gateway: &Gateway) -> Result<BTreeMap<u32, u64>> {
    let mut homes = BTreeMap::new();
    for id in 0..IDS {
        let answer = write(gateway, id).await?;
        ensure!(answer.status == StatusCode::OK, "{answer:?}");
        homes.insert(id, answer.body["shards"][0]["shard"].as_u64().context("an answer names its shard")?);
    }
    Ok(homes)
}

async fn write(gateway: &Gateway, id: u32) -> Result<Answer> {
    gateway.ingest("held", json!({"_id": format!("document {id}"), "message": "to whom it belongs"}).to_string()).await
}

async fn shards_of(gateway: &Gateway, node: &str) -> Result<BTreeSet<u64>> {
    let cluster = gateway.get("/cluster").await?.body;
    let all = cluster["shards"].as_array().context("shards are a list")?;
    Ok(all.iter().filter(|shard| shard["leader"] == node).filter_map(|shard| shard["shard"].as_u64()).collect())
}

fn shards(list: &Value) -> BTreeSet<u64> {
    list.as_array().into_iter().flatten().filter_map(|one| one["shard"].as_u64()).collect()
}

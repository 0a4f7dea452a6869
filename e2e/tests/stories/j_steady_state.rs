//! In the steady state the operator writes nothing, and one that was killed and returns writes nothing either.

use std::time::Duration;

use anyhow::{Result, ensure};
use grepzilla_e2e::audit::{mark, writes_since};
use grepzilla_e2e::kind::is_ready;
use grepzilla_e2e::wait::until;
use kube::ResourceExt;

use crate::world::{CONTROL_PLANE, OPERATOR_LABELS, OPERATOR_USER, SYSTEM, WELL_AGAIN, World};

/// Lets what earlier stories began come to rest.
const REST: Duration = Duration::from_secs(10);
const STEADY: Duration = Duration::from_secs(180);
const AFTER_RETURN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_operator_writes_nothing_when_nothing_changes() -> Result<()> {
    let (world, _) = World::with_logs().await?;
    tokio::time::sleep(REST).await;
    let since = mark(CONTROL_PLANE).await?;
    tokio::time::sleep(STEADY).await;
    let writes = writes_since(&since, OPERATOR_USER).await?;
    ensure!(writes.is_empty(), "{} writes in {STEADY:?}: {writes:?}", writes.len());

    let since = mark(CONTROL_PLANE).await?;
    let before = world.kind.pods(SYSTEM, OPERATOR_LABELS).await?;
    let killed = before.first().expect("the operator has a pod").name_any();
    world.kind.delete_pod(SYSTEM, &killed).await?;
    until("the operator to return", WELL_AGAIN, async || {
        let now = world.kind.pods(SYSTEM, OPERATOR_LABELS).await?;
        Ok(now.iter().any(|pod| pod.name_any() != killed && is_ready(pod)).then_some(()))
    })
    .await?;
    tokio::time::sleep(AFTER_RETURN).await;
    let writes = writes_since(&since, OPERATOR_USER).await?;
    ensure!(writes.is_empty(), "{} writes after its return: {writes:?}", writes.len());
    Ok(())
}

#[tokio::test]
async fn the_audit_log_would_show_a_write() -> Result<()> {
    // The proof that the story above can fail: a change that the operator must answer is seen in the same log.
    let (world, _) = World::with_logs().await?;
    let since = mark(CONTROL_PLANE).await?;
    world.logs.edit(serde_json::json!({"service": {"type": "NodePort", "annotations": {"seen": "yes"}}})).await?;
    until("the operator's write", WELL_AGAIN, async || {
        Ok((!writes_since(&since, OPERATOR_USER).await?.is_empty()).then_some(()))
    })
    .await
}

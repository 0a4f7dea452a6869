//! A ten-line resource is Available within 90 s of apply, and its status is true at every moment it is read.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use grepzilla_e2e::gateway::Gateway;
use grepzilla_e2e::kind::is_ready;
use grepzilla_e2e::resource::{condition_status, observed};
use grepzilla_e2e::wait::until;

use crate::world::{NAMESPACE, TEN_LINES, World};

/// How long kube-proxy may take to hear of a pod that is ready.
const HEARSAY: Duration = Duration::from_secs(5);

#[tokio::test]
async fn ten_lines_are_a_cluster_within_90_seconds() -> Result<()> {
    assert_eq!(TEN_LINES.lines().count(), 10);
    let world = World::open().await?;
    world.logs.apply(TEN_LINES).await?;
    let begun = Instant::now();
    loop {
        ensure!(
            begun.elapsed() < Duration::from_secs(90),
            "not Available after 90 s: {}",
            world.logs.read().await?["status"]
        );
        let object = world.logs.read().await?;
        if observed(&object) && condition_status(&object, "Available").as_deref() == Some("True") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("apply to Available: {:.1} s", begun.elapsed().as_secs_f64());
    // The word is true when it is read: the Service has somewhere to lead, and every shard answers.
    let pods = world.kind.pods(NAMESPACE, "app.kubernetes.io/instance=logs").await?;
    ensure!(pods.iter().any(is_ready), "Available, but none of {} pods is ready", pods.len());
    let gateway = Gateway::open(&world.kind, &world.logs).await?;
    until("the machines to know the Service", HEARSAY, async || Ok(Some(gateway.documents("any").await?))).await?;
    Ok(())
}

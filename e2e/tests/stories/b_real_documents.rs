//! 50,000 real documents go in through the Service, and forty searches count exactly what a plain scan counts.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use grepzilla_e2e::gateway::{Gateway, total};
use grepzilla_e2e::needles::forty;

use crate::world::{SAMPLE, World, load, sample};

/// Documents that one client loads; the rest is loaded by [`CLIENTS`].
const BY_ONE_CLIENT: usize = 10_000;
/// Clients at once.
const CLIENTS: usize = 16;

#[tokio::test]
async fn forty_needles_count_as_a_plain_scan_does() -> Result<()> {
    let (_world, gateway) = World::with_logs().await?;
    let sample = sample().await?;
    ensure!(sample.lines.len() >= 50_000, "only {} documents ship", sample.lines.len());
    if gateway.documents(SAMPLE).await? == 0 {
        let shipper = gateway.clone().pooled()?;
        load_and_tell(&shipper, &sample.lines[..BY_ONE_CLIENT], 1).await?;
        load_and_tell(&shipper, &sample.lines[BY_ONE_CLIENT..], CLIENTS).await?;
    }
    let mut times = Vec::new();
    for needle in forty() {
        let begun = Instant::now();
        let found = total(&gateway.search_whole(&needle.request()).await?)?;
        times.push(begun.elapsed());
        let expected = sample.count(&needle)?;
        println!("{found:>6} in {:>7.1} ms  {needle}", times[times.len() - 1].as_secs_f64() * 1e3);
        ensure!(found == expected, "{needle}: {found} found, {expected} by the plain scan");
    }
    times.sort();
    println!("searches of 50,000: p50 {:.1?}, slowest {:.1?}", times[times.len() / 2], times[times.len() - 1]);
    Ok(())
}

async fn load_and_tell(gateway: &Gateway, lines: &[String], clients: usize) -> Result<()> {
    let begun = Instant::now();
    load(gateway, lines, clients).await?;
    tell(lines, clients, begun.elapsed());
    Ok(())
}

fn tell(lines: &[String], clients: usize, took: Duration) {
    let bytes: usize = lines.iter().map(String::len).sum();
    let (documents, megabytes) = (lines.len() as f64 / took.as_secs_f64(), bytes as f64 / 1e6 / took.as_secs_f64());
    println!("{clients} clients through the Service: {documents:.0} documents/s, {megabytes:.1} MB/s");
}

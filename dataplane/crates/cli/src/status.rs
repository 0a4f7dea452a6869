//! `gz status`: the nodes and shards of a cluster as the node that is asked sees them.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use grepzilla_api::status::{ClusterStatus, HeldShard, ShardStatus};

use crate::table::table;
use crate::text::printable;
use crate::{NodeArguments, Outcome};

/// Show the nodes and shards of the cluster.
///
/// Exit code: 0 when every shard has a leader and the metadata store is in touch, 1 when not, 2 when the node did not
/// answer.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  gz status
  gz status --url logs.example.com:7300 --json | jq '.shards[] | select(.leader == null)'")]
pub(crate) struct StatusArguments {
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

/// Runs the command.
pub(crate) async fn run(arguments: StatusArguments) -> Result<Outcome> {
    let status = arguments.node.hurried_client()?.cluster().await?;
    let text = if arguments.json { serde_json::to_string(&status)? + "\n" } else { render(&status) };
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(if is_well(&status) { Outcome::Yes } else { Outcome::No })
}

fn is_well(status: &ClusterStatus) -> bool {
    status.metadata_connected && status.shards.iter().all(|shard| shard.leader.is_some() && shard.blocker.is_none())
}

fn render(status: &ClusterStatus) -> String {
    let metadata =
        if status.metadata_connected { "in touch" } else { "OUT OF TOUCH: what follows is the last that was heard" };
    let led = status.shards.iter().filter(|shard| shard.leader.is_some()).count();
    let head = format!(
        "cluster {} as {} sees it\nring version {}, metadata store {metadata}\n{} of {} shards have a leader\n",
        status.cluster,
        printable(&status.node.to_string()),
        status.ring_version,
        led,
        status.shards.len(),
    );
    [head, nodes(status), shards(&status.shards)].join("\n")
}

fn nodes(status: &ClusterStatus) -> String {
    let rows = status.nodes.iter().map(|(name, node)| {
        [name.to_string(), node.api.clone(), node.peer.clone(), node.version.clone()]
            .map(|cell| cell_of(&cell))
            .to_vec()
    });
    table(&headed(["NODE", "API", "PEERS", "VERSION"], rows))
}

fn shards(shards: &[ShardStatus]) -> String {
    let rows = shards.iter().map(|shard| {
        let held =
            |figure: fn(&HeldShard) -> u64| shard.held.as_ref().map_or_else(String::new, |it| figure(it).to_string());
        let names = |names: &[_]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        [
            shard.shard.to_string(),
            shard.leader.as_ref().map_or_else(String::new, ToString::to_string),
            shard.epoch.to_string(),
            shard.committed.map_or_else(String::new, |seq| seq.to_string()),
            held(|held| held.flushed.0),
            held(|held| held.segment_documents + held.hot_documents),
            held(|held| held.segment_bytes),
            names(&shard.in_sync),
            names(&shard.targets),
            shard.blocker.clone().unwrap_or_default(),
        ]
        .map(|cell| cell_of(&cell))
        .to_vec()
    });
    let head =
        ["SHARD", "LEADER", "EPOCH", "COMMITTED", "FLUSHED", "DOCUMENTS", "BYTES", "IN SYNC", "TARGETS", "BLOCKER"];
    table(&headed(head, rows))
}

fn headed<const N: usize>(head: [&str; N], rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect()
}

fn cell_of(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { printable(text).into_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status() -> ClusterStatus {
        serde_json::from_value(json!({
            "cluster": "0190b5a4-0000-7000-8000-000000000001", "node": "logs-0", "metadata_connected": true,
            "ring_version": 3,
            "nodes": {"logs-0": {"api": "10.0.0.1:7300", "peer": "10.0.0.1:7301", "version": "0.1.0"}},
            "shards": [
                {"shard": 0, "leader": "logs-0", "epoch": 2, "targets": ["logs-0"], "in_sync": ["logs-0"], "committed": 17,
                 "held": {"flushed": 12, "segments": 1, "segment_bytes": 4096, "segment_documents": 12, "hot_documents": 5}},
                {"shard": 1, "leader": null, "epoch": 1, "targets": ["logs-1"], "in_sync": [], "blocker": "logs-1 is away"}
            ]
        }))
        .expect("a status")
    }

    #[test]
    fn a_shard_without_a_leader_is_seen_with_its_reason() {
        let text = render(&status());
        assert!(text.contains("1 of 2 shards have a leader"), "{text}");
        assert!(
            text.contains(
                "\nNODE    API            PEERS          VERSION\nlogs-0  10.0.0.1:7300  10.0.0.1:7301  0.1.0\n"
            ),
            "{text}"
        );
        let line = |first: &str| {
            let line = text.lines().find(|line| line.starts_with(first)).unwrap_or_else(|| panic!("{first}: {text}"));
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("0  "), "0 logs-0 2 17 12 17 4096 logs-0 logs-0 -");
        assert_eq!(line("1  "), "1 - 1 - - - - - logs-1 logs-1 is away");
    }

    #[test]
    fn all_is_well_when_every_shard_is_led_and_the_metadata_store_is_in_touch() {
        let mut status = status();
        assert!(!is_well(&status));
        status.shards.truncate(1);
        assert!(is_well(&status));
        status.metadata_connected = false;
        assert!(!is_well(&status));
    }
}

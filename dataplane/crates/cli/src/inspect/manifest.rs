//! `gz inspect manifest`: the segments of shards as the metadata store has them, or as a replica knows them.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use grepzilla_api::manifest::ManifestResponse;
use grepzilla_model::{Generation, Manifest, SegmentEntry, ShardId};

use crate::table::table;
use crate::text::{counted, megabytes, printable, thousands};
use crate::{NodeArguments, Outcome};

/// Show which segments a shard has, and what part of its log each of them covers.
///
/// A shard is asked for by its number, from the metadata store through a node. A folder of a shard is looked into without a
/// node: what its replica knows as published last.
///
/// Exit code: 0 when the manifests are sound, 1 when one breaks a rule or could not be published, 2 when one could not be
/// read.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  gz inspect manifest                  of all shards of the cluster
  gz inspect manifest 0 --gen 12
  gz inspect manifest /var/lib/grepzilla/shards/0
  gz inspect manifest --json | jq '.segments | length'")]
pub(crate) struct ManifestArguments {
    /// Numbers of shards, or folders; all shards of the cluster if none is named
    #[arg(value_name = "SHARD|DIR")]
    shards: Vec<String>,
    /// An earlier generation, of shards that are asked for by number; the newest by default
    #[arg(long = "gen", value_name = "N")]
    generation: Option<u64>,
    /// Print one JSON object a line for each shard
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

/// Runs the command.
pub(super) fn run(arguments: &ManifestArguments) -> Result<Outcome> {
    let mut outcome = Outcome::Yes;
    let mut out = anstream::stdout().lock();
    for answer in answers(arguments)? {
        match arguments.json {
            true => writeln!(out, "{}", serde_json::to_string(&answer)?)?,
            false => write!(out, "{}", render(&answer))?,
        }
        for fault in faults(&answer) {
            outcome = Outcome::No;
            anstream::eprintln!("gz: shard {}: {}", answer.shard, printable(&fault));
        }
    }
    out.flush()?;
    Ok(outcome)
}

fn answers(arguments: &ManifestArguments) -> Result<Vec<ManifestResponse>> {
    let is_number = |name: &&String| name.parse::<u32>().is_ok();
    let dirs = arguments.shards.iter().filter(|name| !is_number(name));
    let mut answers = dirs.map(|dir| local(Path::new(dir))).collect::<Result<Vec<_>>>()?;
    let shards: Vec<ShardId> = arguments.shards.iter().flat_map(|name| name.parse()).map(ShardId).collect();
    if !shards.is_empty() || arguments.shards.is_empty() {
        answers.extend(crate::online(remote(arguments, shards))?);
    }
    Ok(answers)
}

async fn remote(arguments: &ManifestArguments, mut shards: Vec<ShardId>) -> Result<Vec<ManifestResponse>> {
    let client = arguments.node.hurried_client()?;
    if shards.is_empty() {
        shards.extend(client.cluster().await?.shards.iter().map(|status| status.shard));
    }
    let mut answers = Vec::new();
    for shard in shards {
        let answer = client.manifest(shard, arguments.generation.map(Generation)).await;
        answers.push(answer.with_context(|| format!("shard {shard}"))?);
    }
    Ok(answers)
}

/// What the replica in a folder knows.
fn local(dir: &Path) -> Result<ManifestResponse> {
    let (shard, manifest) = grepzilla_storage::read_manifest(dir)?;
    let Manifest { generation, epoch, base, flushed, segments } = manifest.unwrap_or_default();
    Ok(ManifestResponse { shard, generation, epoch, base, flushed, segments, manifest_error: None })
}

/// What is wrong with a manifest, and with publishing the next one.
fn faults(answer: &ManifestResponse) -> Vec<String> {
    let ManifestResponse { generation, epoch, base, flushed, .. } = *answer;
    let manifest = Manifest { generation, epoch, base, flushed, segments: answer.segments.clone() };
    let broken = manifest.check().err().map(|error| error.to_string());
    let unpublished = answer.manifest_error.as_ref().map(|error| format!("the next one is not published: {error}"));
    broken.into_iter().chain(unpublished).collect()
}

fn render(answer: &ManifestResponse) -> String {
    let ManifestResponse { shard, generation, epoch, base, flushed, segments, .. } = answer;
    let (bytes, raw) = (sum(segments, |entry| entry.bytes), sum(segments, |entry| entry.raw_bytes));
    let mut text = format!(
        "shard {shard}: generation {generation} of epoch {epoch}, positions {} to {flushed} in {}, {} ({} of documents)\n",
        base.0 + 1,
        counted(segments.len() as u64, "segment"),
        megabytes(bytes),
        megabytes(raw),
    );
    if !segments.is_empty() {
        let head = ["FIRST", "LAST", "EPOCH", "DOCUMENTS", "DELETED", "BLOCKS", "BYTES", "RATIO", "FROM", "TO", "FILE"];
        let rows = segments.iter().map(row);
        let rows: Vec<Vec<String>> = std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect();
        text += &table(&rows);
    }
    text + "\n"
}

fn row(entry: &SegmentEntry) -> Vec<String> {
    let SegmentEntry { name, bytes, raw_bytes, documents, blocks, bounds, deletes } = entry;
    let time = |time: Option<grepzilla_model::TimeNs>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    vec![
        name.first.to_string(),
        name.last.to_string(),
        name.epoch.to_string(),
        thousands(*documents),
        thousands(deletes.map_or(0, |deletes| deletes.count)),
        thousands(u64::from(*blocks)),
        thousands(*bytes),
        format!("{:.1}", *raw_bytes as f64 / (*bytes).max(1) as f64),
        time(bounds.map(|bounds| bounds.time_min)),
        time(bounds.map(|bounds| bounds.time_max)),
        name.file_name(),
    ]
}

fn sum(segments: &[SegmentEntry], figure: impl Fn(&SegmentEntry) -> u64) -> u64 {
    segments.iter().map(figure).sum()
}

#[cfg(test)]
mod tests {
    use grepzilla_model::manifest::DocumentBounds;
    use grepzilla_model::{Epoch, SegmentName, SeqNo, TimeNs};

    use super::*;

    fn answer() -> ManifestResponse {
        let segment = |first, last| SegmentEntry {
            name: SegmentName { epoch: Epoch(2), first: SeqNo(first), last: SeqNo(last), hash: 0xab },
            bytes: 1_000,
            raw_bytes: 25_000,
            documents: last - first + 1,
            blocks: 1,
            bounds: Some(DocumentBounds { time_min: TimeNs(0), time_max: TimeNs(1), received_max: TimeNs(1) }),
            deletes: None,
        };
        ManifestResponse {
            shard: ShardId(3),
            generation: Generation(7),
            epoch: Epoch(2),
            base: SeqNo(0),
            flushed: SeqNo(30),
            segments: vec![segment(1, 20), segment(21, 30)],
            manifest_error: None,
        }
    }

    #[test]
    fn each_segment_is_shown_with_what_it_covers() {
        let text = render(&answer());
        assert!(
            text.starts_with("shard 3: generation 7 of epoch 2, positions 1 to 30 in 2 segments, 0.0 MB"),
            "{text}"
        );
        let row = "\n21     30    2      10         0        1       1,000  25.0   1970-01-01T00:00:00Z  ";
        assert!(text.contains(row), "{text}");
        assert_eq!(faults(&answer()), Vec::<String>::new());
    }

    #[test]
    fn what_breaks_a_rule_or_is_not_published_is_a_fault() {
        let mut broken = answer();
        broken.segments.remove(0);
        broken.manifest_error = Some("etcd is away".into());
        let faults = faults(&broken);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[1].ends_with("not published: etcd is away"), "{faults:?}");
    }
}

//! `gz inspect segment`: the sections, blocks and frames of a segment file, and what is wrong with them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use clap::builder::styling::{AnsiColor, Style};
use grepzilla_storage::segment::gram::GramKind;
use grepzilla_storage::segment::inspect::{GramStatistics, InspectedBlock, InspectedSegment, inspect};
use serde_json::{Value, json};

use crate::Outcome;
use crate::table::table;
use crate::text::{counted, printable, thousands};

const DAMAGE: Style = AnsiColor::Red.on_default().bold();
const HEAD: Style = Style::new().bold();

/// Show what a segment file is made of: its sections with their checksums, and its blocks.
///
/// Exit code: 0 when all is as it was written, 1 when not, 2 when something could not be read.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  gz inspect segment shards/0/segments/*.seg
  gz inspect segment --blocks shards/0/segments/0000000000000001-*.seg
  gz inspect segment --json shards/0/segments/*.seg | jq '.sections[] | [.name, .bytes]'")]
pub(crate) struct SegmentArguments {
    /// Segment files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show each block, too
    #[arg(long, short)]
    blocks: bool,
    /// Print one JSON object a line for each file; the blocks are in it
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &SegmentArguments) -> Result<Outcome> {
    let mut out = anstream::stdout().lock();
    let mut outcome = Outcome::Yes;
    for path in &arguments.files {
        let found = inspect(path)?;
        match arguments.json {
            true => writeln!(out, "{}", object(path, &found))?,
            false => show(&mut out, path, &found, arguments.blocks)?,
        }
        if !found.faults.is_empty() {
            outcome = Outcome::No;
        }
    }
    out.flush()?;
    Ok(outcome)
}

fn show(out: &mut impl Write, path: &Path, found: &InspectedSegment, with_blocks: bool) -> io::Result<()> {
    writeln!(out, "{HEAD}{}{HEAD:#}  {} bytes", printable(&path.to_string_lossy()), thousands(found.bytes))?;
    if let Some(identity) = &found.identity {
        let grepzilla_storage::segment::SegmentIdentity { cluster, shard, epoch, first, last } = identity;
        writeln!(out, "  positions {first} to {last} of shard {shard}, epoch {epoch}, cluster {cluster}")?;
    }
    if let Some((documents, raw_bytes)) = found.documents {
        let ratio = raw_bytes as f64 / found.bytes.max(1) as f64;
        let (documents, blocks) = (counted(documents, "document"), counted(found.blocks.len() as u64, "block"));
        writeln!(out, "  {documents} of {} bytes in {blocks}; {ratio:.1} times as small", thousands(raw_bytes))?;
    }
    let keys = found.keys.map(|keys| format!("{} with an Idempotency-Key", counted(keys as u64, "batch")));
    for line in found.grams.map(grams).into_iter().chain(keys) {
        writeln!(out, "  {line}")?;
    }
    if !found.sections.is_empty() {
        write!(out, "{}", table(&sections(found)))?;
    }
    if with_blocks && !found.blocks.is_empty() {
        write!(out, "{}", table(&blocks(&found.blocks)))?;
    }
    for fault in &found.faults {
        writeln!(out, "{DAMAGE}DAMAGE{DAMAGE:#}: {}", printable(&fault.to_string()))?;
    }
    writeln!(out)
}

fn grams(grams: GramStatistics) -> String {
    let GramStatistics { keys, pages, bytes, units } = grams;
    let pages: Vec<String> =
        GramKind::ALL.iter().zip(pages).map(|(kind, pages)| format!("{pages} of {}", word(*kind))).collect();
    let bits = bytes as f64 * 8.0 / keys.max(1) as f64;
    let keys = counted(keys, "gram");
    format!(
        "{keys} of {}, {bits:.1} bits each; pages that begin with one: {}",
        counted(units as u64, "unit"),
        pages.join(", ")
    )
}

fn word(kind: GramKind) -> &'static str {
    match kind {
        GramKind::Three => "3 bytes",
        GramKind::Four => "4 bytes",
        GramKind::Two => "2 bytes",
        GramKind::One => "1 byte",
    }
}

fn sections(found: &InspectedSegment) -> Vec<Vec<String>> {
    let rows = found.sections.iter().map(|section| {
        vec![
            section.name.to_owned(),
            section.offset.to_string(),
            thousands(section.bytes),
            format!("{:.1} %", section.bytes as f64 * 100.0 / found.bytes.max(1) as f64),
            state(section.is_good).to_owned(),
        ]
    });
    headed(["SECTION", "OFFSET", "BYTES", "SHARE", "CRC"], rows)
}

fn blocks(blocks: &[InspectedBlock]) -> Vec<Vec<String>> {
    let rows = blocks.iter().enumerate().map(|(number, InspectedBlock { facts, frames })| {
        let span = facts.span;
        let packed: u64 = frames.iter().map(|frame| u64::from(frame.packed_bytes)).sum();
        let unpacked: u64 = frames.iter().map(|frame| u64::from(frame.unpacked_bytes)).sum();
        vec![
            number.to_string(),
            facts.index.to_string(),
            frames.first().map_or_else(String::new, |frame| frame.offset.to_string()),
            thousands(facts.document_count as u64),
            format!("{}..{}", span.seq_min, span.seq_max),
            span.time_min.to_string(),
            span.time_max.to_string(),
            thousands(facts.source_bytes),
            thousands(unpacked),
            thousands(packed),
            facts.unit_count.to_string(),
            state(frames.iter().all(|frame| frame.is_good)).to_owned(),
        ]
    });
    let head = [
        "BLOCK",
        "INDEX",
        "OFFSET",
        "DOCUMENTS",
        "POSITIONS",
        "FROM",
        "TO",
        "RAW",
        "UNPACKED",
        "PACKED",
        "UNITS",
        "CRC",
    ];
    headed(head, rows)
}

fn headed<const N: usize>(head: [&str; N], rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect()
}

fn state(is_good: bool) -> &'static str {
    if is_good { "ok" } else { "BAD" }
}

fn object(path: &Path, found: &InspectedSegment) -> Value {
    let section = |section: &grepzilla_storage::segment::inspect::InspectedSection| json!({"name": section.name, "offset": section.offset, "bytes": section.bytes, "crc_ok": section.is_good});
    let block = |InspectedBlock { facts, frames }: &InspectedBlock| {
        let frames: Value = frames
            .iter()
            .map(|frame| {
                json!({"name": frame.name, "offset": frame.offset, "packed_bytes": frame.packed_bytes,
                   "unpacked_bytes": frame.unpacked_bytes, "crc_ok": frame.is_good})
            })
            .collect();
        json!({
            "index": facts.index.as_str(), "documents": facts.document_count, "raw_bytes": facts.source_bytes,
            "seq_min": facts.span.seq_min.0, "seq_max": facts.span.seq_max.0,
            "time_min": facts.span.time_min.to_string(), "time_max": facts.span.time_max.to_string(),
            "received_max": facts.received_max.to_string(), "units": facts.unit_count, "frames": frames,
        })
    };
    json!({
        "file": path.to_string_lossy(),
        "bytes": found.bytes,
        "name": found.name.map(|name| name.to_string()),
        "shard": found.identity.map(|identity| identity.shard.0),
        "epoch": found.identity.map(|identity| identity.epoch.0),
        "first": found.identity.map(|identity| identity.first.0),
        "last": found.identity.map(|identity| identity.last.0),
        "documents": found.documents.map(|(documents, _)| documents),
        "raw_bytes": found.documents.map(|(_, raw_bytes)| raw_bytes),
        "grams": found.grams.map(|grams| json!({"keys": grams.keys, "bytes": grams.bytes, "units": grams.units})),
        "keys": found.keys,
        "sections": found.sections.iter().map(section).collect::<Value>(),
        "blocks": found.blocks.iter().map(block).collect::<Value>(),
        "faults": found.faults.iter().map(|fault| Value::from(fault.to_string())).collect::<Value>(),
    })
}

//! `gz inspect`: what a shard is made of, as people look at it.
//!
//! Nothing is changed. Of files, none is locked, so a folder in use can be looked at.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::Outcome;

mod manifest;
mod segment;
mod wal;

/// Look into a shard: every frame and record of its log, its segments, and whatever is damaged.
///
/// Files are only read, and no lock is taken: the node that has them may be running.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  gz inspect wal /var/lib/grepzilla/shards/0
  gz inspect wal --records /var/lib/grepzilla/shards/0/0000000000000001-0000000000000002.wal
  gz inspect segment /var/lib/grepzilla/shards/0/segments/*.seg
  gz inspect manifest")]
pub(crate) struct InspectArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Wal(wal::WalArguments),
    Segment(segment::SegmentArguments),
    Manifest(manifest::ManifestArguments),
}

/// Runs the command.
pub(crate) fn run(arguments: &InspectArguments) -> Result<Outcome> {
    match &arguments.what {
        What::Wal(arguments) => wal::run(arguments),
        What::Segment(arguments) => segment::run(arguments),
        What::Manifest(arguments) => manifest::run(arguments),
    }
}

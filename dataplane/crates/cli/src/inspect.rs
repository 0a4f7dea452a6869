//! `gz inspect`: the files of a shard as people look at them.
//!
//! No node is asked, nothing is changed and no lock is taken, so a folder in use can be looked at.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::Outcome;

mod wal;

/// Look into the files of a shard: every frame, every record, and whatever is damaged.
///
/// Files are only read, and no lock is taken: the node that has them may be running.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  gz inspect wal /var/lib/grepzilla/shards/0
  gz inspect wal --records /var/lib/grepzilla/shards/0/0000000000000001-0000000000000002.wal")]
pub(crate) struct InspectArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Wal(wal::WalArguments),
}

/// Runs the command.
pub(crate) fn run(arguments: &InspectArguments) -> Result<Outcome> {
    match &arguments.what {
        What::Wal(arguments) => wal::run(arguments),
    }
}

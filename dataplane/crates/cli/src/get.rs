//! `gz get`: documents by their ids.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;
use grepzilla_api::document::DocumentParameters;

use crate::text::printable;
use crate::{NodeArguments, Outcome};

/// Print documents by their ids, each on a line, as they were put.
///
/// An id is the document's `_id` or, of a document without one, what a search shows: SHARD.EPOCH.POSITION. The newest
/// version is printed.
///
/// Exit code: 0 when all are there, 1 when one is not, 2 when one could not be asked for.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  gz get order-7
  gz get 0.1.4711 0.1.4712
  gz get --index audit --json user/17 | jq .time")]
pub(crate) struct GetArguments {
    /// What a search shows behind the name of the index
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// The index the documents belong to; main by default
    #[arg(long, short, value_name = "NAME")]
    index: Option<String>,
    /// Print the node's answers as JSON: time, shard and position with the document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

/// Runs the command.
pub(crate) async fn run(arguments: GetArguments) -> Result<Outcome> {
    let client = arguments.node.hurried_client()?;
    let parameters = DocumentParameters { index: arguments.index.clone(), timeout_ms: None };
    let mut outcome = Outcome::Yes;
    for id in &arguments.ids {
        let document = client.document(id, &parameters).await;
        match document.with_context(|| format!("cannot get {id}"))? {
            Some(document) if arguments.json => {
                writeln!(anstream::stdout(), "{}", serde_json::to_string(&document)?)?;
            }
            // A line end in a document is white space between its tokens; anything else inside strings is escaped.
            Some(document) => {
                writeln!(anstream::stdout(), "{}", document.source.get().replace(['\n', '\r'], " "))?;
            }
            None => {
                outcome = Outcome::No;
                anstream::eprintln!("gz: there is no {}", printable(id));
            }
        }
    }
    Ok(outcome)
}

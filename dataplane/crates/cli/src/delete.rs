//! `gz delete`: documents by their ids.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;
use grepzilla_api::document::DocumentParameters;

use crate::text::printable;
use crate::{NodeArguments, Outcome};

/// Delete documents by their `_id`.
///
/// When the command ends, no search finds them any more, and no crash brings them back. A document without an `_id` cannot
/// be deleted by itself.
///
/// Exit code: 0 when all were there and are deleted, 1 when one was not there, 2 when one could not be deleted.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  gz delete order-7
  gz delete --index audit user/17 user/18")]
pub(crate) struct DeleteArguments {
    /// What their `_id` is
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// The index the documents belong to
    #[arg(long, short, value_name = "NAME", default_value = "main")]
    index: String,
    #[command(flatten)]
    node: NodeArguments,
}

/// Runs the command.
pub(crate) async fn run(arguments: DeleteArguments) -> Result<Outcome> {
    let client = arguments.node.client()?;
    let parameters = DocumentParameters { index: Some(arguments.index.clone()), timeout_ms: None };
    let mut outcome = Outcome::Yes;
    for id in &arguments.ids {
        let answer = client.delete_document(id, &parameters).await;
        let answer = answer.with_context(|| format!("{}/{id} is not known to be deleted", arguments.index))?;
        let name = format!("{}/{}", arguments.index, printable(id));
        if answer.found {
            writeln!(anstream::stdout(), "deleted {name}")?;
        } else {
            outcome = Outcome::No;
            anstream::eprintln!("gz: there was no {name}");
        }
    }
    Ok(outcome)
}

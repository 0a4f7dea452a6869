//! `gz`: Grepzilla on the command line. Each command is a module; here are the command line, the runtime and exit codes.
//!
//! Exit codes are those of grep: 0 when there is something (every document taken, a match found, everything well), 1 when
//! not (a document refused, no match, a shard without leader), 2 when it could not be found out.

use std::io;
use std::process::ExitCode;

use clap::{Args, ColorChoice, Parser, Subcommand};
use grepzilla_api::client::{Client, Retry};

mod delete;
mod get;
mod inspect;
mod manual;
mod put;
mod search;
mod status;
mod table;
mod tail;
mod text;

/// Put documents into Grepzilla, find them again, and see how it is.
///
/// Every document that `gz put` reports as taken is on disk and can be found at once: any part of any value, by text,
/// wildcard or regular expression.
#[derive(Debug, Parser)]
#[command(name = "gz", version, after_long_help = EXAMPLES)]
struct Arguments {
    /// Colours: on a terminal only and unless NO_COLOR is set, or as said
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  gz put events.jsonl                   one JSON document a line; .gz and .zst are unpacked
  kubectl logs my-pod | gz put          from a pipe, if the lines are JSON
  gz search timeout                     any value that contains it, in any case
  gz search --wildcard 'conn*refused'   * any run of characters, ? one character
  gz search --regex '\\b5\\d\\d\\b' --field status
  gz search timeout --since 15m --count
  gz tail --field level error           what comes from now on
  gz get 0.1.4711
  gz status
  gz inspect wal /var/lib/grepzilla/shards/0

The node is --url, or GREPZILLA_URL, or http://127.0.0.1:7300.
`gz help COMMAND` says more about each command.";

#[derive(Debug, Subcommand)]
enum Command {
    Put(put::PutArguments),
    Search(search::SearchArguments),
    Tail(tail::TailArguments),
    Get(get::GetArguments),
    Delete(delete::DeleteArguments),
    Status(status::StatusArguments),
    Inspect(inspect::InspectArguments),
    Completions(manual::CompletionsArguments),
    Man(manual::ManArguments),
}

/// Where the node is.
#[derive(Debug, Args)]
struct NodeArguments {
    /// A node, or a Service of nodes: a URL, or host:port
    #[arg(long, value_name = "URL", env = "GREPZILLA_URL", default_value = "http://127.0.0.1:7300")]
    url: String,
}

impl NodeArguments {
    fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.url)?)
    }

    /// For a question that a person waits for: a node that is not there is said within a second.
    fn hurried_client(&self) -> anyhow::Result<Client> {
        Ok(self.client()?.with_retry(Retry { attempts_max: 4, ..Retry::default() }))
    }
}

/// What a command found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Yes: all taken, something found, everything well.
    Yes,
    /// No.
    No,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.color {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    match run(arguments.command) {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        // Whoever reads our output has seen enough, as in `gz search x | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("gz: {}", text::printable(&format!("{error:#}")));
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Put(arguments) => online(put::run(arguments)),
        Command::Search(arguments) => online(search::run(arguments)),
        Command::Tail(arguments) => online(tail::run(arguments)),
        Command::Get(arguments) => online(get::run(arguments)),
        Command::Delete(arguments) => online(delete::run(arguments)),
        Command::Status(arguments) => online(status::run(arguments)),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::man(&arguments),
    }
}

/// Runs a command that speaks with a node.
fn online<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nothing was installed before");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    // A read of standard input cannot be cancelled, and must not keep us.
    runtime.shutdown_background();
    outcome
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_argument_of_every_command_is_explained() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }

    #[test]
    fn the_help_of_every_command_with_arguments_of_its_own_teaches_by_an_example() {
        fn check(command: &clap::Command) {
            let text = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                text.contains(&format!("gz {}", command.get_name())) || text.contains("  gz "),
                "{command}: {text}"
            );
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }
}

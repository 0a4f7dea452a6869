//! The `grepzilla` binary: command line, log, runtime, exit code. Everything else is in the library.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use grepzilla::logging;
use grepzilla::serve;
use grepzilla::serve::arguments::{Arguments, Command, ServeArguments};
use grepzilla::shutdown::Signals;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nothing was installed before");
    let Command::Serve(arguments) = Arguments::parse().command;
    if let Err(error) = logging::init(arguments.log_format) {
        eprintln!("grepzilla: {error:#}");
        return ExitCode::FAILURE;
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the node stopped");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: ServeArguments) -> anyhow::Result<()> {
    let startup = arguments.into_startup()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let outcome = runtime.block_on(async {
        let signals = Signals::listen().context("listening for signals")?;
        serve::run(startup, signals.stop(), announce).await
    });
    runtime.shutdown_background();
    outcome
}

/// The one line on stdout that a script waits for.
fn announce(address: SocketAddr) {
    let line = serde_json::json!({ "listening": address.to_string() });
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        tracing::warn!(%error, "nobody reads the address on stdout");
    }
}

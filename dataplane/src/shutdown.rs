//! How a node is told to go, and the two steps in which it does: first it drains, then it stops accepting.
//!
//! Promise: `draining` is always before or together with `stop_accepting`, and neither is ever taken back.

use std::io::IsTerminal;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal: the first one was not waited for.
const EXIT_SECOND_SIGNAL: i32 = 2;

/// How much time a node that is told to stop gives to those that still point at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// As long as it takes until no Service points at it: in a cluster
    /// [`DRAIN_SECONDS`](grepzilla_api::contract::DRAIN_SECONDS).
    Drain,
    /// None. What runs is finished all the same.
    Now,
}

/// SIGTERM and SIGINT of this process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the two signals no longer end the process by themselves. Call it within a runtime.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Resolves with the first signal. The second one ends the process at once, whatever it does.
    pub async fn stop(mut self) -> Stop {
        let stop = self.next().await;
        // Nobody joins this task: it is there to end the process if everybody else hangs.
        tokio::spawn(async move {
            self.next().await;
            tracing::error!("a second signal came: the process ends without finishing what runs");
            std::process::exit(EXIT_SECOND_SIGNAL);
        });
        stop
    }

    async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Drain,
            _ = self.interrupt.recv() => if std::io::stdin().is_terminal() { Stop::Now } else { Stop::Drain },
        }
    }
}

/// What every part that serves listens to. Cloning gives another handle on the same two signals.
#[derive(Debug, Clone, Default)]
pub struct ShutdownSignals {
    draining: CancellationToken,
    stop_accepting: CancellationToken,
}

impl ShutdownSignals {
    /// Neither has happened.
    pub fn new() -> ShutdownSignals {
        ShutdownSignals::default()
    }

    /// Whether the node is on its way out: unready, and every answer carries `Connection: close`.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Resolves when draining begins.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Resolves when no new connection and no new request may be taken; what runs is finished.
    pub async fn stop_accepting(&self) {
        self.stop_accepting.cancelled().await;
    }

    /// Begins the first step.
    pub fn begin_draining(&self) {
        self.draining.cancel();
    }

    /// Begins the second step, and the first if it has not begun.
    pub fn begin_stop(&self) {
        self.draining.cancel();
        self.stop_accepting.cancel();
    }
}

//! The two steps in which a node goes: first it drains, then it stops accepting.
//!
//! Promise: `draining` is always before or together with `stop_accepting`, and neither is ever taken back.

use tokio_util::sync::CancellationToken;

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

//! Ctrl-C and its like: what is under way is given up where that is safe, so that every server is stopped and every folder
//! removed by whoever holds it.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on signals are heard.
pub(crate) fn listen() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]
    };
    std::thread::spawn(move || runtime.block_on(hear(signals)));
    Ok(())
}

/// An error once there was a signal.
pub(crate) fn check() -> Result<()> {
    ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
    Ok(())
}

async fn hear(signals: [tokio::signal::unix::Signal; 3]) {
    let [mut interrupt, mut terminate, mut hang_up] = signals;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        // However often it is said: to end at once would leave the systems behind that were started.
        if !INTERRUPTED.swap(true, Ordering::Relaxed) {
            eprintln!("bench: finishing");
        }
    }
}

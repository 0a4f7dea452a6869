//! When a node has nothing left to do behind the writes: for a while neither its metrics change nor its processor works,
//! and, if it is to be searched in segments, nothing is in its hot tier any more.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::State;
use super::metrics::{Background, Metrics};
use crate::interrupt;
use crate::process::processor_time;

/// How long nothing may change. Longer than the pauses between two looks of what flushes, merges and publishes.
const QUIET: Duration = Duration::from_millis(3_500);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// The share of one processor that a node uses without anything to do, its answers to our looks included.
const IDLE_SHARE: f64 = 0.05;
/// What is waited for it at most.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was reached.
#[derive(Debug)]
pub(crate) struct Rest {
    /// Time until then.
    pub(crate) after: Duration,
    /// What state it is, in words; if it is not the one that was waited for, why not.
    pub(crate) state: String,
}

/// Waits until then.
pub(super) async fn reached(metrics: &Metrics, process: u32, state: State) -> Result<Rest> {
    let begun = Instant::now();
    let mut since = Duration::ZERO;
    let mut seen = Background::of(&metrics.scrape().await?);
    let mut used = processor_time(process)?;
    loop {
        interrupt::check()?;
        tokio::time::sleep(PAUSE).await;
        let (now, now_used) = (Background::of(&metrics.scrape().await?), processor_time(process)?);
        let quiet = begun.elapsed() - since;
        let is_idle = (now_used - used).as_secs_f64() <= IDLE_SHARE * quiet.as_secs_f64() + 0.02;
        let is_wanted = state == State::Hot || now.hot_documents == 0.0;
        if now != seen || !is_idle || !is_wanted {
            (seen, used, since) = (now, now_used, begun.elapsed());
        } else if quiet >= QUIET {
            return Ok(Rest { after: since, state: words(state, &now) });
        }
        if begun.elapsed() >= PATIENCE {
            let state = format!("NOT at rest {} s after the last document: {}", PATIENCE.as_secs(), words(state, &now));
            return Ok(Rest { after: begun.elapsed(), state });
        }
    }
}

fn words(state: State, now: &Background) -> String {
    let Background { hot_documents, segments, merges, .. } = now;
    match state {
        State::Hot => format!("{hot_documents} documents in memory and in the log, {segments} segments"),
        State::Segments | State::SegmentsWithoutCache => {
            format!("{segments} segments after {merges} merges, {hot_documents} documents in memory")
        }
    }
}

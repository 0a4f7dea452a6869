//! Grepzilla: one node, loaded over HTTP with a sync before each acknowledgement. It is measured in a named state; but for
//! what the state takes, everything is at its default.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use grepzilla_api::client::{Client, Retry};
use grepzilla_api::config::{NodeConfig, StorageConfig};
use grepzilla_api::search::{Page, SearchLimits, SearchRequest, SearchResponse};
use grepzilla_e2e::local_node::LocalNode;
use tokio::runtime::Runtime;

use super::{Engine, Found, Load};
use crate::corpus::{Corpus, Stretch};
use crate::needle::{Form, Needle};
use crate::process::{peak_memory_mib, processor_time};
use crate::timing::Times;
use metrics::Metrics;

pub(crate) use disk::gram_bytes;
pub(crate) use rest::Rest;

mod disk;
mod load;
pub(crate) mod metrics;
mod rest;

/// Memory for parts of segments that were read: the one that the bars are set for.
pub(crate) const CACHE_BYTES: u64 = 512 << 20;
/// The smallest there may be: hardly anything stays.
const CACHE_BYTES_MIN: u64 = 1 << 20;

/// For loading: the pauses count as time, as they do for whoever writes.
const PATIENT: Retry =
    Retry { attempts_max: 1_000, first_pause: Duration::from_millis(50), pause_max: Duration::from_secs(5) };

/// In which state it is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Everything in memory, and in the log.
    Hot,
    /// Everything flushed, and merged as far as the policy goes.
    Segments,
    /// The same with hardly any memory for what was read.
    SegmentsWithoutCache,
}

impl State {
    /// What a node is told for it.
    pub(crate) fn config(self) -> NodeConfig {
        let default = StorageConfig::default();
        let storage = match self {
            State::Hot => StorageConfig { flush_bytes: 4 << 30, flush_age_seconds: 86_400, ..default },
            // The age only matters to the last few documents, which nobody waits five minutes for.
            State::Segments => StorageConfig { flush_age_seconds: 10, cache_bytes: CACHE_BYTES, ..default },
            State::SegmentsWithoutCache => {
                StorageConfig { flush_age_seconds: 10, cache_bytes: CACHE_BYTES_MIN, ..default }
            }
        };
        NodeConfig { storage, ..NodeConfig::default() }
    }

    fn name(self) -> &'static str {
        match self {
            State::Hot => "hot",
            State::Segments => "segments",
            State::SegmentsWithoutCache => "segments, no cache",
        }
    }
}

/// A running node.
pub(crate) struct Grepzilla {
    runtime: Runtime,
    state: State,
    /// `None` only while it is started again.
    node: Option<LocalNode>,
    client: Client,
    metrics: Metrics,
    /// From the sending of a request to its acknowledgement.
    acknowledgements: Vec<Duration>,
}

impl Grepzilla {
    /// Starts one that will be searched in this state.
    pub(crate) fn start(state: State) -> Result<Grepzilla> {
        let runtime = Runtime::new()?;
        let node = runtime.block_on(LocalNode::start_with(&state.config()))?;
        let client = node.client()?.with_retry(Retry::never());
        let metrics = Metrics::of(&node)?;
        Ok(Grepzilla { runtime, state, node: Some(node), client, metrics, acknowledgements: Vec::new() })
    }

    /// Stops it and starts it again on its data for another state. Gives the time from the start until it was ready.
    pub(crate) fn restart(&mut self, state: State) -> Result<Duration> {
        let node = self.node.take().context("it is started again only once at a time")?;
        let (node, took) = self.runtime.block_on(node.restarted(&state.config()))?;
        self.client = node.client()?.with_retry(Retry::never());
        self.metrics = Metrics::of(&node)?;
        self.node = Some(node);
        self.state = state;
        Ok(took)
    }

    /// Ends it.
    pub(crate) fn stop(mut self) -> Result<()> {
        let node = self.node.take().context("it runs")?;
        self.runtime.block_on(node.stop())
    }

    /// Sends documents and waits until all are acknowledged; where the node asks for a pause, because flushing does not keep up,
    /// it gets one. Gives how long that took.
    pub(crate) fn take(&mut self, what: &str, stretch: &Stretch) -> Result<Duration> {
        let begun = Instant::now();
        let took = self.runtime.block_on(load::send_all(&self.client.clone().with_retry(PATIENT), what, stretch))?;
        self.acknowledgements.extend(took);
        Ok(begun.elapsed())
    }

    /// Waits until nothing is left to be done behind the writes.
    pub(crate) fn rest(&self) -> Result<Rest> {
        self.runtime.block_on(rest::reached(&self.metrics, self.node()?.id()?, self.state))
    }

    /// How long acknowledgements of batches took.
    pub(crate) fn acknowledgements(&self) -> Option<Times> {
        Times::of(self.acknowledgements.clone())
    }

    /// Its metrics as they are now.
    pub(crate) fn scrape(&self) -> Result<String> {
        self.runtime.block_on(self.metrics.scrape())
    }

    /// Bytes of the files of segments, of logs and of everything else, with what segments are made of.
    pub(crate) fn disk(&self) -> Result<disk::Disk> {
        disk::Disk::of(&self.node()?.data())
    }

    fn node(&self) -> Result<&LocalNode> {
        self.node.as_ref().context("it runs")
    }

    fn search(&self, needle: &Needle, size: usize, count: bool) -> Result<(SearchResponse, Duration)> {
        let request = request(needle, size, count);
        let begun = Instant::now();
        let answer = self.runtime.block_on(self.client.search(&request))?;
        let took = begun.elapsed();
        ensure!(!answer.partial, "the answer for {:?} is not whole: {:?}", needle.text, answer.failed_shards);
        Ok((answer, took))
    }
}

impl Engine for Grepzilla {
    fn name(&self) -> String {
        format!("Grepzilla {}", self.state.name())
    }

    fn load(&mut self, corpus: &Corpus) -> Result<Load> {
        let id = self.node()?.id()?;
        let used = processor_time(id)?;
        let begun = Instant::now();
        let sent = self.take(&format!("{}: {}", corpus.name, self.name()), &corpus.whole())?;
        let waited_from = begun.elapsed();
        let rest = self.rest()?;
        let disk = self.disk()?;
        Ok(Load {
            sent,
            settled: waited_from + rest.after,
            processor: processor_time(id)? - used,
            store_bytes: disk.store_bytes(),
            log_bytes: disk.log,
            parts: disk.parts(),
            state: rest.state,
        })
    }

    fn count(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let (answer, took) = self.search(needle, 0, true)?;
        Ok(Some(Found { count: answer.total, took, blocks_read: Some(answer.metrics.blocks_read) }))
    }

    fn newest(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let (answer, took) = self.search(needle, 100, false)?;
        Ok(Some(Found { count: answer.hits.len() as u64, took, blocks_read: Some(answer.metrics.blocks_read) }))
    }

    fn peak_memory_mib(&self) -> Result<Option<f64>> {
        peak_memory_mib(self.node()?.id()?).map(Some)
    }
}

fn request(needle: &Needle, size: usize, count: bool) -> SearchRequest {
    let text = |form| (needle.form == form).then(|| needle.text.to_owned());
    SearchRequest {
        contains: text(Form::Contains),
        wildcard: text(Form::Wildcard),
        regex: text(Form::Regex),
        case_sensitive: needle.case_sensitive,
        count,
        page: Page { size, cursor: None },
        limits: SearchLimits { deadline_ms: 60_000, ..SearchLimits::default() },
        ..SearchRequest::default()
    }
}

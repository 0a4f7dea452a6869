//! `gz tail`: what matches from now on, as it becomes visible, until it is interrupted.
//!
//! A node that goes is left for another behind the same address, from the last event that had an id: nothing is missed.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use grepzilla_api::client::{Client, ClientError, TailEvent};
use grepzilla_api::search::{FailedShard, Hit, Page, SearchRequest};
use grepzilla_api::tail::{TailParameters, encode_positions};

use crate::search::{Conditions, render};
use crate::text::printable;
use crate::{NodeArguments, Outcome};

/// How often in a row following may fail before it is given up, and the pause after each time.
const ATTEMPTS_MAX: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// Follow what matches: the last documents, then each new one as soon as it can be found.
///
/// Without a PATTERN everything matches. New documents come within a fraction of a second after they were acknowledged.
/// If the node goes, another one behind the same address goes on where it was.
///
/// Exit code: 0 when --limit was reached, 2 when it could not go on.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    conditions: Conditions,
    /// Documents to show from before
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(0..=Page::SIZE_MAX as u64))]
    last: u64,
    /// End after so many documents, those from before included
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print each document as the node tells of it: one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

const EXAMPLES: &str = r#"Examples:
  gz tail
  gz tail error --index web
  gz tail --regex '\bstatus=5\d\d\b' --last 0
  gz tail --query '{"range": {"field": "duration_ms", "gt": 1000}}'
  gz tail --json timeout | jq .source"#;

/// Runs the command.
pub(crate) async fn run(arguments: TailArguments) -> Result<Outcome> {
    let client = arguments.node.hurried_client()?;
    let request = arguments.conditions.request()?;
    let parameters = TailParameters::of_search(&request);
    let mut shown = Shown { json: arguments.json, left: arguments.limit, missing: Vec::new() };
    let mut id = match arguments.last {
        0 => None,
        last => match shown.before(&client, &parameters, last).await? {
            ControlFlow::Continue(id) => Some(id),
            ControlFlow::Break(()) => return Ok(Outcome::Yes),
        },
    };
    let mut failures = 0;
    loop {
        let before = id.clone();
        let error = match shown.follow(&client, &parameters, &mut id).await? {
            ControlFlow::Break(()) => return Ok(Outcome::Yes),
            ControlFlow::Continue(error) => error,
        };
        failures = if id == before { failures + 1 } else { 0 };
        match error {
            Some(error) if failures >= ATTEMPTS_MAX || !error.may_pass() => return Err(error.into()),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// What the user sees.
struct Shown {
    json: bool,
    /// Documents that may still be shown.
    left: Option<u64>,
    missing: Vec<FailedShard>,
}

impl Shown {
    /// Shows the last documents from before. Answers where to go on.
    async fn before(
        &mut self,
        client: &Client,
        parameters: &TailParameters,
        last: u64,
    ) -> Result<ControlFlow<(), String>> {
        let page = Page { size: last as usize, cursor: None };
        let answer = client.search(&SearchRequest { page, ..parameters.clone().into_search()? }).await?;
        self.missing(&answer.failed_shards);
        for hit in answer.hits.iter().rev() {
            if self.hit(hit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(encode_positions(&answer.token)))
    }

    /// Follows until the node ends it, which is answered with the reason, or until enough was shown.
    async fn follow(
        &mut self,
        client: &Client,
        parameters: &TailParameters,
        id: &mut Option<String>,
    ) -> Result<ControlFlow<(), Option<ClientError>>> {
        let from = id.as_deref().filter(|id| !id.is_empty());
        let mut tail = match client.tail(parameters, from).await {
            Ok(tail) => tail,
            Err(error) => return Ok(ControlFlow::Continue(Some(error))),
        };
        loop {
            let event = match tail.next().await {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(ControlFlow::Continue(None)),
                Err(error) => return Ok(ControlFlow::Continue(Some(error))),
            };
            match event {
                TailEvent::Hit(hit) => {
                    if self.hit(&hit)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                TailEvent::Beat(beat) => self.missing(&beat.failed_shards),
                TailEvent::End(end) => {
                    anstream::eprintln!("gz: {} ({})", printable(&end.message), printable(&end.code))
                }
            }
            if let Some(last) = tail.last_event_id() {
                *id = Some(last.to_owned());
            }
        }
    }

    fn hit(&mut self, hit: &Hit) -> Result<ControlFlow<()>> {
        if self.left == Some(0) {
            return Ok(ControlFlow::Break(()));
        }
        let mut out = anstream::stdout().lock();
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string(hit)?.replace(['\n', '\r'], " "))?,
            false => render::render_hit(&mut out, hit)?,
        }
        out.flush()?;
        self.left = self.left.map(|left| left - 1);
        Ok(if self.left == Some(0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Says which shards are missing, when that changes.
    fn missing(&mut self, shards: &[FailedShard]) {
        for failed in shards.iter().filter(|failed| !self.missing.iter().any(|known| known.shard == failed.shard)) {
            let (message, code) = (printable(&failed.message), printable(&failed.code));
            anstream::eprintln!("gz: shard {} is missing for now: {message} ({code})", failed.shard);
        }
        for known in self.missing.iter().filter(|known| !shards.iter().any(|failed| failed.shard == known.shard)) {
            anstream::eprintln!("gz: shard {} is back", known.shard);
        }
        self.missing = shards.to_vec();
    }
}

//! The root of a search: asks every node that holds shards of it at once, and makes one answer of what came in time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use grepzilla_api::ingest::TokenPart;
use grepzilla_api::peer::{
    CURSOR_EXPIRED, LeafFound, LeafHit, LeafOutcome, LeafSearchAnswer, LeafSearchRequest, LeafShard, LogPosition,
    NOT_LEADER, WRITE_LOST,
};
use grepzilla_api::search::{Cursor, FailedShard, Hit, SearchMetrics, SearchResponse, TotalRelation};
use grepzilla_model::{ShardId, TimeNs};
use grepzilla_query::CompiledQuery;
use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use crate::metrics::peers::{PeerOperation, PeerOutcome};
use crate::peers::PeerFailure;
use crate::search::aggregations;
use crate::search::cursor::PageEnd;
use crate::search::leaf;
use crate::search::merge::{Merged, merge};
use crate::search::plan::{Plan, failed, shards_of};
use crate::search::request::Search;
use crate::server::answer::Failure;
use crate::server::app::App;
use crate::server::trace::TraceId;

/// What is kept of the time for the way back from a leaf and for merging: a tenth, at most this.
const MARGIN_MAX: Duration = Duration::from_millis(50);
/// What the news of a new leader is given to arrive before its shards are asked for again.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// The outward name of a shard that answers without a part that is damaged.
pub(super) const DAMAGED: &str = "damaged";

/// What the parts of one search share.
struct Root<'a> {
    app: &'a App,
    trace: TraceId,
    search: &'a Search,
    query: Arc<CompiledQuery>,
    started: Instant,
    deadline: Instant,
}

/// What the shards have answered so far.
#[derive(Debug, Default)]
struct Gathered {
    found: BTreeMap<ShardId, LeafFound>,
    failed: Vec<FailedShard>,
    first_hit: Option<Duration>,
}

/// An answer, and what of it only those need to know who go on from it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: SearchResponse,
    /// The shards that told some of their documents and not others, because time or the budget ran out.
    pub(super) cut: BTreeSet<ShardId>,
}

/// Runs a search.
pub(super) async fn run(
    app: &App,
    trace: TraceId,
    search: Search,
    query: Arc<CompiledQuery>,
    started: Instant,
) -> Result<Answer, Failure> {
    let shards = shards_of(&search, &app.node)?;
    let root = Root { app, trace, search: &search, query, started, deadline: started + search.deadline };
    let mut gathered = Gathered::default();
    root.ask(shards, &mut gathered).await;
    let moved = gathered.take_failed(NOT_LEADER);
    if !moved.is_empty() && Instant::now() + REFRESH_PAUSE < root.deadline {
        sleep(REFRESH_PAUSE).await;
        root.ask(moved.into_iter().map(|failed| failed.shard).collect(), &mut gathered).await;
    } else {
        gathered.failed.extend(moved);
    }
    gathered.settle(&search)?;
    gathered.name_damaged();
    app.metrics.search.shards_missing(gathered.failed.len());
    respond(&search, gathered, trace, started)
}

/// What asking one node came to.
struct Asked {
    shards: Vec<ShardId>,
    /// An error holds for every shard that the node was asked for; the id in it says nothing.
    answer: Result<LeafSearchAnswer, FailedShard>,
    took: Duration,
}

impl Root<'_> {
    /// Asks for shards, each node once and all at once.
    async fn ask(&self, shards: Vec<ShardId>, gathered: &mut Gathered) {
        let Plan { here, peers, failed } = Plan::new(&self.app.node, self.search, shards);
        gathered.failed.extend(failed);
        let here = (!here.is_empty()).then_some((None, here));
        let peers = peers.into_iter().map(|(peer, shards)| (Some(peer), shards));
        let asked = here.into_iter().chain(peers).map(|(peer, shards)| self.ask_node(peer, shards));
        for asked in join_all(asked).await {
            gathered.add(asked);
        }
    }

    /// Asks one node, this one if `peer` is absent.
    async fn ask_node(&self, peer: Option<String>, leaves: Vec<LeafShard>) -> Asked {
        let shards = leaves.iter().map(|leaf| leaf.shard).collect();
        let request = leaf_request(self.search, leaves, self.deadline);
        let answer = match peer {
            Some(peer) => self.ask_peer(&peer, request).await,
            None => self.ask_here(request).await,
        };
        Asked { shards, answer, took: self.started.elapsed() }
    }

    async fn ask_here(&self, request: LeafSearchRequest) -> Result<LeafSearchAnswer, FailedShard> {
        let answer = timeout_at(self.deadline, leaf::search(self.app, self.query.clone(), request)).await;
        answer.map_err(|_| failed(ShardId::default(), "deadline", "this node did not search it in time"))
    }

    async fn ask_peer(&self, peer: &str, request: LeafSearchRequest) -> Result<LeafSearchAnswer, FailedShard> {
        let time_max = self.deadline.saturating_duration_since(Instant::now());
        let outcome = self.app.peers.search(peer, &request, self.trace, time_max).await;
        let word = outcome.as_ref().map_or_else(PeerFailure::outcome, |_| PeerOutcome::Done);
        self.app.metrics.peers.ended(PeerOperation::Search, word);
        outcome.map_err(|failure| {
            let code = match &failure {
                PeerFailure::NoAnswer { .. } if Instant::now() >= self.deadline => "deadline",
                PeerFailure::NoAnswer { .. } | PeerFailure::Unreachable { .. } => "unreachable",
                PeerFailure::Refused { .. } => "failed",
            };
            failed(ShardId::default(), code, failure.to_string())
        })
    }
}

fn leaf_request(search: &Search, shards: Vec<LeafShard>, deadline: Instant) -> LeafSearchRequest {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = left - MARGIN_MAX.min(left / 10);
    LeafSearchRequest {
        query: search.query.clone(),
        shards,
        order: search.order,
        size: search.size,
        count: search.count,
        histogram_ns: search.histogram.as_ref().map(|interval| interval.ns),
        terms: search.terms.as_ref().map(|terms| terms.field.clone()),
        explain: search.explain,
        issued_ms: search.issued_ms,
        deadline_ms: left.as_millis() as u64,
        candidates_max: search.candidates_max,
        parallelism: search.parallelism,
        require_primary: search.require_primary,
    }
}

impl Gathered {
    fn add(&mut self, asked: Asked) {
        let Asked { shards, answer, took } = asked;
        let mut outcomes: BTreeMap<ShardId, LeafOutcome> = match answer {
            Ok(answer) => answer.shards.into_iter().map(|shard| (shard.shard, shard.outcome)).collect(),
            Err(failed) => {
                self.failed.extend(shards.into_iter().map(|shard| FailedShard { shard, ..failed.clone() }));
                return;
            }
        };
        for shard in shards {
            match outcomes.remove(&shard) {
                Some(LeafOutcome::Found(found)) => {
                    if !found.hits.is_empty() {
                        self.first_hit = Some(self.first_hit.map_or(took, |first| first.min(took)));
                    }
                    self.found.insert(shard, *found);
                }
                Some(LeafOutcome::Failed { code, message }) => self.failed.push(FailedShard { shard, code, message }),
                None => self.failed.push(failed(shard, "failed", "the node that holds it left it out of its answer")),
            }
        }
    }

    fn take_failed(&mut self, code: &str) -> Vec<FailedShard> {
        self.failed.extract_if(.., |failed| failed.code == code).collect()
    }

    /// A position that is lost, or an answer of nobody, is the request's failure; everything else is a shard's and gets its outward name.
    fn settle(&mut self, search: &Search) -> Result<(), Failure> {
        if let Some(lost) = self.failed.iter().find(|failed| failed.code == WRITE_LOST) {
            let details = json!({ "shard": lost.shard });
            let failure = match search.token.contains_key(&lost.shard) {
                true => Failure::new(StatusCode::CONFLICT, WRITE_LOST, lost.message.clone()),
                false => Failure::new(StatusCode::GONE, CURSOR_EXPIRED, lost.message.clone()),
            };
            return Err(failure.details(details));
        }
        if let Some(expired) = self.failed.iter().find(|failed| failed.code == CURSOR_EXPIRED) {
            let failure = Failure::new(StatusCode::GONE, CURSOR_EXPIRED, expired.message.clone());
            return Err(failure.details(json!({ "shard": expired.shard })));
        }
        for failed in self.failed.iter_mut().filter(|failed| failed.code == NOT_LEADER) {
            failed.code = "no_leader".to_owned();
        }
        self.failed.sort_by_key(|failed| failed.shard);
        if self.found.is_empty()
            && let Some(first) = self.failed.first()
        {
            // An empty page would pass for an answer.
            let message = format!("no shard has answered; shard {}: {}", first.shard, first.message);
            let failure = Failure::unavailable("no_shard_answered", message);
            return Err(failure.details(json!({ "failed_shards": self.failed })));
        }
        Ok(())
    }

    /// A shard that lacks a part has answered, and its answer is not all there should be.
    fn name_damaged(&mut self) {
        let damaged = self.found.iter().filter_map(|(shard, found)| Some((*shard, found.damage.clone()?)));
        self.failed.extend(damaged.map(|(shard, message)| FailedShard { shard, code: DAMAGED.to_owned(), message }));
        self.failed.sort_by_key(|failed| failed.shard);
    }

    fn metrics(&self, took: Duration) -> SearchMetrics {
        let sum = |part: fn(&LeafFound) -> u64| self.found.values().map(part).sum();
        SearchMetrics {
            candidates_total: sum(|found| found.candidates),
            time_to_first_hit_ms: self.first_hit.map_or(0, |first| first.as_millis() as u64),
            total_ms: took.as_millis() as u64,
            deadline_hit: self.found.values().any(|found| found.deadline_hit)
                || self.failed.iter().any(|failed| failed.code == "deadline"),
            blocks_total: sum(|found| found.blocks_total),
            blocks_read: sum(|found| found.blocks_read),
            bytes_read: sum(|found| found.bytes_read),
        }
    }
}

fn respond(search: &Search, gathered: Gathered, trace: TraceId, started: Instant) -> Result<Answer, Failure> {
    let metrics = gathered.metrics(started.elapsed());
    let Gathered { found, failed, .. } = gathered;
    let positions: BTreeMap<ShardId, LogPosition> =
        found.iter().map(|(shard, found)| (*shard, LogPosition { epoch: found.epoch, seq: found.seq })).collect();
    let is_cut = |found: &LeafFound| found.deadline_hit || found.budget_hit;
    let cut: BTreeSet<ShardId> = found.iter().filter(|(_, found)| is_cut(found)).map(|(shard, _)| *shard).collect();
    let stale_read = found.values().any(|found| !found.primary);
    let mut found: Vec<LeafFound> = found.into_values().collect();
    let Merged { hits, more } = merge(&mut found, search.order, search.size);
    let partial = !cut.is_empty() || !failed.is_empty();
    let seen = search.after.as_ref().map_or(0, |page| page.seen) + hits.len() as u64;
    let (total, total_relation) = total(search, &found, seen, partial || (more && !search.count));
    let histogram = search.histogram.as_ref().map(|interval| aggregations::histogram(interval, &found)).transpose()?;
    let terms = search.terms.as_ref().map(|terms| aggregations::terms(terms, &found, partial));
    let explain = search.explain.then(|| found.iter_mut().filter_map(|found| found.explain.take()).collect());
    let response = SearchResponse {
        cursor: if more { cursor(search, &hits, seen, &positions) } else { None },
        hits: hits.into_iter().map(outward).collect(),
        total,
        total_relation,
        histogram,
        terms,
        explain,
        token: positions.iter().map(|(&shard, at)| TokenPart { shard, epoch: at.epoch, seq: at.seq }).collect(),
        partial,
        failed_shards: failed,
        stale_read,
        metrics,
        trace_id: trace.to_string(),
    };
    Ok(Answer { response, cut })
}

/// With `count` what the shards counted, without it what the pages have shown.
fn total(search: &Search, found: &[LeafFound], seen: u64, is_bound: bool) -> (u64, TotalRelation) {
    let counted: u64 = found.iter().filter_map(|found| found.total).sum();
    let relation = if is_bound { TotalRelation::Gte } else { TotalRelation::Eq };
    (if search.count { counted } else { seen }, relation)
}

/// The cursor keeps the positions of the first page: a shard that fails on this one is asked again on the next.
fn cursor(search: &Search, hits: &[LeafHit], seen: u64, positions: &BTreeMap<ShardId, LogPosition>) -> Option<Cursor> {
    let last = hits.last()?.key;
    let positions = search.after.as_ref().map_or(positions, |page| &page.positions).clone();
    let page = PageEnd { query: search.query_hash, issued_ms: search.issued_ms, seen, last, positions };
    Some(page.encode())
}

fn outward(hit: LeafHit) -> Hit {
    let LeafHit { key, epoch, id, index, matched_field, preview, highlights, source } = hit;
    Hit {
        id: id.clone().unwrap_or_else(|| format!("{}.{epoch}.{}", key.shard, key.seq)),
        ext_id: id,
        doc_id: key.seq.0,
        shard: key.shard,
        index,
        time: TimeNs(key.time_ns).to_string(),
        matched_field,
        preview,
        highlights,
        source,
    }
}

#[cfg(test)]
mod tests {
    use grepzilla_api::config::SearchConfig;
    use grepzilla_model::{Epoch, SeqNo};
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_shard_that_was_cut_is_named_whatever_became_of_the_others() {
        let search = Search::read(b"{\"contains\":\"x\"}", &SearchConfig::default()).expect("a search");
        let whole = || LeafFound::nothing(Epoch(1), SeqNo(5));
        let late = failed(ShardId(2), "deadline", "the shard waited for its turn until the deadline");
        for other in [None, Some(late)] {
            let mut gathered = Gathered::default();
            gathered.found.insert(ShardId(0), LeafFound { deadline_hit: true, ..whole() });
            gathered.found.insert(ShardId(1), whole());
            gathered.found.insert(ShardId(3), LeafFound { budget_hit: true, ..whole() });
            gathered.failed.extend(other);
            let trace = TraceId::of_request(&HeaderMap::new());
            let answer = respond(&search, gathered, trace, Instant::now()).expect("an answer");
            assert_eq!(answer.cut, BTreeSet::from([ShardId(0), ShardId(3)]));
            assert!(answer.response.partial);
        }
    }
}

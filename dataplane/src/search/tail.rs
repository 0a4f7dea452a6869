//! `GET /tail`: what matches a query as it becomes visible, as server-sent events (drawn in [`grepzilla_api::tail`]).
//!
//! A tail is a search that is asked again and again for what lies behind the positions that it has told. It is driven by
//! its reader: nothing is looked for before the events before were taken, so a tail holds one page at most, whatever its
//! reader does. One that leaves events for too long is let go with a last event that says so; with the id of the last
//! event it can go on where it was.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::response::Response;
use futures::stream;
use grepzilla_api::ingest::TokenPart;
use grepzilla_api::search::{Cursor, FailedShard, Order, Page, SearchLimits, SearchRequest, SearchResponse};
use grepzilla_api::tail::{End, LAST_EVENT_ID, TailParameters, decode_positions};
use grepzilla_model::ShardId;
use grepzilla_query::CompiledQuery;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use crate::search::request::Search;
use crate::search::root::{Answer, DAMAGED};
use crate::search::tail::events::Events;
use crate::search::{leaf, root};
use crate::server::answer::{Failure, with_body};
use crate::server::app::App;
use crate::server::trace::TraceId;

mod events;
#[cfg(test)]
mod tests;

/// Tails of one node at once.
pub(crate) const TAILS_MAX: usize = 256;
/// The pause between two looks when nothing came.
const PAUSE: Duration = Duration::from_millis(200);
/// After how long without a document a tail says that it is there.
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// How long events may lie before they are taken; tests do not have that long.
const TAKE_TIME_MAX: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });
/// Documents of one look.
const PAGE_SIZE: usize = 100;
/// How long one look may take.
const LOOK_TIME_MAX_MS: u64 = 5_000;

/// Answers one request.
pub(crate) async fn handle(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match open(app, trace, &headers, &uri).await {
        Ok(tail) => {
            let body = stream::unfold(tail, async |mut tail| {
                let events = tail.next().await?;
                Some((Ok::<Bytes, Infallible>(events.into_bytes()), tail))
            });
            let mut response = with_body(StatusCode::OK, "text/event-stream", Body::from_stream(body));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(failure) => failure.respond(trace),
    }
}

/// Checks a request, and finds the positions to go on from.
async fn open(app: Arc<App>, trace: TraceId, headers: &HeaderMap, uri: &Uri) -> Result<Tail, Failure> {
    let request = request(uri)?;
    let mut search = checked(&app, &request)?;
    let resumed = headers.get(LAST_EVENT_ID).map(positions).transpose()?;
    let permit = app.tails.clone().try_acquire_owned().map_err(|_| {
        let message = format!("this node has {TAILS_MAX} tails already");
        Failure::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tails", message).retry_after(5)
    })?;
    let query = leaf::compile(&search.query).await?;
    // Whoever goes on without a position for some shard begins there with what comes now.
    let begin = Search { size: 0, ..search.clone() };
    let now = root::run(&app, trace, begin, query.clone(), Instant::now()).await?.response;
    search.since = now.token.iter().map(|part| (part.shard, part.seq)).collect();
    search.since.extend(resumed.iter().flatten().map(|part| (part.shard, part.seq)));
    let mut tail = Tail {
        app,
        trace,
        request,
        search,
        query,
        told: resumed.unwrap_or_else(|| now.token.clone()),
        page: None,
        failed: now.failed_shards,
        beat_at: Instant::now() + BEAT_EVERY,
        given_at: None,
        ended: false,
        waiting: Events::default(),
        _permit: permit,
    };
    tail.beat();
    Ok(tail)
}

/// What is looked for: the parameters are those of a search.
pub(super) fn request(uri: &Uri) -> Result<SearchRequest, Failure> {
    let Query(parameters) = Query::<TailParameters>::try_from_uri(uri).map_err(|rejection| {
        let reason = std::error::Error::source(&rejection).map_or(rejection.to_string(), ToString::to_string);
        Failure::bad_request("bad_parameter", format!("query parameters: {reason}"))
    })?;
    let request = parameters.into_search();
    let request = request.map_err(|error| Failure::bad_request("bad_query", format!("query: {error}")))?;
    let page = Page { size: PAGE_SIZE, cursor: None };
    let limits = SearchLimits { deadline_ms: LOOK_TIME_MAX_MS, ..SearchLimits::default() };
    Ok(SearchRequest { order: Order::Oldest, page, limits, ..request })
}

/// The same, checked as a search is.
fn checked(app: &App, request: &SearchRequest) -> Result<Search, Failure> {
    let body = serde_json::to_vec(request).expect("a request has string keys only");
    Search::read(&body, &app.node.config.search)
}

fn positions(id: &HeaderValue) -> Result<Vec<TokenPart>, Failure> {
    let parts = id.to_str().ok().and_then(decode_positions);
    parts.ok_or_else(|| Failure::bad_request("bad_event_id", "Last-Event-ID must be the id of an event of a tail"))
}

/// What one reader follows.
struct Tail {
    app: Arc<App>,
    trace: TraceId,
    request: SearchRequest,
    /// The request, checked; `since` is what was told.
    search: Search,
    query: Arc<CompiledQuery>,
    /// `since`, with the epochs.
    told: Vec<TokenPart>,
    /// What a look that found more than a page goes on with.
    page: Option<NextPage>,
    failed: Vec<FailedShard>,
    beat_at: Instant,
    /// When the reader got the events before.
    given_at: Option<Instant>,
    ended: bool,
    waiting: Events,
    _permit: OwnedSemaphorePermit,
}

/// The rest of a look.
struct NextPage {
    cursor: Cursor,
    /// How far the look goes.
    upto: Vec<TokenPart>,
    /// The shards that failed on a page: what they left out is told later, and what they told, again.
    incomplete: BTreeSet<ShardId>,
}

impl Tail {
    /// The next events, as soon as there are some. `None`: the last ones were given.
    async fn next(&mut self) -> Option<Events> {
        if let Some(given_at) = self.given_at.take()
            && given_at.elapsed() > TAKE_TIME_MAX
        {
            let seconds = given_at.elapsed().as_secs();
            self.end("slow", format!("events were not taken for {seconds} s; ask again from the last id on"));
        }
        while self.waiting.is_empty() {
            if self.ended {
                return None;
            }
            if self.app.node.draining() {
                self.end("draining", "this node stops; another one goes on from the last id".to_owned());
                continue;
            }
            if !self.look().await {
                sleep(PAUSE).await;
            }
        }
        self.given_at = Some(Instant::now());
        Some(std::mem::take(&mut self.waiting))
    }

    /// Looks for what came. Answers whether there may be more at once.
    async fn look(&mut self) -> bool {
        let answer = match self.next_search() {
            Ok(search) => root::run(&self.app, self.trace, search, self.query.clone(), Instant::now()).await,
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(answer) => self.take(answer),
            Err(failure) => {
                self.end("failed", failure.message);
                true
            }
        }
    }

    /// Tells an answer, or that it cannot be told: a shard that was cut off has told some of its documents and not others,
    /// and nobody knows which, so the positions stay where they were.
    fn take(&mut self, answer: Answer) -> bool {
        let Answer { response, cut } = answer;
        if cut.is_empty() {
            return self.tell(response);
        }
        let shards: Vec<String> = cut.iter().map(ShardId::to_string).collect();
        let message = format!("what came could not be searched in time in shard {}", shards.join(", "));
        self.end("failed", format!("{message}; ask again from the last id on"));
        true
    }

    fn next_search(&self) -> Result<Search, Failure> {
        let Some(NextPage { cursor, .. }) = &self.page else { return Ok(self.search.clone()) };
        let page = Page { size: PAGE_SIZE, cursor: Some(cursor.clone()) };
        let next = checked(&self.app, &SearchRequest { page, ..self.request.clone() })?;
        Ok(Search { since: self.search.since.clone(), ..next })
    }

    fn tell(&mut self, answer: SearchResponse) -> bool {
        let SearchResponse { hits, cursor, token, failed_shards, .. } = answer;
        hits.iter().for_each(|hit| self.waiting.hit(hit));
        self.app.metrics.tail.told(hits.len());
        let (upto, mut incomplete) =
            self.page.take().map_or((token, BTreeSet::new()), |page| (page.upto, page.incomplete));
        // What a damaged part held is lost to tails; the rest of that shard was told, and is not told again.
        incomplete.extend(failed_shards.iter().filter(|failed| failed.code != DAMAGED).map(|failed| failed.shard));
        if let Some(cursor) = cursor {
            self.page = Some(NextPage { cursor, upto, incomplete });
            return true;
        }
        self.told_upto(upto, &incomplete);
        if !hits.is_empty() {
            self.waiting.id(&self.told);
            self.beat_at = Instant::now() + BEAT_EVERY;
        }
        if failed_shards != self.failed || Instant::now() >= self.beat_at {
            self.failed = failed_shards;
            self.beat();
        }
        false
    }

    /// Everything up to there has been told, but by shards that are incomplete.
    fn told_upto(&mut self, upto: Vec<TokenPart>, incomplete: &BTreeSet<ShardId>) {
        for part in upto.into_iter().filter(|part| !incomplete.contains(&part.shard)) {
            self.search.since.insert(part.shard, part.seq);
            self.told.retain(|told| told.shard != part.shard);
            self.told.push(part);
        }
        self.told.sort_by_key(|part| part.shard);
    }

    fn beat(&mut self) {
        self.beat_at = Instant::now() + BEAT_EVERY;
        self.waiting.beat(&self.failed);
        self.waiting.id(&self.told);
    }

    fn end(&mut self, code: &str, message: String) {
        self.ended = true;
        self.waiting.end(&End { code: code.to_owned(), message });
    }
}

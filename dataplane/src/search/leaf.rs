//! A leaf of a search: the shards of this node, each on a thread that may be busy, as many at once as the node allows.
//!
//! A shard that cannot look says why and leaves the others alone. Nothing here waits beyond the request's deadline.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use grepzilla_api::peer::{
    CURSOR_EXPIRED, LeafFound, LeafOutcome, LeafQuery, LeafSearchAnswer, LeafSearchRequest, LeafShard, LeafShardAnswer,
    LogPosition, NOT_LEADER, WRITE_LOST,
};
use grepzilla_model::{SeqNo, ShardId, TimeNs};
use grepzilla_query::{CompiledQuery, LeafAnswer, LeafRequest};
use grepzilla_storage::{Positions, ReadError, Shard, View};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;

use crate::logging::with_causes;
use crate::node::{Leader, LeaderShard};
use crate::search::convert;
use crate::search::merge::PAGE_BYTES_MAX;
use crate::server::answer::Failure;
use crate::server::app::App;
use crate::shards::table::lacks;

/// How often a shard is asked whether a position is visible yet.
const POSITION_PAUSE: Duration = Duration::from_millis(5);

/// Why a shard did not look: a word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NotSearched {
    code: &'static str,
    message: String,
}

/// Checks a query and prepares it. A regular expression may take long to compile, so it does not hold up other requests.
pub(crate) async fn compile(query: &LeafQuery) -> Result<Arc<CompiledQuery>, Failure> {
    let has_regex = convert::has_regex(&query.root);
    let query = convert::query(query)?;
    let compiled = if has_regex {
        tokio::task::spawn_blocking(|| grepzilla_query::compile(query)).await.map_err(|error| {
            tracing::error!(%error, "compiling a regular expression panicked");
            Failure::internal("the node hit a bug while it compiled this pattern; its log has this trace id")
        })?
    } else {
        grepzilla_query::compile(query)
    };
    compiled.map(Arc::new).map_err(|error| convert::refusal(&error))
}

/// Searches shards of this node, `parallelism` at once.
pub(crate) async fn search(app: &App, query: Arc<CompiledQuery>, request: LeafSearchRequest) -> LeafSearchAnswer {
    let deadline = Instant::now() + Duration::from_millis(request.deadline_ms);
    let request = Arc::new(request);
    let one = |leaf: LeafShard| {
        let (query, request) = (query.clone(), request.clone());
        async move {
            let shard = leaf.shard;
            let outcome = match search_shard(app, query, request, leaf, deadline).await {
                Ok(found) => LeafOutcome::Found(Box::new(found)),
                Err(NotSearched { code, message }) => LeafOutcome::Failed { code: code.to_owned(), message },
            };
            LeafShardAnswer { shard, outcome }
        }
    };
    let searches = futures::stream::iter(request.shards.iter().cloned().map(one));
    LeafSearchAnswer { shards: searches.buffer_unordered(request.parallelism.max(1)).collect().await }
}

async fn search_shard(
    app: &App,
    query: Arc<CompiledQuery>,
    request: Arc<LeafSearchRequest>,
    leaf: LeafShard,
    deadline: Instant,
) -> Result<LeafFound, NotSearched> {
    let (shard, primary) = open_shard(app, &leaf, request.require_primary)?;
    let issued = TimeNs(i64::try_from(request.issued_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000));
    let view = view_with(&shard, leaf.at_least, deadline).await?.at(issued);
    let is_gone = |upto| upto <= view.base() && view.base() > SeqNo(0);
    if leaf.upto.is_some_and(|upto| is_gone(upto) || view.is_past()) {
        let message =
            format!("retention has dropped documents that the cursor's position shows in shard {}", leaf.shard);
        return Err(NotSearched { code: CURSOR_EXPIRED, message });
    }
    let permits = turns(app, &request, deadline).await?;
    let (log, epoch, span) = (shard.log.clone(), shard.log.positions().epoch, Span::current());
    let work = move || {
        let _permits = &permits;
        let _entered = span.entered();
        let threads = permits.len();
        let asked = convert::leaf_request(&query, &request, &leaf, &view, threads, deadline);
        let (answer, damage) = search_what_is_left(&log, &view, &asked)?;
        let explain = request.explain.then(|| convert::explanation(leaf.shard, &query, &answer, threads));
        // All shards of one answer together weigh no more than a page.
        let bytes_max = PAGE_BYTES_MAX / request.shards.len().max(1);
        let found = convert::found(answer, bytes_max, leaf.upto.unwrap_or(view.upto()), epoch, primary);
        Ok(LeafFound { explain, damage, ..found })
    };
    let found = tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(shard = %shard.shard, %error, "a search panicked");
        NotSearched { code: "failed", message: "the node hit a bug while it searched this shard".to_owned() }
    })??;
    app.metrics.search.read(found.blocks_read, found.bytes_read);
    Ok(found)
}

/// The answer, and what is missing from it: segments that were damaged before, and those that turn out to be so now.
fn search_what_is_left(
    log: &Shard,
    view: &View,
    asked: &LeafRequest<'_>,
) -> Result<(LeafAnswer, Option<String>), NotSearched> {
    let mut left = Cow::Borrowed(view);
    loop {
        let error = match grepzilla_query::search(&left, asked) {
            Ok(answer) => return Ok((answer, lacks(asked.shard, left.damage()))),
            Err(error) => error,
        };
        log.distrust(&error);
        left = Cow::Owned(left.without(&error).ok_or_else(|| unreadable(asked.shard, &error))?);
        tracing::error!(shard = %asked.shard, error = with_causes(&error), "a search goes on without a segment");
    }
}

/// Permits for the threads that may search a shard: waits for one, and takes what else is free of its share of the
/// request's parallelism.
async fn turns(
    app: &App,
    request: &LeafSearchRequest,
    deadline: Instant,
) -> Result<Vec<OwnedSemaphorePermit>, NotSearched> {
    let permit = timeout_at(deadline, app.searchers.clone().acquire_owned()).await;
    let first =
        permit.map_err(|_| late("waited for its turn until the deadline"))?.expect("nobody closes the semaphore");
    let others = (request.parallelism / request.shards.len().max(1)).saturating_sub(1);
    let free = std::iter::repeat_with(|| app.searchers.clone().try_acquire_owned().ok());
    Ok(std::iter::once(first).chain(free.take(others).map_while(|permit| permit)).collect())
}

/// A shard that cannot say what its answer lacks does not answer.
fn unreadable(shard: ShardId, error: &ReadError) -> NotSearched {
    let message = with_causes(error);
    tracing::error!(%shard, error = message, "a search could not read a segment");
    NotSearched { code: "failed", message }
}

/// The shard's log, and whether this node leads it.
fn open_shard(app: &App, leaf: &LeafShard, require_primary: bool) -> Result<(Arc<LeaderShard>, bool), NotSearched> {
    match app.node.leader_of(leaf.shard) {
        Leader::Here(shard) => Ok((shard, true)),
        Leader::ReadOnlyHere { shard, .. } if !require_primary => Ok((shard, false)),
        Leader::ReadOnlyHere { reason, .. } => Err(NotSearched { code: "no_leader", message: reason }),
        Leader::At { node, .. } => {
            let message = format!("shard {} is led by node {node}", leaf.shard);
            Err(NotSearched { code: NOT_LEADER, message })
        }
        Leader::Nobody { reason } => Err(NotSearched { code: "not_ready", message: reason }),
    }
}

/// A view that has a position, as soon as there is one.
async fn view_with(shard: &LeaderShard, at_least: Option<LogPosition>, deadline: Instant) -> Result<View, NotSearched> {
    loop {
        let (positions, view) = (shard.log.positions(), shard.log.view());
        let Some(wanted) = at_least else { return Ok(view) };
        if is_lost(positions, wanted) {
            let message = format!(
                "shard {} has no position {} of epoch {}: its log ends at {} in epoch {}",
                shard.shard, wanted.seq, wanted.epoch, positions.appended, positions.epoch
            );
            return Err(NotSearched { code: WRITE_LOST, message });
        }
        if view.upto() >= wanted.seq && positions.epoch >= wanted.epoch {
            return Ok(view);
        }
        if Instant::now() + POSITION_PAUSE > deadline {
            return Err(late("did not show the position asked for in time"));
        }
        sleep(POSITION_PAUSE).await;
    }
}

/// Whether a log can never get a position: it is of an epoch that the log has reached, and beyond the log's end. A log of
/// an older epoch is behind, and may still hear of it.
fn is_lost(positions: Positions, wanted: LogPosition) -> bool {
    wanted.epoch <= positions.epoch && wanted.seq > positions.appended
}

fn late(what: &str) -> NotSearched {
    NotSearched { code: "deadline", message: format!("the shard {what}") }
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{Epoch, SeqNo};

    use super::*;

    #[test]
    fn a_position_is_lost_only_if_its_epoch_is_there_and_it_is_not() {
        let at = |epoch, seq| LogPosition { epoch: Epoch(epoch), seq: SeqNo(seq) };
        let positions = Positions { epoch: Epoch(3), appended: SeqNo(10), ..Positions::default() };
        for there in [at(3, 10), at(2, 10), at(1, 1), at(4, 10), at(4, 11)] {
            assert!(!is_lost(positions, there), "{there:?}");
        }
        for lost in [at(3, 11), at(2, 11)] {
            assert!(is_lost(positions, lost), "{lost:?}");
        }
    }
}

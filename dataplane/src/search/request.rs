//! A search as its client asks for it, checked: every bound is named when it is broken.

mod aggregations;
mod conditions;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grepzilla_api::config::SearchConfig;
use grepzilla_api::peer::{LeafQuery, LogPosition};
use grepzilla_api::search::{Order, Page, SearchRequest, TermsRequest, TimeRange};
use grepzilla_model::{IndexName, SeqNo, ShardId, TimeNs};
use http::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::search::cursor::{CursorError, PageEnd, QueryHash};
use crate::server::answer::Failure;

pub(super) use aggregations::{Interval, too_many_buckets};

/// Indexes that one search may name.
const INDEXES_MAX: usize = 1_000;

/// A checked search.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Search {
    pub(super) query: LeafQuery,
    /// All if absent; never empty.
    pub(super) shards: Option<BTreeSet<ShardId>>,
    pub(super) order: Order,
    pub(super) size: usize,
    pub(super) count: bool,
    pub(super) require_primary: bool,
    /// Positions that must be visible.
    pub(super) token: BTreeMap<ShardId, LogPosition>,
    /// Where the page before ended.
    pub(super) after: Option<PageEnd>,
    /// Only what was written after these positions.
    pub(super) since: BTreeMap<ShardId, SeqNo>,
    pub(super) query_hash: QueryHash,
    /// When the first page was asked for, in milliseconds since 1970.
    pub(super) issued_ms: u64,
    pub(super) parallelism: usize,
    pub(super) deadline: Duration,
    pub(super) candidates_max: u64,
    pub(super) histogram: Option<Interval>,
    pub(super) terms: Option<TermsRequest>,
    pub(super) explain: bool,
}

impl Search {
    /// Reads and checks a request's body.
    pub(super) fn read(body: &[u8], config: &SearchConfig) -> Result<Search, Failure> {
        let sent: SearchRequest = serde_json::from_slice(body).map_err(|error| of_json(&error))?;
        check_limits(&sent)?;
        let query = LeafQuery {
            root: conditions::root(&sent, config.pattern_bytes_max)?,
            indexes: indexes(sent.index)?,
            from_ns: time_bound(sent.time.as_ref(), "from", |time| time.from.as_deref())?,
            to_ns: time_bound(sent.time.as_ref(), "to", |time| time.to.as_deref())?,
        };
        check_time_range(&query)?;
        let histogram = sent.histogram.map(|asked| aggregations::interval(asked, &query)).transpose()?;
        let terms = sent.terms.map(aggregations::terms).transpose()?;
        let shards = sent.shards.map(|shards| shards.into_iter().collect::<BTreeSet<_>>());
        if shards.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(bad("bad_shards", "shards is empty: name some, or leave it out to search all"));
        }
        let query_hash = hash(&query, shards.as_ref(), sent.order);
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let ttl = Duration::from_secs(config.cursor_ttl_seconds);
        let after = sent.page.cursor.as_ref().map(|cursor| PageEnd::decode(cursor, &query_hash, now_ms, ttl));
        let after = after.transpose().map_err(of_cursor)?;
        Ok(Search {
            query,
            shards,
            order: sent.order,
            size: sent.page.size,
            count: sent.count,
            require_primary: sent.require_primary,
            token: token(sent.token.unwrap_or_default()),
            issued_ms: after.as_ref().map_or(now_ms, |page| page.issued_ms),
            after,
            since: BTreeMap::new(),
            query_hash,
            parallelism: sent.limits.parallelism,
            deadline: Duration::from_millis(sent.limits.deadline_ms),
            candidates_max: sent.limits.max_candidates,
            histogram,
            terms,
            explain: sent.explain,
        })
    }
}

fn bad(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::bad_request(code, message)
}

fn of_json(error: &serde_json::Error) -> Failure {
    let message = error.to_string();
    match error.is_data() {
        true if message.starts_with("unknown field") => bad("unknown_field", message),
        true => bad("bad_request", message),
        false => bad("malformed_json", format!("the body is not JSON: {message}")),
    }
}

fn of_cursor(error: CursorError) -> Failure {
    match error {
        CursorError::Damaged | CursorError::OtherQuery => bad("bad_cursor", error.to_string()),
        CursorError::Expired { .. } => Failure::new(StatusCode::GONE, "cursor_expired", error.to_string()),
    }
}

fn check_limits(sent: &SearchRequest) -> Result<(), Failure> {
    within("page.size", sent.page.size as u64, 0, Page::SIZE_MAX as u64)?;
    within("limits.parallelism", sent.limits.parallelism as u64, 1, 64)?;
    within("limits.deadline_ms", sent.limits.deadline_ms, 1, 60_000)?;
    within("limits.max_candidates", sent.limits.max_candidates, 1, u64::MAX)
}

fn within(field: &str, found: u64, min: u64, max: u64) -> Result<(), Failure> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    let message = format!("{field} is {found}, but must be from {min} to {max}");
    Err(bad("out_of_range", message).details(json!({ "field": field, "min": min, "max": max })))
}

fn indexes(sent: Option<Vec<String>>) -> Result<Option<Vec<String>>, Failure> {
    let Some(names) = sent else { return Ok(None) };
    within("the number of indexes", names.len() as u64, 1, INDEXES_MAX as u64)?;
    for name in &names {
        IndexName::new(name).map_err(|error| bad("bad_index", error.to_string()))?;
    }
    Ok(Some(names))
}

fn time_bound<'a>(
    range: Option<&'a TimeRange>,
    name: &str,
    bound: fn(&'a TimeRange) -> Option<&'a str>,
) -> Result<Option<i64>, Failure> {
    let Some(text) = range.and_then(bound) else { return Ok(None) };
    let time = TimeNs::from_rfc3339(text).ok_or_else(|| {
        let text: String = text.chars().take(80).collect();
        bad("bad_time", format!("time.{name} is {text:?}, but must be RFC 3339 between 1677 and 2262"))
    })?;
    Ok(Some(time.0))
}

fn check_time_range(query: &LeafQuery) -> Result<(), Failure> {
    match (query.from_ns, query.to_ns) {
        (Some(from), Some(to)) if from >= to => {
            Err(bad("bad_time", "time.from must be before time.to, which is exclusive"))
        }
        _ => Ok(()),
    }
}

/// The furthest position for each shard.
fn token(parts: Vec<grepzilla_api::ingest::TokenPart>) -> BTreeMap<ShardId, LogPosition> {
    let mut token: BTreeMap<ShardId, LogPosition> = BTreeMap::new();
    for part in parts {
        let position = LogPosition { epoch: part.epoch, seq: part.seq };
        let furthest = token.entry(part.shard).or_insert(position);
        if (position.seq, position.epoch) > (furthest.seq, furthest.epoch) {
            *furthest = position;
        }
    }
    token
}

fn hash(query: &LeafQuery, shards: Option<&BTreeSet<ShardId>>, order: Order) -> QueryHash {
    let text = serde_json::to_vec(&(query, shards, order)).expect("plain values have no failing serializer");
    *Sha256::digest(text).first_chunk().expect("a SHA-256 digest has 32 bytes")
}

#[cfg(test)]
mod tests {
    use grepzilla_api::search::Cursor;

    use super::*;

    fn read(body: &str) -> Result<Search, Failure> {
        Search::read(body.as_bytes(), &SearchConfig::default())
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let search = read("{\"contains\":\"x\"}").expect("enough");
        assert_eq!((search.size, search.count, search.order, search.parallelism), (10, false, Order::Newest, 2));
        assert_eq!(search.deadline, Duration::from_secs(10));
        assert!(search.shards.is_none() && search.after.is_none() && search.token.is_empty());
    }

    #[test]
    fn every_wrong_request_is_a_400_that_names_what_is_wrong() {
        for (body, code, named) in [
            ("{", "malformed_json", "JSON"),
            ("{\"contains\":\"x\",\"pgae\":{}}", "unknown_field", "`pgae`"),
            ("{\"contains\":\"x\",\"page\":{\"sise\":1}}", "unknown_field", "`sise`"),
            ("{\"contains\":1}", "bad_request", "integer"),
            ("{}", "bad_pattern", "exactly one of `contains`, `exact`, `wildcard`, `regex` and `query`"),
            ("{\"contains\":\"x\",\"regex\":\"x\"}", "bad_pattern", "exactly one"),
            ("{\"contains\":\"x\",\"query\":{\"exists\":\"x\"}}", "bad_pattern", "exactly one"),
            ("{\"query\":{}}", "bad_query", "a node of `query` must have exactly one of `all`"),
            ("{\"query\":{\"contains\":\"x\",\"exists\":\"y\"}}", "bad_query", "exactly one"),
            ("{\"query\":{\"exists\":\"y\",\"field\":\"z\"}}", "bad_query", "go with a pattern"),
            ("{\"query\":{\"exists\":\"\"}}", "bad_field", "from 1 to 2048"),
            ("{\"query\":{\"not\":{\"contians\":\"x\"}}}", "unknown_field", "`contians`"),
            ("{\"query\":{\"range\":{\"field\":\"n\",\"gt\":true}}}", "bad_request", "number or a string"),
            (
                "{\"contains\":\"x\",\"page\":{\"size\":1001}}",
                "out_of_range",
                "page.size is 1001, but must be from 0 to 1000",
            ),
            ("{\"contains\":\"x\",\"limits\":{\"deadline_ms\":0}}", "out_of_range", "from 1 to 60000"),
            ("{\"contains\":\"x\",\"limits\":{\"parallelism\":65}}", "out_of_range", "from 1 to 64"),
            ("{\"contains\":\"x\",\"limits\":{\"max_candidates\":0}}", "out_of_range", "max_candidates"),
            ("{\"contains\":\"x\",\"shards\":[]}", "bad_shards", "empty"),
            ("{\"contains\":\"x\",\"histogram\":{\"interval\":\"1 month\"}}", "bad_interval", "like `5m`"),
            ("{\"contains\":\"x\",\"histogram\":{\"interval\":\"m\"}}", "bad_interval", "like `5m`"),
            ("{\"contains\":\"x\",\"histogram\":{\"interval\":\"0s\"}}", "out_of_range", "from 1ms to 53w"),
            ("{\"contains\":\"x\",\"histogram\":{\"interval\":\"54w\"}}", "out_of_range", "from 1ms to 53w"),
            (
                "{\"contains\":\"x\",\"histogram\":{\"interval\":\"99999999999999999999w\"}}",
                "out_of_range",
                "from 1ms to 53w",
            ),
            (
                "{\"contains\":\"x\",\"histogram\":{\"interval\":\"1s\"},\"time\":{\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-01-01T02:46:41Z\"}}",
                "out_of_range",
                "10001 buckets, at most 10000",
            ),
            ("{\"contains\":\"x\",\"terms\":{\"field\":\"\"}}", "bad_field", "from 1 to 2048"),
            ("{\"contains\":\"x\",\"terms\":{\"field\":\"u\",\"size\":0}}", "out_of_range", "terms.size is 0"),
            ("{\"contains\":\"x\",\"terms\":{\"field\":\"u\",\"size\":1001}}", "out_of_range", "from 1 to 1000"),
            ("{\"contains\":\"x\",\"terms\":{\"feild\":\"u\"}}", "unknown_field", "`feild`"),
            ("{\"contains\":\"x\",\"index\":[]}", "out_of_range", "indexes"),
            ("{\"contains\":\"x\",\"index\":[\"-\"]}", "bad_index", "index"),
            ("{\"contains\":\"x\",\"field\":\"\"}", "bad_field", "field"),
            ("{\"contains\":\"x\",\"time\":{\"from\":\"yesterday\"}}", "bad_time", "time.from is \"yesterday\""),
            (
                "{\"contains\":\"x\",\"time\":{\"from\":\"2026-01-02T00:00:00Z\",\"to\":\"2026-01-02T00:00:00Z\"}}",
                "bad_time",
                "before",
            ),
            ("{\"contains\":\"x\",\"page\":{\"cursor\":\"00\"}}", "bad_cursor", "damaged"),
        ] {
            let failure = read(body).expect_err(body);
            assert_eq!(
                (failure.status, failure.code.as_ref()),
                (StatusCode::BAD_REQUEST, code),
                "{body}: {}",
                failure.message
            );
            assert!(failure.message.contains(named), "{body}: {}", failure.message);
        }
        let long = format!("{{\"contains\":\"{}\"}}", "x".repeat(4 << 10 | 1));
        assert_eq!(read(&long).expect_err("too long").code, "pattern_too_long");
    }

    #[test]
    fn pages_of_one_search_may_differ_in_size_only() {
        let hash = |body: &str| read(body).expect("a search").query_hash;
        let first = hash("{\"contains\":\"x\"}");
        assert_eq!(
            first,
            hash("{\"contains\":\"x\",\"page\":{\"size\":50},\"limits\":{\"deadline_ms\":7},\"count\":true}")
        );
        assert_eq!(first, hash("{\"query\":{\"contains\":\"x\"}}"), "the same question in another form");
        for other in [
            "{\"contains\":\"y\"}",
            "{\"wildcard\":\"x\"}",
            "{\"contains\":\"x\",\"order\":\"oldest\"}",
            "{\"contains\":\"x\",\"shards\":[0]}",
            "{\"contains\":\"x\",\"case_sensitive\":true}",
            "{\"query\":{\"not\":{\"contains\":\"x\"}}}",
            "{\"query\":{\"all\":[{\"contains\":\"x\"},{\"range\":{\"field\":\"n\",\"gte\":1}}]}}",
        ] {
            assert_ne!(first, hash(other), "{other}");
        }
    }

    #[test]
    fn a_cursor_is_followed_by_its_own_search_until_it_is_too_old() {
        let body = |cursor: &Cursor, pattern: &str| {
            format!("{{\"contains\":\"{pattern}\",\"page\":{{\"cursor\":\"{}\"}}}}", cursor.0)
        };
        let first = read("{\"contains\":\"x\"}").expect("a search");
        let last = grepzilla_api::peer::HitKey { time_ns: 1, shard: ShardId(0), seq: grepzilla_model::SeqNo(1) };
        let page =
            |issued_ms| PageEnd { query: first.query_hash, issued_ms, seen: 1, last, positions: BTreeMap::new() };
        let fresh = page(first.issued_ms).encode();
        assert_eq!(read(&body(&fresh, "x")).expect("the next page").issued_ms, first.issued_ms);
        assert_eq!(read(&body(&fresh, "y")).expect_err("another search").status, StatusCode::BAD_REQUEST);
        let old = page(first.issued_ms - 601_000).encode();
        assert_eq!(read(&body(&old, "x")).expect_err("too old").status, StatusCode::GONE);
    }

    #[test]
    fn a_token_that_names_a_shard_twice_means_the_furthest_position() {
        let body =
            "{\"contains\":\"x\",\"token\":[{\"shard\":1,\"epoch\":2,\"seq\":5},{\"shard\":1,\"epoch\":1,\"seq\":9}]}";
        let token = read(body).expect("a search").token;
        assert_eq!(token[&ShardId(1)].seq.0, 9);
    }
}

//! Between the wire and the query engine: conditions and filters in, hits and refusals out.

use std::time::Duration;

use grepzilla_api::peer::{
    HitKey, LeafFound, LeafHistogram, LeafHit, LeafNode, LeafPattern, LeafQuery, LeafSearchRequest, LeafShard,
    LeafTerms,
};
use grepzilla_api::search as wire;
use grepzilla_api::search::{ExplainedPattern, ShardExplanation};
use grepzilla_model::{Epoch, IndexName, SeqNo, ShardId, TimeNs};
use grepzilla_query::{
    self as engine, Aggregations, Bound, Bounds, CompiledQuery, LeafAnswer, LeafRequest, Node, Pattern, Query,
    QueryError, SortKey, TimeRange,
};
use grepzilla_storage::View;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::server::answer::Failure;

/// A query as the engine takes it.
pub(super) fn query(query: &LeafQuery) -> Result<Query, Failure> {
    let indexes = query.indexes.iter().flatten().map(|name| IndexName::new(name)).collect::<Result<_, _>>();
    Ok(Query {
        root: node(&query.root),
        indexes: indexes.map_err(|error| Failure::bad_request("bad_index", error.to_string()))?,
        time: TimeRange { from: query.from_ns.map(TimeNs), to: query.to_ns.map(TimeNs) },
    })
}

fn node(leaf: &LeafNode) -> Node {
    let all = |nodes: &[LeafNode]| nodes.iter().map(node).collect();
    match leaf {
        LeafNode::Match { pattern, field, case_sensitive } => {
            let pattern = match pattern {
                LeafPattern::Contains(text) => Pattern::Contains(text.clone()),
                LeafPattern::Exact(text) => Pattern::Exact(text.clone()),
                LeafPattern::Wildcard(text) => Pattern::Wildcard(text.clone()),
                LeafPattern::Regex(text) => Pattern::Regex(text.clone()),
            };
            Node::Match { pattern, field: field.clone(), case_sensitive: *case_sensitive }
        }
        LeafNode::All(nodes) => Node::All(all(nodes)),
        LeafNode::Any(nodes) => Node::Any(all(nodes)),
        LeafNode::Not(inner) => Node::Not(Box::new(node(inner))),
        LeafNode::Exists(field) => Node::Exists { field: field.clone() },
        LeafNode::Range(wire::RangeBounds { field, gt, gte, lt, lte }) => {
            let [gt, gte, lt, lte] = [gt, gte, lt, lte].map(|given| given.as_ref().map(bound));
            Node::Range { field: field.clone(), bounds: Bounds { gt, gte, lt, lte } }
        }
    }
}

fn bound(bound: &wire::RangeBound) -> Bound {
    match bound {
        wire::RangeBound::Number(number) => Bound::Number(number.clone()),
        wire::RangeBound::Text(text) => Bound::Text(text.clone()),
    }
}

/// Whether a query needs a regular expression to be compiled.
pub(super) fn has_regex(node: &LeafNode) -> bool {
    match node {
        LeafNode::Match { pattern, .. } => matches!(pattern, LeafPattern::Regex(_)),
        LeafNode::All(nodes) | LeafNode::Any(nodes) => nodes.iter().any(has_regex),
        LeafNode::Not(inner) => has_regex(inner),
        LeafNode::Exists(_) | LeafNode::Range(_) => false,
    }
}

/// What the client is told of a query that cannot be asked.
pub(super) fn refusal(error: &QueryError) -> Failure {
    let details = match error {
        QueryError::TooLong { max, .. } | QueryError::RegexTooBig { max } => json!({ "limit_bytes": max }),
        QueryError::RegexTooDeep { max } => json!({ "limit_depth": max }),
        QueryError::TooManyNodes { max } => json!({ "limit_nodes": max }),
        QueryError::TooDeep { max } => json!({ "limit_depth": max }),
        QueryError::RegexSyntax { offset, .. } | QueryError::RegexBytes { offset } => json!({ "offset": offset }),
        QueryError::Empty
        | QueryError::FoldsToNothing
        | QueryError::DanglingEscape
        | QueryError::NoNodes
        | QueryError::NoBounds
        | QueryError::MixedBounds
        | QueryError::DoubleBound { .. }
        | QueryError::BadNumber => json!(null),
    };
    Failure::bad_request(error.code(), error.to_string()).details(details)
}

/// What one shard is asked.
pub(super) fn leaf_request<'a>(
    query: &'a CompiledQuery,
    request: &'a LeafSearchRequest,
    leaf: &LeafShard,
    view: &View,
    threads: usize,
    deadline: Instant,
) -> LeafRequest<'a> {
    LeafRequest {
        query,
        shard: leaf.shard,
        order: order(request.order),
        size: request.size.min(wire::Page::SIZE_MAX),
        after: leaf.after.map(|key| sort_key(&key)),
        since: leaf.since.unwrap_or_default(),
        upto: leaf.upto.unwrap_or(view.upto()),
        count: request.count,
        aggregations: Aggregations { histogram: request.histogram_ns, terms: request.terms.as_deref() },
        threads,
        deadline: deadline.into_std(),
        candidates_max: request.candidates_max,
    }
}

/// An order as the engine knows it.
pub(super) fn order(order: wire::Order) -> engine::Order {
    match order {
        wire::Order::Newest => engine::Order::Newest,
        wire::Order::Oldest => engine::Order::Oldest,
    }
}

/// A hit's place as the engine knows it.
pub(super) fn sort_key(key: &HitKey) -> SortKey {
    SortKey { time: TimeNs(key.time_ns), shard: key.shard, seq: key.seq }
}

/// A shard's answer, cut where its documents weigh more than `bytes_max`; one document always passes.
pub(super) fn found(answer: LeafAnswer, bytes_max: usize, seq: SeqNo, epoch: Epoch, primary: bool) -> LeafFound {
    let LeafAnswer { hits, total, histogram, terms, mut more, deadline_hit, budget_hit, metrics, .. } = answer;
    let (mut kept, mut bytes) = (Vec::with_capacity(hits.len()), 0);
    for hit in hits {
        bytes += hit.source.len() + hit.preview.len();
        if bytes > bytes_max && !kept.is_empty() {
            more = true;
            break;
        }
        kept.push(outward(hit));
    }
    LeafFound {
        epoch,
        seq,
        primary,
        damage: None,
        hits: kept,
        total,
        histogram: histogram.as_ref().map(outward_histogram),
        terms: terms.map(outward_terms),
        explain: None,
        more,
        deadline_hit,
        budget_hit,
        candidates: metrics.candidates_total,
        blocks_total: metrics.blocks_total,
        blocks_read: metrics.blocks_read,
        bytes_read: metrics.bytes_read,
    }
}

fn outward_histogram(histogram: &engine::Histogram) -> LeafHistogram {
    let buckets = histogram.buckets().into_iter().map(|(start, count)| (start.0, count)).collect();
    LeafHistogram { buckets, is_cut: histogram.is_cut() }
}

fn outward_terms(terms: engine::Terms) -> LeafTerms {
    let engine::Terms { counts, unseen_max, omitted_max } = terms;
    LeafTerms { counts: counts.into_iter().map(|of| (of.term, of.count)).collect(), unseen_max, omitted_max }
}

/// How a shard went about a query.
pub(super) fn explanation(
    shard: ShardId,
    query: &CompiledQuery,
    answer: &LeafAnswer,
    threads: usize,
) -> ShardExplanation {
    let (metrics, micros) = (&answer.metrics, |time: Duration| time.as_micros() as u64);
    let required = query.required_by_patterns().into_iter().zip(&answer.grams);
    ShardExplanation {
        shard,
        patterns: required.map(|(required, grams)| ExplainedPattern { required, grams: *grams }).collect(),
        blocks_total: metrics.blocks_total,
        blocks_excluded: metrics.blocks_excluded,
        blocks_read: metrics.blocks_read,
        bytes_read: metrics.bytes_read,
        threads,
        plan_us: micros(metrics.plan),
        scan_us: micros(metrics.scan),
        assembly_us: micros(metrics.assembly),
    }
}

fn outward(hit: engine::LeafHit) -> LeafHit {
    let source = String::from_utf8(hit.source).expect("a stored document is UTF-8");
    LeafHit {
        key: HitKey { time_ns: hit.key.time.0, shard: hit.key.shard, seq: hit.key.seq },
        epoch: hit.epoch,
        id: hit.id.as_deref().map(str::to_owned),
        index: hit.index.as_str().to_owned(),
        matched_field: hit.matched_field,
        preview: hit.preview,
        highlights: hit.highlights,
        source: RawValue::from_string(source).expect("a stored document is JSON"),
    }
}

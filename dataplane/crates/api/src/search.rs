//! `POST /search`: request and answer.

mod aggregation;
mod explain;
mod tree;

use grepzilla_model::ShardId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ingest::TokenPart;

pub use aggregation::{Histogram, HistogramBucket, HistogramRequest, TermBucket, Terms, TermsRequest};
pub use explain::{ExplainedPattern, ShardExplanation};
pub use tree::{QueryNode, RangeBound, RangeBounds};

/// The request. Exactly one of `contains`, `exact`, `wildcard`, `regex` and `query` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// A literal anywhere in a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A whole value; numbers and booleans as their JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// `*` any run, `?` one character, `\` escapes; anywhere in a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wildcard: Option<String>,
    /// A regular expression in the syntax of Rust's `regex`; anywhere in a value unless anchored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// A tree of conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryNode>,
    /// A dotted path; every field if absent. With `query`: for the patterns in it that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Indexes; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Vec<String>>,
    /// Shards; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Vec<ShardId>>,
    /// Documents of this time only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeRange>,
    /// Which hits come first.
    #[serde(default)]
    pub order: Order,
    /// Whether the text is matched as written. With `query`: for the patterns in it that do not say.
    #[serde(default)]
    pub case_sensitive: bool,
    /// Whether only leaders may answer.
    #[serde(default)]
    pub require_primary: bool,
    /// Positions that must be visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Vec<TokenPart>>,
    /// Which hits.
    #[serde(default)]
    pub page: Page,
    /// Whether `total` is exact.
    #[serde(default)]
    pub count: bool,
    /// Counts of the documents that match, by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<HistogramRequest>,
    /// Counts of the documents that match, by the values of a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<TermsRequest>,
    /// Whether the answer says how it was found.
    #[serde(default)]
    pub explain: bool,
    /// Bounds on the work.
    #[serde(default)]
    pub limits: SearchLimits,
}

/// A half-open range of time; RFC 3339.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRange {
    /// Inclusive; from the beginning if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Exclusive; to the end if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Which hits come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// By time descending, then shard, then position descending.
    #[default]
    Newest,
    /// By time, then shard, then position, all ascending.
    Oldest,
}

/// Which hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// How many hits at most: 0 to 1,000.
    pub size: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

impl Default for Page {
    fn default() -> Page {
        Page { size: Page::SIZE_DEFAULT, cursor: None }
    }
}

impl Page {
    /// Hits of a page that asks for no number.
    pub const SIZE_DEFAULT: usize = 10;
    /// The largest page.
    pub const SIZE_MAX: usize = 1_000;
}

/// Where a page ended. Opaque to clients; nothing is stored for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// Bounds on the work of one search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchLimits {
    /// Shards searched at once on one node, and threads for one shard where fewer shards are asked: 1 to 64.
    pub parallelism: usize,
    /// Milliseconds until the answer is given with what there is: 1 to 60,000.
    pub deadline_ms: u64,
    /// Documents looked at, at most.
    pub max_candidates: u64,
}

impl Default for SearchLimits {
    fn default() -> SearchLimits {
        SearchLimits { parallelism: 2, deadline_ms: 10_000, max_candidates: u64::MAX }
    }
}

/// The answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchResponse {
    /// The page.
    pub hits: Vec<Hit>,
    /// Asks for the next page; absent after the last one.
    pub cursor: Option<Cursor>,
    /// How many documents match; `total_relation` says how exactly.
    pub total: u64,
    /// What `total` is.
    pub total_relation: TotalRelation,
    /// The documents by time, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// The most frequent values of a field, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// How it was found, shard by shard, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<Vec<ShardExplanation>>,
    /// Positions that this answer saw.
    pub token: Vec<TokenPart>,
    /// Whether anything is missing: a shard, or work cut off by a limit.
    pub partial: bool,
    /// The shards that did not answer, and why.
    pub failed_shards: Vec<FailedShard>,
    /// Whether some shard may have newer documents than this answer saw.
    pub stale_read: bool,
    /// What it took.
    pub metrics: SearchMetrics,
    /// The request's trace id.
    pub trace_id: String,
}

/// One document that matches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hit {
    /// The explicit `_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext_id: Option<String>,
    /// The position in its shard's log.
    pub doc_id: u64,
    /// Its shard.
    pub shard: ShardId,
    /// `_id`, or `<shard>.<epoch>.<seq>`.
    pub id: String,
    /// Its index.
    pub index: String,
    /// Its time, RFC 3339.
    pub time: String,
    /// The field that matched: the first one, in the order of the document, that a pattern matches which is not negated. Empty
    /// if there is none, as for `exists` and `range`.
    pub matched_field: String,
    /// The value that matched, or a part of it around the first match; empty with `matched_field`.
    pub preview: String,
    /// `[start, end)` byte offsets of the matches in `preview`.
    pub highlights: Vec<[usize; 2]>,
    /// The document.
    pub source: Box<RawValue>,
}

/// What a total is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TotalRelation {
    /// Exact.
    Eq,
    /// At least that many.
    Gte,
}

/// A shard that did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedShard {
    /// The shard.
    pub shard: ShardId,
    /// A fixed word: `no_leader`, `unreachable`, `deadline`, `not_ready`, `failed`, `damaged`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// What a search took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchMetrics {
    /// Documents looked at.
    pub candidates_total: u64,
    /// Milliseconds until the first hit was known.
    pub time_to_first_hit_ms: u64,
    /// Milliseconds until the answer was complete.
    pub total_ms: u64,
    /// Whether the deadline cut the work.
    pub deadline_hit: bool,
    /// Blocks of all shards that were asked.
    pub blocks_total: u64,
    /// Blocks that were read.
    pub blocks_read: u64,
    /// Bytes of columns that were scanned.
    pub bytes_read: u64,
}

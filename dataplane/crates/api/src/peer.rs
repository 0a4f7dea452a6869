//! What nodes say to each other on the peer port.
//!
//! Every request carries the handshake headers; a node answers 401 to another secret and 409 to another cluster. Bodies
//! are JSON but for a forwarded batch, whose body is the payload of a log frame, byte for byte.

use grepzilla_model::{ClusterUuid, Durability, Epoch, Incarnation, IndexName, NodeName, SeqNo, ShardId, TimeNs};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::search::{Order, RangeBounds, ShardExplanation};

/// `GET`: who a node is; answers [`Hello`].
pub const HELLO_PATH: &str = "/peer/v1/hello";
/// `POST`: a [`LeafSearchRequest`]; answers [`LeafSearchAnswer`].
pub const SEARCH_PATH: &str = "/peer/v1/search";
/// The code of the answer (421) of a node that was taken for a shard's leader and is not.
pub const NOT_LEADER: &str = "not_leader";
/// The code of a shard whose log does not have, and cannot get, a position that a token or a cursor names.
pub const WRITE_LOST: &str = "write_lost";
/// The code of a shard that cannot show any more what a cursor's position shows, and of the answer (410) to the cursor.
pub const CURSOR_EXPIRED: &str = "cursor_expired";

/// `POST`: the payload of a log frame, for the leader of `shard`; answers [`AppendAnswer`].
pub fn append_path(shard: &str) -> String {
    format!("/peer/v1/shards/{shard}/append")
}

/// `POST`: a [`LookUp`], for a node that holds `shard`; answers [`LookUpAnswer`].
pub fn look_up_path(shard: &str) -> String {
    format!("/peer/v1/shards/{shard}/look-up")
}

/// Header: the cluster secret, as `Bearer <64 hexadecimal digits>`.
pub const AUTHORIZATION: &str = "authorization";
/// Header: the cluster's UUID.
pub const CLUSTER: &str = "grepzilla-cluster";
/// Header: the name of the node that asks.
pub const NODE: &str = "grepzilla-node";
/// Header: the incarnation of the process that asks.
pub const INCARNATION: &str = "grepzilla-incarnation";

/// `GET /peer/v1/hello`: who a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its cluster.
    pub cluster: ClusterUuid,
    /// Its name.
    pub node: NodeName,
    /// The incarnation of its process.
    pub incarnation: Incarnation,
    /// Its version.
    pub version: String,
}

/// `POST /peer/v1/shards/{shard}/append`: the answer to a batch that was forwarded to its leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendAnswer {
    /// The leader's epoch.
    pub epoch: Epoch,
    /// The batch's first position.
    pub first_seq: SeqNo,
    /// The batch's last position.
    pub last_seq: SeqNo,
    /// What the acknowledgement rests on.
    pub durability: Durability,
    /// Whether this is the answer to an earlier batch with the same key and body.
    #[serde(default)]
    pub repeated: bool,
}

/// `POST /peer/v1/shards/{shard}/look-up`: one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum LookUp {
    /// The newest version of the document with an `_id`.
    Id {
        /// Its index.
        index: IndexName,
        /// Its `_id`.
        id: String,
    },
    /// The document at a position, if no newer version has superseded it.
    Place(LogPosition),
}

/// The answer to a [`LookUp`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LookUpAnswer {
    /// The document, if there is one.
    pub document: Option<LookedUp>,
}

/// A document that was looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LookedUp {
    /// Its index.
    pub index: IndexName,
    /// Its explicit `_id`.
    pub id: Option<String>,
    /// The epoch it was written in.
    pub epoch: Epoch,
    /// Its position.
    pub seq: SeqNo,
    /// Its time.
    pub time: TimeNs,
    /// The document.
    pub source: Box<RawValue>,
}

/// `POST /peer/v1/search`: a search of some of a node's shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafSearchRequest {
    /// The conditions and the filters.
    pub query: LeafQuery,
    /// The shards, each with where to go on.
    pub shards: Vec<LeafShard>,
    /// Which hits come first.
    pub order: Order,
    /// Hits of each shard, at most.
    pub size: usize,
    /// Whether totals are wanted.
    pub count: bool,
    /// Nanoseconds of a bucket, if counts by time are wanted.
    #[serde(default)]
    pub histogram_ns: Option<i64>,
    /// The path, if counts by value are wanted.
    #[serde(default)]
    pub terms: Option<String>,
    /// Whether an explanation is wanted.
    #[serde(default)]
    pub explain: bool,
    /// When the first page was asked for, in milliseconds since 1970: what retention hid then is hidden on all pages.
    #[serde(default)]
    pub issued_ms: u64,
    /// Milliseconds left.
    pub deadline_ms: u64,
    /// Documents looked at, at most, in each shard.
    pub candidates_max: u64,
    /// Shards searched at once, and threads for one shard where there are fewer shards.
    pub parallelism: usize,
    /// Whether a node that holds a shard's log without leading it must not answer.
    pub require_primary: bool,
}

/// The conditions and the filters of a search, checked by the root and compiled again by each leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafQuery {
    /// The conditions.
    pub root: LeafNode,
    /// Indexes; all if absent.
    pub indexes: Option<Vec<String>>,
    /// Nanoseconds since 1970, inclusive.
    pub from_ns: Option<i64>,
    /// Nanoseconds since 1970, exclusive.
    pub to_ns: Option<i64>,
}

/// A condition, or several of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum LeafNode {
    /// A pattern.
    Match {
        /// The pattern.
        pattern: LeafPattern,
        /// A dotted path; every field if absent.
        field: Option<String>,
        /// Whether the text is matched as written.
        case_sensitive: bool,
    },
    /// All of these hold.
    All(Vec<LeafNode>),
    /// One of these holds.
    Any(Vec<LeafNode>),
    /// This does not hold.
    Not(Box<LeafNode>),
    /// There is a value at this path.
    Exists(String),
    /// A value lies within bounds.
    Range(RangeBounds),
}

/// The pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeafPattern {
    /// A literal.
    Contains(String),
    /// A whole value.
    Exact(String),
    /// A wildcard pattern.
    Wildcard(String),
    /// A regular expression.
    Regex(String),
}

/// One shard of a leaf search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafShard {
    /// The shard.
    pub shard: ShardId,
    /// Only what was written after this position. Everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<SeqNo>,
    /// The position of the cursor: later records are not seen. Everything committed if absent.
    pub upto: Option<SeqNo>,
    /// A position that must be visible before the shard looks: of the request's token or of its cursor.
    pub at_least: Option<LogPosition>,
    /// The last hit of the page before.
    pub after: Option<HitKey>,
}

/// A position with the epoch in which it was given: without that, a lost record and its successor look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPosition {
    /// The epoch.
    pub epoch: Epoch,
    /// The position.
    pub seq: SeqNo,
}

/// A hit's place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HitKey {
    /// Nanoseconds since 1970.
    pub time_ns: i64,
    /// Its shard.
    pub shard: ShardId,
    /// Its position.
    pub seq: SeqNo,
}

/// The answer of one node, shard by shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeafSearchAnswer {
    /// As many as were asked for.
    pub shards: Vec<LeafShardAnswer>,
}

/// The answer of one shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeafShardAnswer {
    /// The shard.
    pub shard: ShardId,
    /// What it found, or why it could not look.
    pub outcome: LeafOutcome,
}

/// What a shard found, or why it could not look.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeafOutcome {
    /// It looked.
    Found(Box<LeafFound>),
    /// It could not: a fixed word as in [`crate::search::FailedShard`], and a sentence.
    Failed {
        /// The word.
        code: String,
        /// The sentence.
        message: String,
    },
}

/// What a shard found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeafFound {
    /// The leader's epoch.
    pub epoch: Epoch,
    /// The position that was seen.
    pub seq: SeqNo,
    /// Whether the node leads the shard; if not, there may be newer documents elsewhere.
    pub primary: bool,
    /// What the shard lacks because a segment of it is damaged: a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// In order; fewer than asked for where they weigh too much for one answer, and `more` says so.
    pub hits: Vec<LeafHit>,
    /// How many documents match, if a count was wanted; exact unless cut.
    pub total: Option<u64>,
    /// The documents by time, if wanted.
    #[serde(default)]
    pub histogram: Option<LeafHistogram>,
    /// The documents by value, if wanted.
    #[serde(default)]
    pub terms: Option<LeafTerms>,
    /// How it was found, if wanted.
    #[serde(default)]
    pub explain: Option<ShardExplanation>,
    /// Whether there are more hits after these.
    pub more: bool,
    /// Whether the deadline cut the work.
    pub deadline_hit: bool,
    /// Whether the budget of candidates cut the work.
    pub budget_hit: bool,
    /// Documents looked at.
    pub candidates: u64,
    /// Blocks there are.
    pub blocks_total: u64,
    /// Blocks that were read.
    pub blocks_read: u64,
    /// Bytes of columns that were scanned.
    pub bytes_read: u64,
}

impl LeafFound {
    /// The answer of a leader that has seen everything up to a position, and found nothing.
    pub fn nothing(epoch: Epoch, seq: SeqNo) -> LeafFound {
        LeafFound {
            epoch,
            seq,
            primary: true,
            damage: None,
            hits: Vec::new(),
            total: None,
            histogram: None,
            terms: None,
            explain: None,
            more: false,
            deadline_hit: false,
            budget_hit: false,
            candidates: 0,
            blocks_total: 0,
            blocks_read: 0,
            bytes_read: 0,
        }
    }
}

/// Documents of one shard by time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafHistogram {
    /// Where each bucket begins, in nanoseconds since 1970, and how many documents it has.
    pub buckets: Vec<(i64, u64)>,
    /// Whether there are more buckets than are told.
    pub is_cut: bool,
}

/// Documents of one shard by value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafTerms {
    /// The values and how many documents have them, the most frequent first, ties by text.
    pub counts: Vec<(String, u64)>,
    /// How many more documents than is said a value may have.
    pub unseen_max: u64,
    /// How many documents, besides those, a value may have that is not there.
    pub omitted_max: u64,
}

/// One document that matches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeafHit {
    /// Its place in the order.
    pub key: HitKey,
    /// The epoch it was written in.
    pub epoch: Epoch,
    /// The explicit `_id`.
    pub id: Option<String>,
    /// Its index.
    pub index: String,
    /// The field that matched.
    pub matched_field: String,
    /// The value that matched, or a part of it.
    pub preview: String,
    /// `[start, end)` byte offsets in `preview`.
    pub highlights: Vec<[usize; 2]>,
    /// The document.
    pub source: Box<RawValue>,
}

//! `histogram` and `terms` of a search: what they ask and what they answer.
//!
//! Both count all documents that match, whatever the page shows. Where the answer is partial, they are what was seen.

use serde::{Deserialize, Serialize};

use super::TotalRelation;

/// `histogram`: how many documents there are in each span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistogramRequest {
    /// The length of a span: a number and one of `ms`, `s`, `m`, `h`, `d` and `w`, from `1ms` to `53w`. Spans begin at
    /// multiples of their length since 1970, UTC. At most 10,000 spans.
    pub interval: String,
}

/// `terms`: the values of a field that most documents have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsRequest {
    /// A dotted path.
    pub field: String,
    /// How many values: 1 to 1,000.
    #[serde(default = "TermsRequest::size_default")]
    pub size: usize,
}

impl TermsRequest {
    /// Values where no number is asked for.
    pub const SIZE_DEFAULT: usize = 10;
    /// The most values.
    pub const SIZE_MAX: usize = 1_000;

    fn size_default() -> usize {
        TermsRequest::SIZE_DEFAULT
    }
}

/// Documents by time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// As asked for.
    pub interval: String,
    /// The spans that have documents, ascending; empty ones are left out.
    pub buckets: Vec<HistogramBucket>,
}

/// One span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistogramBucket {
    /// Where it begins, RFC 3339.
    pub from: String,
    /// How many documents are in it.
    pub count: u64,
}

/// Documents by value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// As asked for.
    pub field: String,
    /// The values that most documents have, ties by text. A document counts once for each different value that it has.
    pub buckets: Vec<TermBucket>,
    /// `eq`: counts and choice are exact. `gte`: each count may be too low, by at most `error_max`, and a value that is not
    /// there may have as many as that.
    pub relation: TotalRelation,
    /// How many documents a count may lack. A shard tells at most 50,000 values, and tells up to 64 MiB of them apart.
    pub error_max: u64,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermBucket {
    /// The value as it was written; numbers and booleans as their JSON text.
    pub value: String,
    /// How many documents have it.
    pub count: u64,
}

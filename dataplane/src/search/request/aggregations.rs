//! What a search counts: by time, and by value.

use grepzilla_api::peer::LeafQuery;
use grepzilla_api::search::{HistogramRequest, TermsRequest};
use grepzilla_query::BUCKETS_MAX;
use serde_json::json;

use super::{bad, conditions, within};
use crate::server::answer::Failure;

const MILLISECOND_NS: i64 = 1_000_000;
const WEEK_NS: i64 = 7 * 24 * 3_600_000 * MILLISECOND_NS;
/// The longest bucket: a year and some days.
const INTERVAL_MAX_NS: i64 = 53 * WEEK_NS;

/// The length of a bucket, as it was asked for and in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) text: String,
    pub(crate) ns: i64,
}

/// Reads the length of a bucket. With a time range it is known how many buckets there may be.
pub(super) fn interval(asked: HistogramRequest, query: &LeafQuery) -> Result<Interval, Failure> {
    let text = asked.interval;
    let ns = nanoseconds(&text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        bad("bad_interval", format!("histogram.interval is {shown:?}, but must be like `5m`: ms, s, m, h, d or w"))
    })?;
    if !(MILLISECOND_NS..=INTERVAL_MAX_NS).contains(&ns) {
        let message = "histogram.interval must be from 1ms to 53w";
        return Err(bad("out_of_range", message).details(json!({ "field": "histogram.interval" })));
    }
    if let (Some(from), Some(to)) = (query.from_ns, query.to_ns) {
        let buckets = i128::from((to - 1).div_euclid(ns)) - i128::from(from.div_euclid(ns)) + 1;
        if buckets > BUCKETS_MAX as i128 {
            return Err(too_many_buckets(&format!("the time range has {buckets} buckets")));
        }
    }
    Ok(Interval { text, ns })
}

/// The refusal of a histogram that is too fine.
pub(crate) fn too_many_buckets(what: &str) -> Failure {
    let message = format!("{what}, at most {BUCKETS_MAX} are answered; a longer histogram.interval gives fewer");
    bad("out_of_range", message).details(json!({ "field": "histogram.interval", "max": BUCKETS_MAX }))
}

/// A number and a unit; what is too long for nanoseconds is as long as these reach.
fn nanoseconds(text: &str) -> Option<i64> {
    let unit_at = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ns = match unit {
        "ms" => MILLISECOND_NS,
        "s" => 1_000 * MILLISECOND_NS,
        "m" => 60_000 * MILLISECOND_NS,
        "h" => 3_600_000 * MILLISECOND_NS,
        "d" => WEEK_NS / 7,
        "w" => WEEK_NS,
        _ => return None,
    };
    if number.is_empty() {
        return None;
    }
    Some(number.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(unit_ns))
}

/// Checks which values are asked for.
pub(super) fn terms(asked: TermsRequest) -> Result<TermsRequest, Failure> {
    within("terms.size", asked.size as u64, 1, TermsRequest::SIZE_MAX as u64)?;
    Ok(TermsRequest { field: conditions::path(&asked.field)?, ..asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_number_and_a_unit() {
        let cases = [("1ms", 1_000_000), ("90s", 90_000_000_000), ("1d", 86_400_000_000_000), ("2w", 2 * WEEK_NS)];
        for (text, ns) in cases {
            assert_eq!(nanoseconds(text), Some(ns), "{text}");
        }
        for text in ["", "5", "m", "1.5h", "-1s", "1M", "1 s"] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }
}

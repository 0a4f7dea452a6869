//! From the counts of shards to those of the answer.

use std::collections::HashMap;

use grepzilla_api::peer::LeafFound;
use grepzilla_api::search::{Histogram, HistogramBucket, TermBucket, Terms, TermsRequest, TotalRelation};
use grepzilla_model::TimeNs;
use grepzilla_query as engine;

use crate::search::request::{Interval, too_many_buckets};
use crate::server::answer::Failure;

/// The documents of all shards by time; a refusal if they lie in too many buckets.
pub(super) fn histogram(interval: &Interval, found: &[LeafFound]) -> Result<Histogram, Failure> {
    let mut sum = engine::Histogram::new(interval.ns);
    let parts = || found.iter().filter_map(|found| found.histogram.as_ref());
    for (start, count) in parts().flat_map(|part| &part.buckets) {
        sum.add_bucket(TimeNs(*start), *count);
    }
    if sum.is_cut() || parts().any(|part| part.is_cut) {
        return Err(too_many_buckets(&format!("the documents lie in more buckets of {}", interval.text)));
    }
    let bucket = |(from, count): (TimeNs, u64)| HistogramBucket { from: from.to_string(), count };
    Ok(Histogram { interval: interval.text.clone(), buckets: sum.buckets().into_iter().map(bucket).collect() })
}

/// The values that most documents of all shards have. `is_bound`: some shards, or some of their documents, are missing.
pub(super) fn terms(asked: &TermsRequest, found: &[LeafFound], is_bound: bool) -> Terms {
    let parts: Vec<_> = found.iter().filter_map(|found| found.terms.as_ref()).collect();
    let mut sums: HashMap<&str, u64> = HashMap::new();
    for (value, count) in parts.iter().flat_map(|part| &part.counts) {
        *sums.entry(value).or_insert(0) += count;
    }
    let mut sums: Vec<(&str, u64)> = sums.into_iter().collect();
    sums.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    sums.truncate(asked.size);
    // What one shard by itself leaves out comes behind all that it tells.
    let omitted_max = if parts.len() > 1 { parts.iter().map(|part| part.omitted_max).sum() } else { 0 };
    let error_max = parts.iter().map(|part| part.unseen_max).sum::<u64>() + omitted_max;
    let relation = if error_max > 0 || is_bound { TotalRelation::Gte } else { TotalRelation::Eq };
    let bucket = |(value, count): (&str, u64)| TermBucket { value: value.to_owned(), count };
    Terms { field: asked.field.clone(), buckets: sums.into_iter().map(bucket).collect(), relation, error_max }
}

#[cfg(test)]
mod tests {
    use grepzilla_api::peer::{LeafHistogram, LeafTerms};
    use grepzilla_model::{Epoch, SeqNo};

    use super::*;

    fn found(histogram: LeafHistogram, terms: LeafTerms) -> LeafFound {
        LeafFound { histogram: Some(histogram), terms: Some(terms), ..LeafFound::nothing(Epoch(1), SeqNo(1)) }
    }

    fn of_terms(counts: &[(&str, u64)], unseen_max: u64, omitted_max: u64) -> LeafFound {
        let counts = counts.iter().map(|(value, count)| (value.to_string(), *count)).collect();
        found(LeafHistogram::default(), LeafTerms { counts, unseen_max, omitted_max })
    }

    #[test]
    fn values_of_several_shards_are_summed_and_ties_stand_by_text() {
        let asked = TermsRequest { field: "u".to_owned(), size: 3 };
        let shards = [of_terms(&[("b", 5), ("a", 2)], 0, 0), of_terms(&[("c", 5), ("a", 3), ("d", 1)], 0, 0)];
        let terms = terms(&asked, &shards, false);
        let found: Vec<(&str, u64)> =
            terms.buckets.iter().map(|bucket| (bucket.value.as_str(), bucket.count)).collect();
        assert_eq!(
            (found, terms.relation, terms.error_max),
            (vec![("a", 5), ("b", 5), ("c", 5)], TotalRelation::Eq, 0)
        );
    }

    #[test]
    fn what_a_shard_left_out_bounds_the_error() {
        let asked = TermsRequest { field: "u".to_owned(), size: 2 };
        let relation = |shards: &[LeafFound], is_bound| {
            let terms = terms(&asked, shards, is_bound);
            (terms.relation, terms.error_max)
        };
        let (whole, cut) = (of_terms(&[("a", 9)], 0, 0), of_terms(&[("a", 9), ("b", 4)], 0, 3));
        assert_eq!(relation(std::slice::from_ref(&cut), false), (TotalRelation::Eq, 0));
        assert_eq!(relation(&[cut, whole.clone()], false), (TotalRelation::Gte, 3));
        assert_eq!(relation(&[of_terms(&[("a", 9)], 2, 0)], false), (TotalRelation::Gte, 2));
        assert_eq!(relation(&[whole], true), (TotalRelation::Gte, 0));
    }

    #[test]
    fn buckets_of_several_shards_are_summed_up_to_a_limit() {
        let interval = Interval { text: "10ms".to_owned(), ns: 10_000_000 };
        let of = |buckets: Vec<(i64, u64)>, is_cut| found(LeafHistogram { buckets, is_cut }, LeafTerms::default());
        let both = [of(vec![(-10_000_000, 1), (0, 2)], false), of(vec![(0, 3)], false)];
        let buckets = histogram(&interval, &both).expect("few buckets").buckets;
        let buckets: Vec<(&str, u64)> = buckets.iter().map(|bucket| (bucket.from.as_str(), bucket.count)).collect();
        assert_eq!(buckets, [("1969-12-31T23:59:59.99Z", 1), ("1970-01-01T00:00:00Z", 5)]);
        assert_eq!(histogram(&interval, &[of(vec![(0, 1)], true)]).expect_err("cut").code, "out_of_range");
        let many = |from: i64| of((from..from + 6_000).map(|bucket| (bucket * interval.ns, 1)).collect(), false);
        assert_eq!(histogram(&interval, &[many(0), many(6_000)]).expect_err("too many").code, "out_of_range");
        assert!(histogram(&interval, &[many(0), many(3_000)]).is_ok());
    }
}

//! Documents by time.

use std::collections::HashMap;

use grepzilla_model::TimeNs;

/// The most buckets of a histogram.
pub const BUCKETS_MAX: usize = 10_000;

/// How many documents there are in each span of time. Spans begin at multiples of their length since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    interval: i64,
    /// By the number of the bucket; empty ones are not there.
    counts: HashMap<i64, u64>,
    is_cut: bool,
}

impl Histogram {
    /// An empty one, with buckets of this many nanoseconds.
    pub fn new(interval: i64) -> Histogram {
        Histogram { interval: interval.max(1), counts: HashMap::new(), is_cut: false }
    }

    /// Counts a document.
    pub(super) fn add(&mut self, time: TimeNs) {
        self.add_to(time.0.div_euclid(self.interval), 1);
    }

    /// Adds the documents of a bucket that begins at `start`.
    pub fn add_bucket(&mut self, start: TimeNs, count: u64) {
        // The first of all may begin before any time there can be; then its first time is sent, which is in it too.
        self.add_to(start.0.div_euclid(self.interval), count);
    }

    fn add_to(&mut self, bucket: i64, count: u64) {
        let has_room = self.counts.len() < BUCKETS_MAX;
        match self.counts.get_mut(&bucket) {
            Some(counted) => *counted += count,
            None if has_room => {
                self.counts.insert(bucket, count);
            }
            None => self.is_cut = true,
        }
    }

    pub(super) fn merge(&mut self, other: Histogram) {
        self.is_cut |= other.is_cut;
        other.counts.into_iter().for_each(|(bucket, count)| self.add_to(bucket, count));
    }

    /// Whether there are more than [`BUCKETS_MAX`] buckets with documents, so that some are missing.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The beginnings of the buckets that have documents, ascending, and how many they have.
    pub fn buckets(&self) -> Vec<(TimeNs, u64)> {
        let start = |bucket: i64| TimeNs(bucket.saturating_mul(self.interval));
        let mut buckets: Vec<(TimeNs, u64)> =
            self.counts.iter().map(|(bucket, count)| (start(*bucket), *count)).collect();
        buckets.sort_unstable();
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_at_multiples_of_their_length_before_1970_too() {
        let mut histogram = Histogram::new(10);
        [0, 9, 10, -1, -10, -11, 25].into_iter().for_each(|time| histogram.add(TimeNs(time)));
        let buckets: Vec<(i64, u64)> = histogram.buckets().into_iter().map(|(start, count)| (start.0, count)).collect();
        assert_eq!(buckets, [(-20, 1), (-10, 2), (0, 2), (10, 1), (20, 1)]);
    }

    #[test]
    fn what_was_sent_is_added_to_the_bucket_that_it_came_from() {
        for interval in [1, 7, 1_000_000_007, i64::MAX] {
            let mut histogram = Histogram::new(interval);
            for time in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
                histogram.add(TimeNs(time));
            }
            let mut sent = Histogram::new(interval);
            histogram.buckets().into_iter().for_each(|(start, count)| sent.add_bucket(start, count));
            assert_eq!(sent, histogram, "{interval}");
        }
    }

    #[test]
    fn too_many_buckets_are_reported() {
        let mut histogram = Histogram::new(1);
        (0..BUCKETS_MAX as i64).for_each(|time| histogram.add(TimeNs(time)));
        assert!(!histogram.is_cut());
        histogram.add(TimeNs(-1));
        assert!(histogram.is_cut() && histogram.buckets().len() == BUCKETS_MAX);
    }
}

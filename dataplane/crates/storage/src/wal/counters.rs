//! What a log has done and what it holds: plain numbers, for metrics.

use std::time::Duration;

/// Counts since the log was opened, and two sizes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LogCounters {
    /// How long syncs took.
    pub fsync: FsyncStats,
    /// Groups: batches that shared one write.
    pub groups: u64,
    /// Batches written.
    pub batches: u64,
    /// Records written, starts of epochs included.
    pub records: u64,
    /// Frames written, the log's own housekeeping included.
    pub frames: u64,
    /// Bytes of those frames.
    pub bytes_written: u64,
    /// Files in which bytes behind the last good frame were cut when the log was opened: left by an interrupted write,
    /// or damaged where nothing was.
    pub torn_tails: u64,
    /// Bytes of frames in the log now.
    pub bytes: u64,
    /// Files of the log now, without the one prepared ahead.
    pub files: u64,
}

/// A histogram of sync times.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FsyncStats {
    /// How many syncs took at most the bound of the same place in [`FsyncStats::BOUNDS`] and more than the one before;
    /// the last one is for those beyond all bounds.
    pub buckets: [u64; FsyncStats::BOUNDS.len() + 1],
    /// All syncs.
    pub count: u64,
    /// The sum of their times, in seconds.
    pub seconds: f64,
}

impl FsyncStats {
    /// The upper bounds of the buckets, in seconds.
    pub const BOUNDS: [f64; 12] =
        [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

    /// Counts one sync.
    pub fn observe(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.buckets[Self::BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.count += 1;
        self.seconds += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_counted_in_the_bucket_of_the_least_bound_that_is_not_less() {
        let mut stats = FsyncStats::default();
        for micros in [100, 101, 1_000_000, 1_000_001] {
            stats.observe(Duration::from_micros(micros));
        }
        assert_eq!((stats.buckets[0], stats.buckets[1], stats.buckets[11], stats.buckets[12]), (1, 1, 1, 1));
        assert_eq!(stats.count, 4);
        assert!((stats.seconds - 2.000_202).abs() < 1e-9);
    }
}

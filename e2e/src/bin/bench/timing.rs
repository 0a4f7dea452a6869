//! How long the same question took, asked again and again.

use std::time::Duration;

use serde_json::{Value, json};

/// Times, ascending; at least one.
#[derive(Debug, Clone)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// `None` without any.
    pub(crate) fn of(mut times: Vec<Duration>) -> Option<Times> {
        times.sort_unstable();
        (!times.is_empty()).then_some(Times(times))
    }

    /// The middle one.
    pub(crate) fn p50(&self) -> Duration {
        self.at(0.5)
    }

    /// The one that 99 % do not exceed; of few times the longest.
    pub(crate) fn p99(&self) -> Duration {
        self.at(0.99)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn json(&self) -> Value {
        json!({"p50_ms": milliseconds(self.p50()), "p99_ms": milliseconds(self.p99()), "runs": self.len()})
    }

    /// Nearest rank.
    fn at(&self, share: f64) -> Duration {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = |count: u64| Times::of((1..=count).rev().map(Duration::from_millis).collect());
        let figures = |count| times(count).map(|times| (times.p50().as_millis(), times.p99().as_millis()));
        assert_eq!([1, 5, 100, 200].map(figures), [(1, 1), (3, 5), (50, 99), (100, 198)].map(Some));
        assert_eq!(figures(0), None);
    }
}

//! How much may come in a second: token buckets for bytes and for requests.
//!
//! A bucket holds one second's worth. A request is let in while there is something in the bucket, and takes what it costs,
//! even if it leaves a debt; so no request is too large for a limit, and over time the limit holds exactly.

use std::time::Duration;

use grepzilla_api::config::RateConfig;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::admission::refusal::{RateScope, Refusal};

/// The limits of one node or one index.
#[derive(Debug)]
pub(crate) struct RateLimit {
    bytes_per_second: Option<f64>,
    requests_per_second: Option<f64>,
    levels: Mutex<Levels>,
}

/// What the buckets hold; less than nothing is debt.
#[derive(Debug)]
struct Levels {
    bytes: f64,
    requests: f64,
    at: Instant,
}

impl RateLimit {
    /// Full buckets.
    pub(crate) fn new(config: &RateConfig, now: Instant) -> RateLimit {
        let bytes_per_second = config.bytes_per_second.map(|bytes| bytes as f64);
        let requests_per_second = config.requests_per_second.map(|requests| requests as f64);
        let levels = Levels {
            bytes: bytes_per_second.unwrap_or_default(),
            requests: requests_per_second.unwrap_or_default(),
            at: now,
        };
        RateLimit { bytes_per_second, requests_per_second, levels: Mutex::new(levels) }
    }

    /// Takes one request of so many bytes, or says how long it takes until there is something in every bucket again.
    fn take(&self, bytes: usize, now: Instant) -> Result<(), Duration> {
        if self.is_off() {
            return Ok(());
        }
        let mut levels = self.levels.lock();
        self.refill(&mut levels, now);
        let wait = |level: f64, rate: Option<f64>| rate.map_or(0.0, |rate| ((1.0 - level) / rate).max(0.0));
        let seconds = wait(levels.bytes, self.bytes_per_second).max(wait(levels.requests, self.requests_per_second));
        if seconds > 0.0 {
            return Err(Duration::from_secs_f64(seconds));
        }
        levels.bytes -= bytes as f64;
        levels.requests -= 1.0;
        Ok(())
    }

    /// Takes so many more bytes and requests, whatever there is; gives back where they are negative.
    fn charge(&self, bytes: f64, requests: f64) {
        if !self.is_off() {
            let mut levels = self.levels.lock();
            levels.bytes -= bytes;
            levels.requests -= requests;
        }
    }

    fn is_off(&self) -> bool {
        self.bytes_per_second.is_none() && self.requests_per_second.is_none()
    }

    fn refill(&self, levels: &mut Levels, now: Instant) {
        let seconds = now.saturating_duration_since(levels.at).as_secs_f64();
        levels.at = levels.at.max(now);
        let filled = |level: f64, rate: Option<f64>| rate.map_or(0.0, |rate| (level + seconds * rate).min(rate));
        levels.bytes = filled(levels.bytes, self.bytes_per_second);
        levels.requests = filled(levels.requests, self.requests_per_second);
    }
}

/// What a request that was let in has taken. It is given back when the ticket is dropped without having been settled: of a
/// request whose body did not come.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    limits: [&'a RateLimit; 2],
    bytes: usize,
    is_settled: bool,
}

impl<'a> Ticket<'a> {
    /// Takes from each of the limits or from none.
    pub(super) fn take(
        limits: [(RateScope, &'a RateLimit); 2],
        bytes: usize,
        now: Instant,
    ) -> Result<Ticket<'a>, Refusal> {
        let [(first_scope, first), (second_scope, second)] = limits;
        first.take(bytes, now).map_err(|retry_after| Refusal::Rate { scope: first_scope, retry_after })?;
        second.take(bytes, now).map_err(|retry_after| {
            first.charge(-(bytes as f64), -1.0);
            Refusal::Rate { scope: second_scope, retry_after }
        })?;
        Ok(Ticket { limits: [first, second], bytes, is_settled: false })
    }

    /// The body is there and has so many bytes.
    pub(crate) fn settle(mut self, bytes: usize) {
        for limit in self.limits {
            limit.charge(bytes as f64 - self.bytes as f64, 0.0);
        }
        self.is_settled = true;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            for limit in self.limits {
                limit.charge(-(self.bytes as f64), -1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(bytes: Option<u64>, requests: Option<u64>, now: Instant) -> RateLimit {
        RateLimit::new(&RateConfig { bytes_per_second: bytes, requests_per_second: requests }, now)
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn requests_come_at_their_rate_and_one_seconds_worth_at_once() {
        let start = Instant::now();
        let limit = limit(None, Some(10), start);
        let taken = (0..25).filter(|_| limit.take(1 << 30, start).is_ok()).count();
        assert_eq!(taken, 10);
        let wait = limit.take(0, start).expect_err("empty");
        assert!((99..=101).contains(&wait.as_millis()), "{wait:?}");
        assert!(limit.take(0, start + wait).is_ok(), "after the time that was said there is room");
        let taken = (0..10_000).filter(|ms| limit.take(0, after(start, 200 + ms)).is_ok()).count();
        assert!((99..=101).contains(&taken), "{taken} in ten seconds");
        assert_eq!((0..25).filter(|_| limit.take(0, after(start, 60_000)).is_ok()).count(), 10, "a pause is bounded");
    }

    #[test]
    fn a_request_larger_than_the_bucket_is_taken_and_waited_for() {
        let start = Instant::now();
        let limit = limit(Some(1_000), None, start);
        assert!(limit.take(5_000, start).is_ok());
        let wait = limit.take(1, start).expect_err("in debt");
        assert!((4_000..=4_002).contains(&wait.as_millis()), "{wait:?}");
        assert!(limit.take(1, after(start, 3_900)).is_err());
        assert!(limit.take(1, after(start, 4_002)).is_ok());
    }

    #[test]
    fn what_came_is_what_is_taken_and_what_did_not_come_is_given_back() {
        let start = Instant::now();
        let (node, index) = (limit(Some(1_000), None, start), limit(None, Some(2), start));
        let take = |bytes| Ticket::take([(RateScope::Node, &node), (RateScope::Index, &index)], bytes, start);
        for _ in 0..20 {
            drop(take(900).expect("given back each time"));
        }
        take(900).expect("let in").settle(300);
        take(0).expect("700 are left").settle(700);
        assert!(matches!(take(0), Err(Refusal::Rate { scope: RateScope::Node, .. })));
        node.charge(-1_000.0, 0.0);
        assert!(matches!(take(900), Err(Refusal::Rate { scope: RateScope::Index, .. })));
        let bytes = node.levels.lock().bytes;
        assert!((bytes - 1_000.0).abs() < 1.0, "what one limit refuses the other has not paid for: {bytes}");
    }

    #[test]
    fn without_a_limit_everything_comes_in() {
        let start = Instant::now();
        let limit = limit(None, None, start);
        assert!((0..1_000).all(|_| limit.take(1 << 40, start).is_ok()));
    }
}

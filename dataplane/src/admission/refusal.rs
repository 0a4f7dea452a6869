//! Why a request is not let in, and what its sender is told.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::server::answer::Failure;

/// A request that is not let in. Nothing of it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// More came than may come in a second.
    #[error("more comes than this {} may take in a second; there is room again in {} ms", scope.word(), milliseconds(*retry_after))]
    Rate { scope: RateScope, retry_after: Duration },
    /// The requests that are under way hold all the room there is.
    #[error("requests under way hold {bytes} bytes, {bytes_max} at most")]
    InFlight { bytes: u64, bytes_max: u64, backlog_ms: u64 },
    /// The hot tier is beyond a mark.
    #[error("the hot tier takes {bytes} bytes of memory, the mark is {bytes_max}")]
    HotTier { mark: Mark, bytes: u64, bytes_max: u64, backlog_ms: u64 },
    /// The disk has less room than a mark asks for.
    #[error("the disk has {free_bytes} bytes left, the mark is {free_bytes_min}")]
    Disk { mark: Mark, free_bytes: u64, free_bytes_min: u64 },
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateScope {
    /// The node's.
    Node,
    /// The index's.
    Index,
}

/// Which of two marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Clients are sent away.
    Soft,
    /// Nothing is written.
    Hard,
}

impl Refusal {
    /// The words that metrics use, one for each kind.
    pub(crate) const REASONS: [&str; 7] =
        ["rate_node", "rate_index", "in_flight", "hot_soft", "hot_hard", "disk_soft", "disk_hard"];
    /// When to look again whether a person has made room.
    const DISK_RETRY_SECONDS: u32 = 10;
    /// Nobody is sent away for longer.
    const RETRY_SECONDS_MAX: u64 = 60;

    /// One of [`Refusal::REASONS`].
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Refusal::Rate { scope: RateScope::Node, .. } => "rate_node",
            Refusal::Rate { scope: RateScope::Index, .. } => "rate_index",
            Refusal::InFlight { .. } => "in_flight",
            Refusal::HotTier { mark: Mark::Soft, .. } => "hot_soft",
            Refusal::HotTier { mark: Mark::Hard, .. } => "hot_hard",
            Refusal::Disk { mark: Mark::Soft, .. } => "disk_soft",
            Refusal::Disk { mark: Mark::Hard, .. } => "disk_hard",
        }
    }

    /// What the sender is told.
    pub(crate) fn into_failure(self) -> Failure {
        let message = self.to_string();
        match self {
            Refusal::Rate { scope, retry_after } => {
                let retry_after_ms = milliseconds(retry_after);
                let seconds = u32::try_from(retry_after_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
                let details = json!({ "scope": scope.word(), "retry_after_ms": retry_after_ms });
                let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
                failure.details(details).retry_after(seconds)
            }
            Refusal::InFlight { bytes, bytes_max, backlog_ms } => {
                let details = json!({ "in_flight_bytes": bytes, "limit_bytes": bytes_max, "backlog_ms": backlog_ms });
                Failure::unavailable("overloaded", message).details(details).retry_after(seconds_of(backlog_ms))
            }
            Refusal::HotTier { mark, bytes, bytes_max, backlog_ms } => {
                let (status, code) = match mark {
                    Mark::Soft => (StatusCode::TOO_MANY_REQUESTS, "hot_tier_filling"),
                    Mark::Hard => (StatusCode::SERVICE_UNAVAILABLE, "hot_tier_full"),
                };
                let details = json!({ "hot_bytes": bytes, "limit_bytes": bytes_max, "backlog_ms": backlog_ms });
                Failure::new(status, code, message).details(details).retry_after(seconds_of(backlog_ms))
            }
            Refusal::Disk { mark, free_bytes, free_bytes_min } => {
                let (status, code) = match mark {
                    Mark::Soft => (StatusCode::TOO_MANY_REQUESTS, "disk_filling"),
                    Mark::Hard => (StatusCode::INSUFFICIENT_STORAGE, "no_space"),
                };
                let details = json!({ "free_bytes": free_bytes, "free_bytes_min": free_bytes_min });
                Failure::new(status, code, message).details(details).retry_after(Refusal::DISK_RETRY_SECONDS)
            }
        }
    }
}

impl RateScope {
    fn word(self) -> &'static str {
        match self {
            RateScope::Node => "node",
            RateScope::Index => "index",
        }
    }
}

fn milliseconds(span: Duration) -> u64 {
    (span.as_secs_f64() * 1e3).ceil() as u64
}

fn seconds_of(backlog_ms: u64) -> u32 {
    u32::try_from(backlog_ms.div_ceil(1_000).clamp(1, Refusal::RETRY_SECONDS_MAX)).expect("at most a minute")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_status_its_word_and_a_time_to_come_again() {
        let (bytes, bytes_max, backlog_ms) = (11, 10, 2_500);
        let rate = |scope, ms| Refusal::Rate { scope, retry_after: Duration::from_millis(ms) };
        let hot = |mark| Refusal::HotTier { mark, bytes, bytes_max, backlog_ms };
        let disk = |mark| Refusal::Disk { mark, free_bytes: 9, free_bytes_min: 10 };
        let cases = [
            (rate(RateScope::Node, 1), 429, "rate_limited", 1),
            (rate(RateScope::Index, 4_001), 429, "rate_limited", 5),
            (Refusal::InFlight { bytes, bytes_max, backlog_ms }, 503, "overloaded", 3),
            (hot(Mark::Soft), 429, "hot_tier_filling", 3),
            (hot(Mark::Hard), 503, "hot_tier_full", 3),
            (disk(Mark::Soft), 429, "disk_filling", 10),
            (disk(Mark::Hard), 507, "no_space", 10),
        ];
        assert_eq!(cases.map(|(refusal, ..)| refusal.reason()), Refusal::REASONS);
        for (refusal, status, code, seconds) in cases {
            let told = refusal.into_failure();
            let found = (told.status.as_u16(), told.code.as_ref(), told.retry_after_seconds);
            assert_eq!(found, (status, code, Some(seconds)));
            let has_backlog = matches!(refusal, Refusal::InFlight { .. } | Refusal::HotTier { .. });
            assert_eq!(told.details["backlog_ms"].is_u64(), has_backlog, "{code}");
        }
    }
}

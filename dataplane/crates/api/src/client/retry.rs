//! When a request is tried again: after pauses that double, that a node may lengthen, and that differ between clients.

use std::time::Duration;

use crate::client::ClientError;

/// How often and how patiently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first one included: 1 or more.
    pub attempts_max: u32,
    /// The pause after the first attempt; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause, also where a node asks for a longer one.
    pub pause_max: Duration,
}

impl Default for Retry {
    /// Goes on for about ten seconds, which outlasts a change of leader and the restart of a node.
    fn default() -> Retry {
        Retry { attempts_max: 8, first_pause: Duration::from_millis(100), pause_max: Duration::from_secs(5) }
    }
}

impl Retry {
    /// Every request is sent once.
    pub fn never() -> Retry {
        Retry { attempts_max: 1, ..Retry::default() }
    }

    /// Makes attempts until one succeeds, fails in a way that is not `retryable`, or was the last.
    pub(crate) async fn run<T>(
        &self,
        retryable: impl Fn(&ClientError) -> bool,
        mut attempt: impl AsyncFnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut made = 0;
        loop {
            let outcome = attempt().await;
            made += 1;
            match outcome {
                Err(error) if made < self.attempts_max && retryable(&error) => {
                    tokio::time::sleep(self.pause(made, error.retry_after(), rand::random_range(0.5..1.0))).await;
                }
                _ => return outcome,
            }
        }
    }

    /// The pause after so many attempts. `share`, below 1, takes a part of it away, so that many clients that failed
    /// together do not come back together; what a node asked for is never shortened.
    fn pause(&self, made: u32, asked_for: Option<Duration>, share: f64) -> Duration {
        let doubled = self.first_pause.saturating_mul(1u32.checked_shl(made - 1).unwrap_or(u32::MAX));
        doubled.min(self.pause_max).mul_f64(share).max(asked_for.unwrap_or_default()).min(self.pause_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_heed_the_node_up_to_the_same_bound() {
        let retry =
            Retry { attempts_max: 9, first_pause: Duration::from_millis(100), pause_max: Duration::from_secs(2) };
        let pauses = [1, 2, 3, 40].map(|made| retry.pause(made, None, 1.0).as_millis());
        assert_eq!(pauses, [100, 200, 400, 2_000]);
        assert_eq!(retry.pause(1, None, 0.5).as_millis(), 50);
        assert_eq!(retry.pause(1, Some(Duration::from_secs(1)), 0.5).as_secs(), 1);
        assert_eq!(retry.pause(1, Some(Duration::from_secs(3_600)), 1.0).as_secs(), 2);
    }
}

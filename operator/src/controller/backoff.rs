//! How long an object that fails waits: longer each time, each object for itself.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use rand::RngExt;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// Failures in a row, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: Mutex<HashMap<(String, String), u32>>,
}

impl Backoff {
    /// Counts a failure and answers how long to wait: doubled each time, and spread by half so that many do not come
    /// back at once.
    pub(super) fn next(&self, key: (String, String)) -> Duration {
        let mut failures = self.failures.lock().expect("no holder panics");
        let count = failures.entry(key).or_default();
        let pause = FIRST.saturating_mul(1 << (*count).min(16)).min(LONGEST);
        *count += 1;
        pause.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// A success: the next failure is a first one.
    pub(super) fn forget(&self, key: &(String, String)) {
        self.failures.lock().expect("no holder panics").remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_waits_longer_by_itself_and_starts_anew_after_success() {
        let key = |name: &str| ("ns".to_owned(), name.to_owned());
        let backoff = Backoff::default();
        for round in 0..20 {
            let full = FIRST.saturating_mul(1 << round.min(16)).min(LONGEST);
            let pause = backoff.next(key("a"));
            assert!(pause <= full && pause >= full / 2, "round {round}: {pause:?}");
        }
        assert!(backoff.next(key("b")) <= FIRST);
        backoff.forget(&key("a"));
        assert!(backoff.next(key("a")) <= FIRST);
    }
}

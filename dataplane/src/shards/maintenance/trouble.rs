//! Work that fails: tried again after pauses that grow, and spoken of now and then.

use std::time::Duration;

use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often trouble that stays the same is spoken of.
const SILENCE: Duration = Duration::from_secs(60);

/// What keeps a piece of work from being done.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    failures: u32,
    said: Option<(&'static str, Instant)>,
}

impl Trouble {
    /// The work failed, in a way that has this name. Says whether to speak of it.
    pub(super) fn met(&mut self, name: &'static str) -> bool {
        self.failures = self.failures.saturating_add(1);
        let is_known = |(said, when): (&str, Instant)| said == name && when.elapsed() < SILENCE;
        let speak = !self.said.is_some_and(is_known);
        if speak {
            self.said = Some((name, Instant::now()));
        }
        speak
    }

    /// The work was done. Says whether there had been trouble.
    pub(super) fn over(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }

    /// How long to wait before the next try; `usual` if there is no trouble.
    pub(super) fn pause(&self, usual: Duration) -> Duration {
        match self.failures {
            0 => usual,
            failures => FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(10)).min(PAUSE_MAX).max(usual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_trouble_is_spoken_of_once_a_minute_and_pauses_grow_to_a_bound() {
        let mut trouble = Trouble::default();
        let usual = Duration::from_millis(100);
        assert_eq!((trouble.pause(usual), trouble.over()), (usual, false));
        assert!(trouble.met("away"));
        assert_eq!(trouble.pause(usual), FIRST_PAUSE);
        assert!(!trouble.met("away"));
        assert!(trouble.met("refused"), "other trouble is news");
        (0..40).for_each(|_| assert!(!trouble.met("refused")));
        assert_eq!(trouble.pause(usual), PAUSE_MAX);
        tokio::time::advance(SILENCE).await;
        assert!(trouble.met("refused"));
        assert!(trouble.over());
        assert_eq!((trouble.pause(usual), trouble.over()), (usual, false));
    }
}

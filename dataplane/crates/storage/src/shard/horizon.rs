//! How far back a cursor may look: positions that were committed long enough ago.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use grepzilla_model::SeqNo;

/// How many moments are remembered. With one a second that is more than the time of a cursor.
const SAMPLES_MAX: usize = 1_024;

/// What was committed when. It begins with the process: after a restart nothing is old before its time has passed.
#[derive(Debug)]
pub(super) struct Horizon {
    age: Duration,
    samples: VecDeque<(Instant, SeqNo)>,
    old: SeqNo,
}

impl Horizon {
    pub(super) fn new(age: Duration) -> Horizon {
        Horizon { age, samples: VecDeque::new(), old: SeqNo(0) }
    }

    /// Says that everything up to `committed` is committed now. Answers up to where it has been for the whole age.
    pub(super) fn observe(&mut self, now: Instant, committed: SeqNo) -> SeqNo {
        // Samples closer than that add nothing, and the oldest must not be pushed out.
        let spacing = self.age / (SAMPLES_MAX as u32 / 2);
        if self.samples.back().is_none_or(|(last, _)| now.duration_since(*last) >= spacing) {
            self.samples.push_back((now, committed));
        }
        while let Some((at, seq)) = self.samples.front().copied()
            && now.duration_since(at) >= self.age
        {
            self.samples.pop_front();
            self.old = seq;
        }
        self.old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_old_when_its_time_has_passed_however_often_one_looks() {
        let age = Duration::from_secs(600);
        let mut horizon = Horizon::new(age);
        let start = Instant::now();
        for millis in 0..599_999u64 {
            if millis % 7 == 0 {
                let old = horizon.observe(start + Duration::from_millis(millis), SeqNo(millis));
                assert_eq!(old, SeqNo(0));
            }
        }
        assert!(horizon.samples.len() <= SAMPLES_MAX);
        let old = horizon.observe(start + Duration::from_secs(900), SeqNo(900_000));
        assert!((298_000..=300_000).contains(&old.0), "{old}");
        let mut at_once = Horizon::new(Duration::ZERO);
        assert_eq!(at_once.observe(start, SeqNo(7)), SeqNo(7));
    }
}

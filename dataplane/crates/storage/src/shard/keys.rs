//! The Idempotency-Keys of the last day: a batch that comes twice has one effect.
//!
//! The window is bounded by age and by number; the oldest go first. It is a function of the log: time is the time at
//! which the leader received a batch, so a replica that reads the same log remembers the same keys.

use std::collections::VecDeque;
use std::time::Duration;

use foldhash::fast::FixedState;
use grepzilla_model::{Batch, Epoch, KeyHash, SeqNo, TimeNs};
use hashbrown::HashMap;

use crate::segment::KeyEntry;

/// What is remembered of a batch that was logged; `None`: it came without a key.
pub(super) fn entry_of(batch: &Batch, epoch: Epoch, first: SeqNo) -> Option<KeyEntry> {
    let count = u32::try_from(batch.records.len()).expect("fewer than 2^32 records");
    let Batch { key, body, received, .. } = *batch;
    (key != KeyHash::default()).then_some(KeyEntry { key, body, epoch, first, count, received })
}

/// What the window knows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It did not come before, or so long ago that it is forgotten, or it has no key.
    New,
    /// It is the same batch.
    Repeat(KeyEntry),
    /// Another batch had the key.
    Reused,
}

/// The window.
#[derive(Debug)]
pub(super) struct KeyWindow {
    age_max: Duration,
    keys_max: usize,
    /// In order of position.
    order: VecDeque<KeyHash>,
    entries: HashMap<KeyHash, KeyEntry, FixedState>,
}

impl KeyWindow {
    pub(super) fn new(age_max: Duration, keys_max: usize) -> KeyWindow {
        KeyWindow { age_max, keys_max, order: VecDeque::new(), entries: HashMap::default() }
    }

    /// How many keys it remembers.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a batch came before.
    pub(super) fn look_up(&self, batch: &Batch) -> Known {
        match self.entries.get(&batch.key) {
            Some(entry) if self.is_too_old(entry, batch.received) => Known::New,
            Some(entry) if entry.body == batch.body => Known::Repeat(*entry),
            Some(_) => Known::Reused,
            None => Known::New,
        }
    }

    /// Remembers a batch; in order of position.
    pub(super) fn remember(&mut self, entry: KeyEntry) {
        if let Some(replaced) = self.entries.insert(entry.key, entry) {
            // It was too old for `look_up` and stands near the front.
            let place = self.order.iter().position(|key| *key == replaced.key);
            self.order.remove(place.expect("each remembered key has its place"));
        }
        self.order.push_back(entry.key);
        while let Some(oldest) = self.order.front().map(|key| self.entries[key]) {
            if self.entries.len() <= self.keys_max && !self.is_too_old(&oldest, entry.received) {
                break;
            }
            self.order.pop_front();
            self.entries.remove(&oldest.key);
        }
    }

    /// What it remembers of batches behind a position, oldest first.
    pub(super) fn after(&self, seq: SeqNo) -> Vec<KeyEntry> {
        let newest_first = self.order.iter().rev().map(|key| self.entries[key]);
        let mut found: Vec<KeyEntry> = newest_first.take_while(|entry| entry.first > seq).collect();
        found.reverse();
        found
    }

    fn is_too_old(&self, entry: &KeyEntry, now: TimeNs) -> bool {
        i128::from(now.0) - i128::from(entry.received.0) > self.age_max.as_nanos().cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use grepzilla_model::BodyHash;

    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    fn entry(key: u8, first: u64, hour: i64) -> KeyEntry {
        let (key, body) = (KeyHash([key; 16]), BodyHash([1; 16]));
        KeyEntry { key, body, epoch: Epoch(1), first: SeqNo(first), count: 1, received: TimeNs(hour * HOUR_NS) }
    }

    fn batch(key: u8, body: u8, hour: i64) -> Batch {
        let (key, body) = (KeyHash([key; 16]), BodyHash([body; 16]));
        Batch { key, body, received: TimeNs(hour * HOUR_NS), records: vec![] }
    }

    fn window(keys_max: usize) -> KeyWindow {
        KeyWindow::new(Duration::from_secs(24 * 3600), keys_max)
    }

    #[test]
    fn a_key_is_known_for_a_day_and_its_body_tells_a_repeat_from_another_batch() {
        let mut window = window(10);
        window.remember(entry(7, 1, 0));
        assert_eq!(window.look_up(&batch(7, 1, 24)), Known::Repeat(entry(7, 1, 0)));
        assert_eq!(window.look_up(&batch(7, 2, 24)), Known::Reused);
        assert_eq!(window.look_up(&batch(8, 1, 24)), Known::New);
        assert_eq!(window.look_up(&batch(7, 2, 25)), Known::New, "forgotten");
        // Taken as new, it is remembered in its new place.
        window.remember(entry(7, 2, 25));
        assert_eq!((window.len(), window.look_up(&batch(7, 1, 26))), (1, Known::Repeat(entry(7, 2, 25))));
    }

    #[test]
    fn the_oldest_keys_go_when_there_are_too_many_or_a_day_has_passed() {
        let mut window = window(3);
        for key in 1..=5 {
            window.remember(entry(key, u64::from(key), 0));
        }
        let known = [1, 2, 3, 4, 5].map(|key| window.look_up(&batch(key, 1, 0)) != Known::New);
        assert_eq!(known, [false, false, true, true, true]);
        assert_eq!(window.after(SeqNo(3)), [entry(4, 4, 0), entry(5, 5, 0)]);
        window.remember(entry(9, 9, 25));
        assert_eq!(window.len(), 1);
    }
}

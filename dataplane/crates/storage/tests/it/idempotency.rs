//! A batch that comes twice with one Idempotency-Key has one effect, however it comes.

use std::time::Duration;

use grepzilla_model::{Batch, BodyHash, KeyHash, TimeNs};
use grepzilla_storage::disk::twin::Machine;
use grepzilla_storage::{AppendError, Appended, ShardOptions};

use crate::fixtures::*;

fn keyed(key: u8, body: u8, numbers: impl IntoIterator<Item = u64>) -> Batch {
    Batch { key: KeyHash([key; 16]), body: BodyHash([body; 16]), ..batch(numbers, 10) }
}

fn repeat_of(first: Appended) -> Appended {
    Appended { repeated: true, ..first }
}

#[test]
fn a_repeat_gets_the_first_answer_and_writes_nothing_and_another_body_is_refused() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    let first = append(&shard, keyed(1, 1, [1, 2])).expect("taken");
    assert!(!first.repeated);
    let before = shard.positions();
    assert_eq!(append(&shard, keyed(1, 1, [1, 2])), Ok(repeat_of(first)));
    assert_eq!(append(&shard, keyed(1, 2, [3])), Err(AppendError::KeyReused));
    assert!(!AppendError::KeyReused.retryable());
    assert_eq!((shard.positions(), shard.stats().keys, shard.stats().queue_bytes), (before, 1, 0));
    // Another key is another batch, and no key is no promise.
    assert!(!append(&shard, keyed(2, 1, [4])).expect("taken").repeated);
    for _ in 0..2 {
        assert!(!append(&shard, keyed(0, 1, [5])).expect("taken").repeated);
    }
    assert_eq!(documents(&shard.view()).len(), 5);
}

#[test]
fn repeats_that_wait_together_with_the_first_are_answered_with_it() {
    let shard = open_and_lead(Machine::new(1).boot(), options());
    // Held in an answer, the log thread takes everything that comes meanwhile as one group.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let wait = Box::new(move |_| {
        let _released_or_dropped = released.recv();
    });
    shard.append(batch([100], 1), wait).expect("taken");
    let answers: Vec<_> = [(1, 1), (1, 1), (1, 2), (1, 1)]
        .map(|(key, body)| queue(&shard, keyed(key, body, [1])).expect("queued"))
        .into_iter()
        .collect();
    drop(release);
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.recv().expect("answered")).collect();
    let first = answers[0].clone().expect("taken");
    let expected = [Ok(first), Ok(repeat_of(first)), Err(AppendError::KeyReused), Ok(repeat_of(first))];
    assert_eq!(answers, expected);
    assert_eq!(documents(&shard.view()).len(), 2);
}

#[test]
fn a_repeat_is_known_after_every_kind_of_end_and_in_the_next_epoch() {
    let machine = Machine::new(1);
    let mut shard = open_and_lead(machine.boot(), options());
    let first = append(&shard, keyed(1, 1, [1, 2])).expect("taken");
    for round in 0..3 {
        match round {
            0 => shard.close().expect("closed"),
            1 => machine.power_loss(),
            _ => {}
        }
        drop(shard);
        shard = open_and_lead(machine.boot(), options());
        assert_eq!(append(&shard, keyed(1, 1, [1, 2])), Ok(repeat_of(first)), "round {round}");
        assert_eq!(append(&shard, keyed(1, 3, [1])), Err(AppendError::KeyReused), "round {round}");
    }
    assert_eq!(documents(&shard.view()).len(), 2);
}

#[test]
fn a_key_is_forgotten_after_its_time_and_when_there_are_too_many() {
    let machine = Machine::new(1);
    let bounded = ShardOptions { key_age_max: Duration::from_nanos(100), keys_max: 3, ..options() };
    let shard = open_and_lead(machine.boot(), bounded.clone());
    let at = |time, key| Batch { received: TimeNs(time), ..keyed(key, 1, [time.unsigned_abs()]) };
    assert!(!append(&shard, at(1000, 1)).expect("taken").repeated);
    assert!(append(&shard, at(1100, 1)).expect("taken").repeated, "the last moment");
    assert!(!append(&shard, at(1101, 1)).expect("taken").repeated, "its time is over");
    for key in 2..=4 {
        assert!(!append(&shard, at(1102, key)).expect("taken").repeated);
    }
    assert!(!append(&shard, at(1103, 1)).expect("taken").repeated, "three others came after it");
    // The same after a restart: the window is a function of the log.
    drop(shard);
    let shard = open_and_lead(machine.boot(), bounded);
    assert_eq!(shard.stats().keys, 3);
    assert!(append(&shard, at(1104, 4)).expect("taken").repeated);
    assert!(!append(&shard, at(1105, 2)).expect("taken").repeated);
}

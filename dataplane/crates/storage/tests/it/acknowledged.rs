//! What an acknowledgement means.

use grepzilla_model::{Durability, Epoch, SeqNo};
use grepzilla_storage::disk::twin::Machine;

use crate::fixtures::*;

#[test]
fn an_acknowledged_batch_is_visible_and_still_there_after_every_kind_of_end() {
    let machine = Machine::new(1);
    let shard = open_and_lead(machine.boot(), options());
    let appended = append(&shard, batch([1, 2], 10)).expect("taken");
    assert_eq!((appended.epoch, appended.first_seq, appended.last_seq), (Epoch(1), SeqNo(2), SeqNo(3)));
    assert_eq!(appended.durability, Durability::Fsync);
    let before = documents(&shard.view());
    assert_eq!(before.values().collect::<Vec<_>>(), [&source(1, 10), &source(2, 10)]);
    // The process is killed, the power fails, the shard is closed.
    let shard = open(machine.boot(), options()).expect("opens");
    assert_eq!(documents(&shard.view()), before);
    machine.power_loss();
    drop(shard);
    let shard = open(machine.boot(), options()).expect("opens");
    assert_eq!(documents(&shard.view()), before);
    shard.close().expect("closed");
    let shard = open(machine.boot(), options()).expect("opens");
    assert_eq!(documents(&shard.view()), before);
    assert_eq!((shard.last_epoch(), shard.positions().durable), (Epoch(1), SeqNo(3)));
}

//! Where documents stand: one, and all of a block.

use grepzilla_model::{Epoch, SeqNo, TimeNs};

/// A document's place in time and in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The document's time.
    pub time: TimeNs,
    /// Its position.
    pub seq: SeqNo,
    /// The term in which it was written.
    pub epoch: Epoch,
}

/// The bounds of a block's documents, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The oldest document's time.
    pub time_min: TimeNs,
    /// The newest document's time.
    pub time_max: TimeNs,
    /// The first position.
    pub seq_min: SeqNo,
    /// The last position.
    pub seq_max: SeqNo,
}

impl Span {
    /// The bounds of one document.
    pub(crate) fn of(stamp: Stamp) -> Span {
        Span { time_min: stamp.time, time_max: stamp.time, seq_min: stamp.seq, seq_max: stamp.seq }
    }

    /// Takes another document in.
    pub(crate) fn widen(&mut self, stamp: Stamp) {
        self.time_min = self.time_min.min(stamp.time);
        self.time_max = self.time_max.max(stamp.time);
        self.seq_min = self.seq_min.min(stamp.seq);
        self.seq_max = self.seq_max.max(stamp.seq);
    }
}

//! The order of hits, over all shards.

use grepzilla_model::{SeqNo, ShardId, TimeNs};

/// Which hits come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Time descending, shard ascending, position descending.
    #[default]
    Newest,
    /// Time ascending, shard ascending, position ascending.
    Oldest,
}

/// What hits are ordered by. No two documents of a cluster have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// The document's time.
    pub time: TimeNs,
    /// Its shard.
    pub shard: ShardId,
    /// Its position in the shard.
    pub seq: SeqNo,
}

/// A place in an order: the smaller comes first. Ranks of different orders do not compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(i64, u32, u64);

impl Order {
    /// Where a key stands in this order.
    pub fn rank(self, key: SortKey) -> Rank {
        match self {
            // The complement reverses the order of integers without overflow.
            Order::Newest => Rank(!key.time.0, key.shard.0, !key.seq.0),
            Order::Oldest => Rank(key.time.0, key.shard.0, key.seq.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(time: i64, shard: u32, seq: u64) -> SortKey {
        SortKey { time: TimeNs(time), shard: ShardId(shard), seq: SeqNo(seq) }
    }

    #[test]
    fn ranks_follow_the_documented_orders() {
        let newest =
            [key(i64::MAX, 0, 1), key(5, 0, 9), key(5, 0, 8), key(5, 1, 10), key(-5, 0, 1), key(i64::MIN, 0, 1)];
        assert!(newest.map(|key| Order::Newest.rank(key)).is_sorted_by(|one, next| one < next));
        let oldest =
            [key(i64::MIN, 0, 1), key(-5, 0, 1), key(5, 0, 8), key(5, 0, 9), key(5, 1, 1), key(i64::MAX, 0, 1)];
        assert!(oldest.map(|key| Order::Oldest.rank(key)).is_sorted_by(|one, next| one < next));
    }
}

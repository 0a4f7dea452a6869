//! From the answers of shards to one page: in order, within size and weight, and never past what a shard has told.

use grepzilla_api::peer::{LeafFound, LeafHit};
use grepzilla_api::search::Order;
use grepzilla_query::Rank;

use crate::search::convert;

/// Bytes of documents on one page; the rest waits for the next one.
pub(super) const PAGE_BYTES_MAX: usize = 32 << 20;

/// A page.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) hits: Vec<LeafHit>,
    /// Whether there is more after it.
    pub(super) more: bool,
}

/// Where a hit stands in an order.
fn rank(order: Order, hit: &LeafHit) -> Rank {
    convert::order(order).rank(convert::sort_key(&hit.key))
}

/// Merges the hits of shards into a page of at most `size`. They are taken out of `found`.
pub(super) fn merge(found: &mut [LeafFound], order: Order, size: usize) -> Merged {
    let mut more = found.iter().any(|shard| shard.more);
    let bound = found.iter().filter(|shard| has_unknown_rest(shard)).filter_map(|shard| shard.hits.last());
    let bound = bound.map(|hit| rank(order, hit)).min();
    let mut hits: Vec<LeafHit> = found.iter_mut().flat_map(|shard| std::mem::take(&mut shard.hits)).collect();
    hits.sort_by_key(|hit| rank(order, hit));
    let told = bound.map_or(hits.len(), |bound| hits.partition_point(|hit| rank(order, hit) <= bound));
    let kept = told.min(size).min(within_weight(&hits));
    more |= kept < hits.len();
    hits.truncate(kept);
    Merged { hits, more }
}

/// Whether a shard has more hits behind its last one, so that others' hits beyond that may not be shown yet. Where the
/// deadline or the budget cut it, the answer is partial and says so instead.
fn has_unknown_rest(shard: &LeafFound) -> bool {
    shard.more && !shard.deadline_hit && !shard.budget_hit
}

/// How many hits weigh no more than a page may; at least one.
fn within_weight(hits: &[LeafHit]) -> usize {
    let mut bytes = 0;
    let fitting = hits.iter().take_while(|hit| {
        bytes += hit.source.get().len() + hit.preview.len();
        bytes <= PAGE_BYTES_MAX
    });
    fitting.count().max(1)
}

#[cfg(test)]
mod tests {
    use grepzilla_api::peer::HitKey;
    use grepzilla_model::{Epoch, SeqNo, ShardId};
    use serde_json::value::RawValue;

    use super::*;

    fn hit(shard: u32, time_ns: i64, seq: u64) -> LeafHit {
        LeafHit {
            key: HitKey { time_ns, shard: ShardId(shard), seq: SeqNo(seq) },
            epoch: Epoch(1),
            id: None,
            index: "main".to_owned(),
            matched_field: "a".to_owned(),
            preview: String::new(),
            highlights: Vec::new(),
            source: RawValue::from_string("{}".to_owned()).expect("JSON"),
        }
    }

    fn found(hits: Vec<LeafHit>, more: bool) -> LeafFound {
        LeafFound { hits, more, ..LeafFound::nothing(Epoch(1), SeqNo(100)) }
    }

    fn keys(merged: &Merged) -> Vec<(i64, u32, u64)> {
        merged.hits.iter().map(|hit| (hit.key.time_ns, hit.key.shard.0, hit.key.seq.0)).collect()
    }

    #[test]
    fn newest_is_time_descending_then_shard_then_position_descending_and_oldest_ascending_in_all() {
        let shards = || {
            [
                found(vec![hit(0, 9, 4), hit(0, 5, 7), hit(0, 5, 3)], false),
                found(vec![hit(1, 9, 1), hit(1, 5, 8)], false),
            ]
        };
        let newest = merge(&mut shards(), Order::Newest, 10);
        assert_eq!(keys(&newest), [(9, 0, 4), (9, 1, 1), (5, 0, 7), (5, 0, 3), (5, 1, 8)]);
        assert!(!newest.more);
        let mut ascending = keys(&newest);
        ascending.sort();
        assert_eq!(keys(&merge(&mut shards(), Order::Oldest, 10)), ascending);
    }

    #[test]
    fn a_full_page_says_that_there_is_more() {
        let merged = merge(&mut [found(vec![hit(0, 9, 1), hit(0, 8, 2)], false)], Order::Newest, 1);
        assert_eq!((keys(&merged), merged.more), (vec![(9, 0, 1)], true));
        assert!(merge(&mut [found(vec![hit(0, 9, 1)], true)], Order::Newest, 1).more);
    }

    #[test]
    fn nothing_is_shown_beyond_the_end_of_a_shard_that_has_more() {
        let mut shards =
            [found(vec![hit(0, 9, 1)], true), found(vec![hit(1, 10, 1), hit(1, 8, 2), hit(1, 7, 3)], false)];
        let merged = merge(&mut shards, Order::Newest, 10);
        assert_eq!((keys(&merged), merged.more), (vec![(10, 1, 1), (9, 0, 1)], true));
    }

    #[test]
    fn a_shard_that_was_cut_by_the_deadline_does_not_hide_the_others() {
        let mut shards =
            [LeafFound { deadline_hit: true, ..found(vec![hit(0, 9, 1)], true) }, found(vec![hit(1, 8, 2)], false)];
        assert_eq!(keys(&merge(&mut shards, Order::Newest, 10)), [(9, 0, 1), (8, 1, 2)]);
    }

    #[test]
    fn a_page_that_weighs_too_much_is_shorter_but_never_empty() {
        let heavy = |seq| {
            let text = format!("\"{}\"", "x".repeat(PAGE_BYTES_MAX));
            LeafHit { source: RawValue::from_string(text).expect("JSON"), ..hit(0, 100 - seq as i64, seq) }
        };
        let merged = merge(&mut [found(vec![heavy(1), heavy(2)], false)], Order::Newest, 10);
        assert_eq!((keys(&merged), merged.more), (vec![(99, 0, 1)], true));
    }
}

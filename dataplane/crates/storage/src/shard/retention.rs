//! How long documents stay: what is configured, and which blocks are hidden by it, or gone, at a moment.
//!
//! A block is hidden as a whole. It is *hidden* from the moment in which its last document is too old, or in which it was
//! *cut* because there was too much; it is *gone*, and may be removed from the disk, when it has been hidden for as long as a
//! cursor lives. So whoever looks at a moment within that time finds what could be seen at that moment.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use grepzilla_model::{IndexName, SeqNo, TimeNs};

use crate::block::Block;

/// What is kept of one index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// How long after they were received documents are kept. `None`: for ever.
    pub age: Option<Duration>,
    /// How many bytes of documents, as they were stored, are kept in segments of the shard: the newest. `None`: all.
    pub bytes: Option<u64>,
}

/// What is kept of all indexes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetentionRules {
    /// Of indexes that are not named.
    pub others: Retention,
    /// Of those that are.
    pub indexes: BTreeMap<IndexName, Retention>,
}

impl RetentionRules {
    /// Of an index.
    pub fn of(&self, index: &IndexName) -> Retention {
        self.indexes.get(index).copied().unwrap_or(self.others)
    }

    /// Whether anything ever goes.
    pub fn is_for_ever(&self) -> bool {
        self.indexes.values().chain([&self.others]).all(|of| *of == Retention::default())
    }
}

/// A decision: what of an index stands up to a position is hidden from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    at: TimeNs,
    upto: SeqNo,
}

/// The rules, and what was cut by them. It changes by being replaced.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hidden {
    rules: Arc<RetentionRules>,
    /// Ascending by moment and by position.
    cuts: BTreeMap<IndexName, VecDeque<Cut>>,
    /// How long what is hidden stays on the disk.
    stays: Duration,
    /// When documents were last removed that could still be seen.
    taken: Option<TimeNs>,
}

impl Hidden {
    pub(crate) fn new(rules: Arc<RetentionRules>, stays: Duration) -> Hidden {
        Hidden { rules, cuts: BTreeMap::new(), stays, taken: None }
    }

    /// Whether documents up to a position, the last of which was received then, are hidden from who looks at `now`.
    pub(crate) fn hides(&self, index: &IndexName, upto: SeqNo, received_max: TimeNs, now: TimeNs) -> bool {
        self.is_too_old(index, received_max, now) || self.is_cut(index, upto, now)
    }

    /// Whether a block may be removed: nobody who may still ask can see it.
    pub(crate) fn is_gone(&self, block: &Block, now: TimeNs) -> bool {
        let stays = i64::try_from(self.stays.as_nanos()).unwrap_or(i64::MAX);
        let then = TimeNs(now.0.saturating_sub(stays));
        self.hides(block.index(), block.span().seq_max, block.received_max(), then)
    }

    /// The same after documents were removed that could be seen until `now`.
    pub(crate) fn taking(&self, now: TimeNs) -> Hidden {
        Hidden { taken: Some(now), ..self.clone() }
    }

    /// Whether documents were removed that could be seen at a moment.
    pub(crate) fn has_taken_since(&self, moment: TimeNs) -> bool {
        self.taken.is_some_and(|taken| moment <= taken)
    }

    fn is_too_old(&self, index: &IndexName, received_max: TimeNs, now: TimeNs) -> bool {
        let age = i128::from(now.0) - i128::from(received_max.0);
        self.rules.of(index).age.is_some_and(|max| age > max.as_nanos().cast_signed())
    }

    fn is_cut(&self, index: &IndexName, upto: SeqNo, now: TimeNs) -> bool {
        let cuts = self.cuts.get(index).into_iter().flatten();
        cuts.take_while(|cut| cut.at <= now).any(|cut| upto <= cut.upto)
    }

    /// The same with what is too much of the blocks of all segments cut at `now`. `None`: there is no more than before.
    pub(crate) fn cut(&self, blocks: &[&Block], now: TimeNs) -> Option<Hidden> {
        let mut newest_first: Vec<&Block> = blocks.to_vec();
        newest_first.sort_by_key(|block| std::cmp::Reverse(block.span().seq_max));
        let mut kept: BTreeMap<&IndexName, u64> = BTreeMap::new();
        let mut changed: Option<Hidden> = None;
        for block in newest_first {
            let Some(bytes_max) = self.rules.of(block.index()).bytes else { continue };
            let kept = kept.entry(block.index()).or_default();
            *kept += block.source_bytes();
            let upto = block.span().seq_max;
            if *kept > bytes_max && !changed.as_ref().unwrap_or(self).has_cut(block.index(), upto) {
                let cuts = changed.get_or_insert_with(|| self.clone()).cuts.entry(block.index().clone()).or_default();
                cuts.push_back(Cut { at: now, upto });
            }
        }
        changed.map(|changed| changed.without_old(now))
    }

    fn has_cut(&self, index: &IndexName, upto: SeqNo) -> bool {
        self.cuts.get(index).is_some_and(|cuts| cuts.iter().any(|cut| upto <= cut.upto))
    }

    /// Of cuts that everybody sees only the last one matters.
    fn without_old(mut self, now: TimeNs) -> Hidden {
        let stays = i64::try_from(self.stays.as_nanos()).unwrap_or(i64::MAX);
        let is_old = |cut: &Cut| now.0.saturating_sub(cut.at.0) >= stays;
        for cuts in self.cuts.values_mut() {
            while cuts.get(1).is_some_and(is_old) {
                cuts.pop_front();
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{Bucket, Epoch};

    use super::*;
    use crate::block::{BlockBuilder, Stamp, UnitLayout};

    const SECOND: i64 = 1_000_000_000;

    fn index(name: &str) -> IndexName {
        IndexName::new(name).expect("valid")
    }

    /// One document of about 100 bytes at a position.
    fn block(name: &str, seq: u64, received: i64) -> Block {
        let mut builder = BlockBuilder::new(UnitLayout::One);
        let stamp = Stamp { time: TimeNs(1), seq: SeqNo(seq), epoch: Epoch(1) };
        builder.add(&format!(r#"{{"a":"{:0>92}"}}"#, seq), stamp, Bucket(0), TimeNs(received));
        builder.finish(&index(name))
    }

    fn hidden(web: Retention, others: Retention) -> Hidden {
        let indexes = BTreeMap::from([(index("web"), web)]);
        Hidden::new(Arc::new(RetentionRules { others, indexes }), Duration::from_secs(10))
    }

    #[test]
    fn a_block_is_hidden_when_its_last_document_is_too_old_and_gone_a_cursor_later() {
        let age = |seconds| Retention { age: Some(Duration::from_secs(seconds)), bytes: None };
        let hidden = hidden(age(60), Retention::default());
        let web = block("web", 5, 100 * SECOND);
        let hides = |now| hidden.hides(web.index(), SeqNo(5), web.received_max(), TimeNs(now));
        assert!(!hides(160 * SECOND) && hides(160 * SECOND + 1));
        assert!(!hidden.is_gone(&web, TimeNs(170 * SECOND)) && hidden.is_gone(&web, TimeNs(170 * SECOND + 1)));
        let other = block("main", 5, 0);
        assert!(!hidden.is_gone(&other, TimeNs(i64::MAX)), "another index");
    }

    #[test]
    fn too_much_is_cut_from_the_oldest_on_and_whoever_looked_before_still_sees_it() {
        let bytes = |bytes| Retention { age: None, bytes: Some(bytes) };
        let before = hidden(bytes(350), Retention::default());
        let blocks: Vec<Block> =
            (1..=5).map(|seq| block("web", seq, 0)).chain((6..=9).map(|seq| block("main", seq, 0))).collect();
        let blocks: Vec<&Block> = blocks.iter().collect();
        assert!(before.cut(&blocks[2..], TimeNs(SECOND)).is_none(), "three are not too much");
        let after = before.cut(&blocks, TimeNs(SECOND)).expect("five are");
        let seen = |hidden: &Hidden, now| {
            let is_seen = |block: &&&Block| !hidden.hides(block.index(), block.span().seq_max, TimeNs(0), TimeNs(now));
            blocks.iter().filter(is_seen).map(|block| block.span().seq_max.0).collect::<Vec<_>>()
        };
        assert_eq!(seen(&after, SECOND), [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(seen(&after, SECOND - 1).len(), 9, "at the moment before");
        assert!(after.cut(&blocks, TimeNs(2 * SECOND)).is_none(), "it is known");
        assert!(!after.is_gone(blocks[1], TimeNs(11 * SECOND - 1)) && after.is_gone(blocks[1], TimeNs(11 * SECOND)));
        assert!(!after.is_gone(blocks[2], TimeNs(i64::MAX)));

        // Later cuts take the place of those that everybody sees.
        let mut cut = after;
        for second in 20..40 {
            let more = block("web", second, 0);
            let blocks: Vec<&Block> = blocks.iter().copied().chain([&more]).collect();
            cut = cut.cut(&blocks, TimeNs(second.cast_signed() * SECOND)).unwrap_or(cut);
        }
        assert!(cut.cuts[&index("web")].len() <= 12, "{cut:?}");
    }

    #[test]
    fn an_index_has_its_own_rules_and_the_others_share_theirs() {
        let age = |seconds| Retention { age: Some(Duration::from_secs(seconds)), bytes: None };
        let rules = RetentionRules { others: age(5), indexes: BTreeMap::from([(index("web"), Retention::default())]) };
        assert_eq!((rules.of(&index("web")), rules.of(&index("main"))), (Retention::default(), age(5)));
        assert!(!rules.is_for_ever() && RetentionRules::default().is_for_ever());
    }
}

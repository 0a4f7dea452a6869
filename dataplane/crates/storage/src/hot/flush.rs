//! What a flush does to the tier: everything is sealed, and let go when a segment holds it.

use std::sync::Arc;

use grepzilla_model::SeqNo;

use super::{HotTier, Published};
use crate::block::{Block, BlockBuilder, UnitLayout};

impl HotTier {
    /// Closes every open block: nothing is added to what has been inserted any more. Answers the last position. Its blocks
    /// stay visible until they are let go; [`HotTier::sealed_upto`] gives them.
    pub fn cut(&self) -> SeqNo {
        let mut writer = self.writer.lock();
        writer.close_all();
        writer.oldest_since_cut = None;
        let full = self.publish(&mut writer, |_| ());
        let upto = self.published.lock().upto;
        self.wait_with(full);
        upto
    }

    /// Lets go of every document up to a position, which a segment holds. Blocks that reach behind it are made anew: there
    /// are none if the position is that of the last cut.
    pub fn let_go(&self, upto: SeqNo) {
        let mut writer = self.writer.lock();
        if writer.open.values().any(|open| open.tail().span().seq_min <= upto) {
            writer.close_all();
            let full = self.publish(&mut writer, |_| ());
            self.wait_with(full);
        }
        self.seal_upto(upto);
        let (open_documents, open_bytes, open_memory) = writer
            .open
            .values()
            .fold((0, 0, 0), |sum, open| (sum.0 + open.len, sum.1 + open.source_bytes, sum.2 + open.memory_bytes));
        let mut published = self.published.lock();
        let let_go = published.let_go(upto);
        let Published { sealed, full, stats, .. } = &mut *published;
        let sealed_documents: usize = sealed.iter().map(Block::document_count).sum();
        let full_documents: usize = full.iter().map(|full| full.tail.document_count()).sum();
        let full_bytes: usize = full.iter().map(|full| full.source_bytes).sum();
        stats.documents = (sealed_documents + full_documents + open_documents) as u64;
        stats.source_bytes = sealed.iter().map(Block::source_bytes).sum::<u64>() + (full_bytes + open_bytes) as u64;
        stats.bytes = sealed.iter().map(|block| block.memory_bytes() as u64).sum::<u64>()
            + full.iter().map(|full| full.memory_bytes).sum::<u64>()
            + open_memory;
        // Without a cut before, what is kept is as old as anything may be.
        let nothing = stats.documents == 0;
        stats.oldest_time = writer.oldest_since_cut.or(stats.oldest_time.filter(|_| !nothing));
        published.upto = published.upto.max(upto);
        published.count_blocks();
        drop(published);
        drop(let_go);
    }
}

impl Published {
    /// Keeps what is behind a position. Answers what it held before.
    fn let_go(&mut self, upto: SeqNo) -> Arc<Vec<Block>> {
        let mut kept = Vec::with_capacity(self.sealed.len());
        for block in self.sealed.iter() {
            if block.span().seq_min > upto {
                kept.push(block.clone());
            } else if upto < block.span().seq_max {
                kept.push(rest_of(block, upto));
            }
        }
        std::mem::replace(&mut self.sealed, Arc::new(kept))
    }
}

/// The documents of a block behind a position; there is at least one.
fn rest_of(block: &Block, upto: SeqNo) -> Block {
    const IN_MEMORY: &str = "blocks of the hot tier are in memory";
    let mut builder = BlockBuilder::new(UnitLayout::One);
    let stamps = block.stamps().expect(IN_MEMORY);
    for document in stamps.seqs().partition_point(|seq| *seq <= upto)..block.document_count() {
        builder.add_from(block, document).expect(IN_MEMORY);
    }
    builder.finish(block.index())
}

//! What a flush does to the tier: everything is sealed, and let go when a segment holds it.

use std::sync::Arc;

use grepzilla_model::SeqNo;

use super::{HotTier, Writer};
use crate::block::{Block, BlockBuilder, UnitLayout};

impl HotTier {
    /// Seals every open block. Answers all blocks: nothing of them is inserted any more, and they stay visible until
    /// they are let go.
    pub fn cut(&self) -> Arc<Vec<Block>> {
        let mut writer = self.writer.lock();
        let open: Vec<_> = writer.open.keys().cloned().collect();
        for index in &open {
            writer.seal(index);
        }
        writer.oldest_since_cut = None;
        self.publish(&mut writer, |_| ());
        Arc::clone(&self.published.lock().sealed)
    }

    /// Lets go of every document up to a position, which a segment holds. Blocks that reach behind it are made anew: there
    /// are none if the position is that of the last cut.
    pub fn let_go(&self, upto: SeqNo) {
        let mut writer = self.writer.lock();
        let reaches_over = |block: &Block| block.span().seq_min <= upto && upto < block.span().seq_max;
        if writer.open.values().any(|open| open.span.seq_min <= upto) {
            let open: Vec<_> = writer.open.keys().cloned().collect();
            open.iter().for_each(|index| writer.seal(index));
        }
        let sealed = Arc::clone(&self.published.lock().sealed);
        let mut kept = Vec::with_capacity(sealed.len());
        for block in sealed.iter().chain(&writer.sealed) {
            if block.span().seq_min > upto {
                kept.push(block.clone());
            } else if reaches_over(block) {
                kept.push(rest_of(block, upto));
            }
        }
        self.replace(&mut writer, kept, upto);
    }

    fn replace(&self, writer: &mut Writer, kept: Vec<Block>, upto: SeqNo) {
        writer.sealed.clear();
        writer.bytes = kept.iter().map(|block| block.memory_bytes() as u64).sum::<u64>()
            + writer.open.values().map(|open| open.memory_bytes).sum::<u64>();
        let open = writer.open.values();
        let (open_documents, open_bytes) =
            open.fold((0, 0), |(documents, bytes), open| (documents + open.len, bytes + open.source_bytes));
        let oldest = writer.oldest_since_cut;
        self.publish(writer, |published| {
            let sealed_documents: usize = kept.iter().map(Block::document_count).sum();
            published.stats.documents = (sealed_documents + open_documents) as u64;
            published.stats.source_bytes = kept.iter().map(Block::source_bytes).sum::<u64>() + open_bytes as u64;
            // Without a cut before, what is kept is as old as anything may be.
            let nothing = published.stats.documents == 0;
            published.stats.oldest_time = oldest.or(published.stats.oldest_time.filter(|_| !nothing));
            published.upto = published.upto.max(upto);
            published.sealed = Arc::new(kept);
        });
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

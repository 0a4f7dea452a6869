//! The merge: one segment of several neighbours, or of one, without what nobody can ask for any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use grepzilla_model::{Epoch, IndexName, SegmentEntry, SeqNo, TimeNs};

use super::files::same;
use super::{Maintenance, Merged};
use crate::block::{Block, BlockBuilder, DOCUMENTS_MAX, UnitLayout};
use crate::segment::{KeyEntry, SegmentWriter};
use crate::shard::contents::NewSegment;
use crate::shard::list::{LiveSegment, SegmentList};
use crate::shard::policy::{forced_merge, merge_at_rest, next_merge};
use crate::shard::retention::Hidden;
use crate::{MaintenanceError, ReadError};

/// What a merge may take, in nanoseconds, with the time since retention was looked at.
const MERGE_TIME_MAX: i64 = 300 * 1_000_000_000;

/// What is to be merged.
struct Plan {
    inputs: Vec<LiveSegment>,
    epoch: Epoch,
    /// Superseded up to here is dropped.
    forgettable: SeqNo,
    /// What is hidden, and the moment at which it was looked at: what is gone is dropped.
    hidden: (Arc<Hidden>, TimeNs),
}

impl Maintenance {
    /// See [`Shard::merge`](crate::Shard::merge).
    pub(in crate::shard) fn merge(
        &self,
        epoch: Epoch,
        committed: SeqNo,
        stop: &AtomicBool,
    ) -> Result<Option<Merged>, MaintenanceError> {
        self.heedful(|| self.merge_once(epoch, committed, stop))
    }

    fn merge_once(
        &self,
        epoch: Epoch,
        committed: SeqNo,
        stop: &AtomicBool,
    ) -> Result<Option<Merged>, MaintenanceError> {
        let began = Instant::now();
        let _merging = self.merging.lock();
        let Some(plan) = self.plan(epoch, committed)? else { return Ok(None) };
        let Some((entry, dropped)) = self.write_merged(&plan, stop)? else { return Ok(None) };
        let mut work = self.begin()?;
        // Should it not come to be shown, it goes with the next ones.
        work.retired.push(entry.name.file_name());
        let segment = self.open_segment(&entry)?;
        let list = self.contents.list();
        let new = self.new_segment(segment, entry.clone(), list.flushed())?;
        let Some(segments) = replaced(&list, &plan.inputs, new) else { return Ok(None) };
        self.contents.show(list.base(), list.flushed(), segments, &dropped);
        for live in list.within(entry.name.first, entry.name.last) {
            work.retired.push(live.entry.name.file_name());
            work.retired.extend(live.entry.deletes_name().map(|name| name.file_name()));
        }
        drop(work);

        let bytes = entry.bytes + plan.inputs.iter().map(|live| live.entry.bytes).sum::<u64>();
        let took = began.elapsed();
        let mut stats = self.stats.lock();
        stats.merges += 1;
        stats.merge_seconds += took.as_secs_f64();
        stats.merge_bytes += bytes;
        let (segments, dropped) = (plan.inputs.len(), dropped.len() as u64);
        tracing::debug!(segment = %entry.name, segments, dropped, bytes, seconds = took.as_secs_f64(), "merged segments");
        Ok(Some(Merged { name: entry.name, segments, dropped, bytes, took }))
    }

    fn plan(&self, epoch: Epoch, committed: SeqNo) -> Result<Option<Plan>, MaintenanceError> {
        let mut work = self.begin()?;
        let list = self.contents.list();
        let forgettable = work.forgettable(committed, list.flushed());
        let hidden = (self.contents.hidden(), work.now);
        let entries = list.entries();
        let range = next_merge(&entries, self.options.merged_bytes_max)
            .or_else(|| {
                list.live().iter().position(|live| is_mostly_dead(live, forgettable, &hidden)).map(|at| at..at + 1)
            })
            .or_else(|| forced_merge(&entries, self.options.segments_max))
            .or_else(|| {
                let rests = self.contents.hot_stats().oldest_time.is_none();
                rests.then(|| merge_at_rest(&entries, self.options.merged_bytes_max)).flatten()
            });
        Ok(range.map(|range| Plan { inputs: list.live()[range].to_vec(), epoch, forgettable, hidden }))
    }

    /// The merged segment and the documents that it does not hold. `None`: stopped.
    fn write_merged(
        &self,
        plan: &Plan,
        stop: &AtomicBool,
    ) -> Result<Option<(SegmentEntry, Vec<SeqNo>)>, MaintenanceError> {
        let (first, last) = (plan.inputs[0].entry.name.first, plan.inputs[plan.inputs.len() - 1].entry.name.last);
        let notes = self.contents.notes(first, last, plan.forgettable);
        let mut output = Output {
            writer: self.segment_writer(plan.epoch, first, last)?,
            builder: BlockBuilder::new(UnitLayout::Split { own_unit_bytes: self.options.segment.own_unit_bytes }),
            block_bytes: self.options.merged_block_bytes,
        };
        let mut dropped = Vec::new();
        let (gone, kept) = by_index(plan);
        let mut gone_bytes = 0;
        for block in gone {
            dropped.extend_from_slice(block.stamps()?.seqs());
            gone_bytes += block.source_bytes();
        }
        let gone_documents = dropped.len() as u64;
        for (index, parts) in kept {
            for blocks in parts {
                for (seq, block, document) in in_order(&blocks)? {
                    if stop.load(Ordering::Relaxed) {
                        return Ok(None);
                    }
                    if notes.contains_key(&seq) {
                        dropped.push(seq);
                    } else {
                        output.add(&index, blocks[block], document)?;
                    }
                }
                output.end_part(&index)?;
            }
            output.end_index();
        }
        for key in self.keys(&plan.inputs)? {
            output.writer.key(key);
        }
        dropped.sort_unstable();
        let entry = output.writer.finish()?;
        self.count_retained(gone_documents, gone_bytes);
        Ok(Some((entry, dropped)))
    }

    /// The keys of the segments, without those that are forgotten by the time of the last one.
    fn keys(&self, inputs: &[LiveSegment]) -> Result<Vec<KeyEntry>, ReadError> {
        let mut keys = Vec::new();
        for live in inputs {
            keys.extend(live.segment.keys()?);
        }
        let newest = keys.iter().map(|key| key.received.0).max().unwrap_or_default();
        let age_max = self.options.key_age_max.as_nanos().cast_signed();
        keys.retain(|key| i128::from(newest) - i128::from(key.received.0) <= age_max);
        Ok(keys)
    }
}

/// The segment that is written.
struct Output {
    writer: SegmentWriter,
    builder: BlockBuilder,
    block_bytes: u64,
}

impl Output {
    fn add(&mut self, index: &IndexName, block: &Block, document: usize) -> Result<(), MaintenanceError> {
        if self.builder.len() == DOCUMENTS_MAX || self.builder.source_bytes() >= self.block_bytes {
            self.end_block(index)?;
        }
        Ok(self.builder.add_from(block, document)?)
    }

    fn end_block(&mut self, index: &IndexName) -> Result<(), MaintenanceError> {
        let block = self.builder.finish(index);
        Ok(self.writer.add(&block)?)
    }

    fn end_part(&mut self, index: &IndexName) -> Result<(), MaintenanceError> {
        if self.builder.is_empty() { Ok(()) } else { self.end_block(index) }
    }

    fn end_index(&mut self) {
        self.builder.swap_shapes(Default::default());
    }
}

/// The blocks that retention lets go, and by index those that stay: first those that it hides, or will while they are merged,
/// then the others. They are kept apart, because a block is hidden as a whole and what is hidden must stay so.
fn by_index(plan: &Plan) -> (Vec<&Block>, BTreeMap<IndexName, [Vec<&Block>; 2]>) {
    let (hidden, now) = &plan.hidden;
    let blocks = plan.inputs.iter().flat_map(|live| live.segment.blocks());
    let (gone, kept): (Vec<&Block>, Vec<&Block>) = blocks.partition(|block| hidden.is_gone(block, *now));
    let soon = TimeNs(now.0.saturating_add(MERGE_TIME_MAX));
    let mut indexes: BTreeMap<IndexName, [Vec<&Block>; 2]> = BTreeMap::new();
    for block in kept {
        let part = usize::from(!hidden.hides(block.index(), block.span().seq_max, block.received_max(), soon));
        indexes.entry(block.index().clone()).or_default()[part].push(block);
    }
    (gone, indexes)
}

/// Whether more than half of a segment's documents can be dropped, so that it is worth being made anew by itself.
fn is_mostly_dead(live: &LiveSegment, forgettable: SeqNo, (hidden, now): &(Arc<Hidden>, TimeNs)) -> bool {
    let gone = live.segment.blocks().iter().filter(|block| hidden.is_gone(block, *now));
    let gone: u64 = gone.map(|block| block.document_count() as u64).sum();
    // Looked at closely only if it may be so.
    let is_dead = |superseded: usize| 2 * (gone + superseded as u64) > live.entry.documents;
    is_dead(live.superseded.len()) && is_dead(live.superseded.count_upto(forgettable))
}

/// All documents of some blocks in the order of their positions: position, number of the block, number in the block. Blocks may
/// overlap, because a large document is a block of its own.
fn in_order(blocks: &[&Block]) -> Result<Vec<(SeqNo, usize, usize)>, ReadError> {
    let mut documents = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let stamps = block.stamps()?;
        documents.extend(stamps.seqs().iter().enumerate().map(|(document, seq)| (*seq, number, document)));
    }
    documents.sort_unstable();
    Ok(documents)
}

/// The list with the merged segment in the place of those that it was made of. `None`: they do not stand there any more.
fn replaced(list: &SegmentList, inputs: &[LiveSegment], new: NewSegment) -> Option<Vec<NewSegment>> {
    let start = list.live().iter().position(|live| live.entry.name == inputs[0].entry.name)?;
    let (before, rest) = list.live().split_at(start);
    let (merged, behind) = rest.split_at_checked(inputs.len())?;
    let unchanged = merged.iter().zip(inputs).all(|(live, input)| live.entry.name == input.entry.name);
    unchanged.then(|| before.iter().map(same).chain([new]).chain(behind.iter().map(same)).collect())
}

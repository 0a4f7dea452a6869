//! The hot tier of one shard: every committed document that no segment holds yet, in memory and searchable at once.
//!
//! Arrivals go to an open block per index, which readers scan as it is; a full one is sealed into a [`Block`], on a thread that
//! was lent for it or on the inserting one. Nothing stops a reader: readers work on a [`HotView`], which does not change.
//!
//! Promises: a view holds whole inserts only, in order, up to [`HotView::upto`]; what a view holds stays readable as long as
//! the view lives. Left to others: durability (the log), which version of an `_id` counts, and when to let go of blocks.

mod flush;
mod open;
mod seal;
mod sealing;

use std::sync::Arc;

use foldhash::fast::FixedState;
use grepzilla_model::{Epoch, IndexName, Record, RecordKind, SeqNo, ShardId, TimeNs};
use hashbrown::HashMap;
use parking_lot::Mutex;

pub use open::{OpenDocument, OpenTail};

use crate::block::{Block, DOCUMENTS_MAX, Span, Stamp};
use open::OpenBlock;
use sealing::Sealing;

/// The shape of the blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotOptions {
    /// Documents of one block. Default 4,096, at most 65,536, because documents are numbered by 16 bits within a block.
    pub block_documents_max: usize,
    /// Bytes of source of one block; a larger document is a block of its own. Default 256 KiB: half the columns of
    /// 128 KiB blocks to visit per search, while the unsealed tail is still scanned in a millisecond.
    pub block_bytes_max: usize,
    /// Open blocks, one per index; beyond that the one that has been quiet for longest is sealed early. Default 64.
    pub open_blocks_max: usize,
}

impl Default for HotOptions {
    fn default() -> HotOptions {
        HotOptions { block_documents_max: 4_096, block_bytes_max: 256 << 10, open_blocks_max: 64 }
    }
}

/// What the tier holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HotStats {
    /// Documents; tombstones are none.
    pub documents: u64,
    /// Bytes of memory.
    pub bytes: u64,
    /// Bytes of the documents as they were stored.
    pub source_bytes: u64,
    /// When the first record that it holds was received. `None`: it holds none.
    pub oldest_time: Option<TimeNs>,
    /// Blocks with columns.
    pub sealed_blocks: usize,
    /// Blocks that still grow, or are full and not sealed yet.
    pub open_blocks: usize,
}

/// The hot tier of one shard.
#[derive(Debug)]
pub struct HotTier {
    shard: ShardId,
    writer: Mutex<Writer>,
    sealing: Sealing,
    published: Mutex<Published>,
}

/// What readers see: replaced under a short lock, by the one who inserts and those who seal.
#[derive(Debug, Default)]
struct Published {
    sealed: Arc<Vec<Block>>,
    /// Blocks that nothing is added to, but that are not sealed yet.
    full: Vec<FullBlock>,
    open: Vec<OpenTail>,
    upto: SeqNo,
    stats: HotStats,
}

/// A block that nothing is added to any more.
#[derive(Debug, Clone)]
struct FullBlock {
    tail: OpenTail,
    source_bytes: usize,
    memory_bytes: u64,
}

impl Published {
    fn count_blocks(&mut self) {
        self.stats.open_blocks = self.open.len() + self.full.len();
        self.stats.sealed_blocks = self.sealed.len();
    }
}

impl HotTier {
    /// An empty tier.
    pub fn new(shard: ShardId, options: HotOptions) -> HotTier {
        let writer = Writer::new(options);
        let sealing = Sealing::new(writer.options.open_blocks_max);
        HotTier { shard, writer: Mutex::new(writer), sealing, published: Mutex::default() }
    }

    /// Makes records visible, all at once; called in order, by one thread. The first has the position `first`, and the
    /// others follow without gaps. A tombstone takes its position and leaves nothing here.
    pub fn insert(&self, epoch: Epoch, first: SeqNo, received: TimeNs, records: Vec<Record>) {
        let mut writer = self.writer.lock();
        let upto = SeqNo((first.0 + records.len() as u64).saturating_sub(1));
        let (mut documents, mut source_bytes) = (0, 0);
        for (seq, record) in (first.0..).map(SeqNo).zip(records) {
            if record.kind == RecordKind::Put {
                documents += 1;
                source_bytes += record.source.len() as u64;
                writer.add(
                    record.index,
                    OpenDocument {
                        stamp: Stamp { time: record.time, seq, epoch },
                        bucket: record.bucket,
                        received,
                        id: record.id,
                        source: record.source,
                    },
                );
            }
        }
        writer.oldest_since_cut.get_or_insert(received);
        let full = self.publish(&mut writer, |published| {
            published.upto = published.upto.max(upto);
            published.stats.documents += documents;
            published.stats.source_bytes += source_bytes;
            published.stats.oldest_time.get_or_insert(received);
        });
        drop(writer);
        self.hand_on(full);
    }

    /// Shows readers what the writer has, and at the same moment what `change` makes of it. Answers the blocks that have
    /// become full, which are to be sealed.
    fn publish(&self, writer: &mut Writer, change: impl FnOnce(&mut Published)) -> Vec<FullBlock> {
        let full = std::mem::take(&mut writer.full);
        let open: Vec<OpenTail> = writer.open.values().map(OpenIndex::tail).collect();
        let mut published = self.published.lock();
        published.full.extend_from_slice(&full);
        let replaced = std::mem::replace(&mut published.open, open);
        published.stats.bytes += std::mem::take(&mut writer.bytes_added);
        change(&mut published);
        published.count_blocks();
        drop(published);
        drop(replaced);
        full
    }

    /// What is visible now. Cheap; it does not change and keeps its memory until dropped.
    pub fn view(&self) -> HotView {
        let published = self.published.lock();
        HotView {
            shard: self.shard,
            sealed: Arc::clone(&published.sealed),
            open: published.full.iter().map(|full| &full.tail).chain(&published.open).cloned().collect(),
            upto: published.upto,
        }
    }

    /// What it holds now.
    pub fn stats(&self) -> HotStats {
        self.published.lock().stats
    }
}

/// An unchanging look at the tier.
#[derive(Debug, Clone)]
pub struct HotView {
    shard: ShardId,
    sealed: Arc<Vec<Block>>,
    open: Vec<OpenTail>,
    upto: SeqNo,
}

impl HotView {
    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The last position that is visible; 0 when nothing is.
    pub fn upto(&self) -> SeqNo {
        self.upto
    }

    /// The blocks with columns, in the order in which they were sealed.
    pub fn sealed(&self) -> &[Block] {
        &self.sealed
    }

    /// The blocks without columns: those that still grow, as far as they had grown, and full ones.
    pub fn open(&self) -> &[OpenTail] {
        &self.open
    }
}

/// The inserting side.
#[derive(Debug)]
struct Writer {
    options: HotOptions,
    open: HashMap<IndexName, OpenIndex, FixedState>,
    /// Full since the last publication.
    full: Vec<FullBlock>,
    /// Memory of what was added since the last publication.
    bytes_added: u64,
    /// When the first record behind the last cut was received.
    oldest_since_cut: Option<TimeNs>,
    arrivals: u64,
}

/// An index's open block.
#[derive(Debug)]
struct OpenIndex {
    block: Arc<OpenBlock>,
    len: usize,
    source_bytes: usize,
    memory_bytes: u64,
    span: Span,
    last_arrival: u64,
}

impl OpenIndex {
    fn tail(&self) -> OpenTail {
        OpenTail::new(Arc::clone(&self.block), self.len, self.span)
    }
}

impl Writer {
    fn new(options: HotOptions) -> Writer {
        let block_documents_max = options.block_documents_max.clamp(1, DOCUMENTS_MAX);
        let options = HotOptions { block_documents_max, open_blocks_max: options.open_blocks_max.max(1), ..options };
        Writer {
            options,
            open: HashMap::default(),
            full: Vec::new(),
            bytes_added: 0,
            oldest_since_cut: None,
            arrivals: 0,
        }
    }

    fn add(&mut self, index: IndexName, document: OpenDocument) {
        let source_bytes = document.source.len();
        if source_bytes > self.options.block_bytes_max {
            self.add_alone(index, document);
            return;
        }
        let has_no_room = |open: &OpenIndex| open.source_bytes + source_bytes > self.options.block_bytes_max;
        if self.open.get(&index).is_some_and(has_no_room) {
            self.close(&index);
        }
        self.arrivals += 1;
        if self.append(&index, document) == self.options.block_documents_max {
            self.close(&index);
        }
        if self.open.len() > self.options.open_blocks_max {
            let quietest = self.open.iter().min_by_key(|(_, open)| open.last_arrival).map(|(index, _)| index.clone());
            self.close(&quietest.expect("there is at least one open block"));
        }
    }

    /// Adds a document that fills a block.
    fn add_alone(&mut self, index: IndexName, document: OpenDocument) {
        let (span, source_bytes) = (Span::of(document.stamp), document.source.len());
        let block = Arc::new(OpenBlock::new(index, 1));
        let memory_bytes = block.set(0, document);
        self.bytes_added += memory_bytes;
        self.full.push(FullBlock { tail: OpenTail::new(block, 1, span), source_bytes, memory_bytes });
    }

    /// Gives the number of documents that the open block has now.
    fn append(&mut self, index: &IndexName, document: OpenDocument) -> usize {
        let (stamp, source_bytes) = (document.stamp, document.source.len());
        let open = self.open.entry(index.clone()).or_insert_with(|| OpenIndex {
            block: Arc::new(OpenBlock::new(index.clone(), self.options.block_documents_max)),
            len: 0,
            source_bytes: 0,
            memory_bytes: 0,
            span: Span::of(stamp),
            last_arrival: 0,
        });
        let memory_bytes = open.block.set(open.len, document);
        open.len += 1;
        open.source_bytes += source_bytes;
        open.memory_bytes += memory_bytes;
        open.span.widen(stamp);
        open.last_arrival = self.arrivals;
        self.bytes_added += memory_bytes;
        open.len
    }

    /// Nothing is added to the open block of an index any more.
    fn close(&mut self, index: &IndexName) {
        if let Some(open) = self.open.remove(index) {
            let OpenIndex { source_bytes, memory_bytes, .. } = open;
            self.full.push(FullBlock { tail: open.tail(), source_bytes, memory_bytes });
        }
    }

    /// The same of all indexes.
    fn close_all(&mut self) {
        let open: Vec<IndexName> = self.open.keys().cloned().collect();
        open.iter().for_each(|index| self.close(index));
    }
}

#[cfg(test)]
mod tests;

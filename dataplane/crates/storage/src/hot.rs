//! The hot tier of one shard: every committed document that no segment holds yet, in memory and searchable at once.
//!
//! Arrivals go to an open block per index, which readers scan as it is; a full one is sealed into a [`Block`]. Sealing
//! happens on the inserting thread and never stops a reader: readers work on a [`HotView`], which does not change.
//!
//! Promises: a view holds whole inserts only, in order, up to [`HotView::upto`]; what a view holds stays readable as long as
//! the view lives. Left to others: durability (the log), which version of an `_id` counts, and when to let go of blocks.

mod flush;
mod open;
mod seal;

use std::collections::HashMap;
use std::sync::Arc;

use grepzilla_model::{Epoch, IndexName, Record, RecordKind, SeqNo, ShardId, TimeNs};
use parking_lot::Mutex;

pub use open::{OpenDocument, OpenTail};

use crate::block::{Block, DOCUMENTS_MAX, Span, Stamp};
use open::OpenBlock;
use seal::Sealer;

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
    /// Blocks that still grow.
    pub open_blocks: usize,
}

/// The hot tier of one shard.
#[derive(Debug)]
pub struct HotTier {
    shard: ShardId,
    writer: Mutex<Writer>,
    published: Mutex<Published>,
}

/// What readers see: replaced under a short lock, by the one who inserts.
#[derive(Debug, Default)]
struct Published {
    sealed: Arc<Vec<Block>>,
    open: Vec<OpenTail>,
    upto: SeqNo,
    stats: HotStats,
}

impl HotTier {
    /// An empty tier.
    pub fn new(shard: ShardId, options: HotOptions) -> HotTier {
        HotTier { shard, writer: Mutex::new(Writer::new(options)), published: Mutex::default() }
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
        self.publish(&mut writer, |published| {
            published.upto = published.upto.max(upto);
            published.stats.documents += documents;
            published.stats.source_bytes += source_bytes;
            published.stats.oldest_time.get_or_insert(received);
        });
    }

    /// Shows readers what the writer has, and at the same moment what `change` makes of it.
    fn publish(&self, writer: &mut Writer, change: impl FnOnce(&mut Published)) {
        let sealed = std::mem::take(&mut writer.sealed);
        let open: Vec<OpenTail> = writer.open.values().map(OpenIndex::tail).collect();
        let mut published = self.published.lock();
        Arc::make_mut(&mut published.sealed).extend(sealed);
        let replaced = std::mem::replace(&mut published.open, open);
        change(&mut published);
        published.stats.bytes = writer.bytes;
        published.stats.open_blocks = published.open.len();
        published.stats.sealed_blocks = published.sealed.len();
        drop(published);
        drop(replaced);
    }

    /// What is visible now. Cheap; it does not change and keeps its memory until dropped.
    pub fn view(&self) -> HotView {
        let published = self.published.lock();
        HotView {
            shard: self.shard,
            sealed: Arc::clone(&published.sealed),
            open: published.open.clone(),
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

    /// The blocks that still grow, as far as they had grown.
    pub fn open(&self) -> &[OpenTail] {
        &self.open
    }
}

/// The inserting side.
#[derive(Debug)]
struct Writer {
    options: HotOptions,
    sealer: Sealer,
    open: HashMap<IndexName, OpenIndex>,
    /// Sealed since the last publication.
    sealed: Vec<Block>,
    /// Memory of all blocks.
    bytes: u64,
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
            sealer: Sealer::new(options.open_blocks_max),
            options,
            open: HashMap::new(),
            sealed: Vec::new(),
            bytes: 0,
            oldest_since_cut: None,
            arrivals: 0,
        }
    }

    fn add(&mut self, index: IndexName, document: OpenDocument) {
        let source_bytes = document.source.len();
        if source_bytes > self.options.block_bytes_max {
            let block = self.sealer.seal(&index, std::iter::once(&document));
            self.keep(block);
            return;
        }
        let has_no_room = |open: &OpenIndex| open.source_bytes + source_bytes > self.options.block_bytes_max;
        if self.open.get(&index).is_some_and(has_no_room) {
            self.seal(&index);
        }
        self.arrivals += 1;
        if self.append(&index, document) == self.options.block_documents_max {
            self.seal(&index);
        }
        if self.open.len() > self.options.open_blocks_max {
            let quietest = self.open.iter().min_by_key(|(_, open)| open.last_arrival).map(|(index, _)| index.clone());
            self.seal(&quietest.expect("there is at least one open block"));
        }
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
        self.bytes += memory_bytes;
        open.len
    }

    fn seal(&mut self, index: &IndexName) {
        if let Some(open) = self.open.remove(index) {
            let block = self.sealer.seal(index, open.tail().documents());
            self.bytes -= open.memory_bytes;
            self.keep(block);
        }
    }

    fn keep(&mut self, block: Block) {
        self.bytes += block.memory_bytes() as u64;
        self.sealed.push(block);
    }
}

#[cfg(test)]
mod tests;

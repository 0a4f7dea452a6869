//! The block that still grows: documents as they came, in slots that are written once.
//!
//! The writer fills the slots in order; a reader's [`OpenTail`] says how many it may look at. So neither waits for the other,
//! and a tail never changes.

use std::sync::{Arc, OnceLock};

use grepzilla_model::{Bucket, IndexName, SharedText, TimeNs};

use crate::block::{Span, Stamp};

/// A document that no column holds yet.
#[derive(Debug)]
pub struct OpenDocument {
    /// Where it stands.
    pub stamp: Stamp,
    /// Where it belongs.
    pub bucket: Bucket,
    /// When it was received.
    pub received: TimeNs,
    /// Its explicit `_id`.
    pub id: Option<Arc<str>>,
    pub(super) source: SharedText,
}

impl OpenDocument {
    /// The document as it was stored.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Slots, in pages that are made when they are reached.
#[derive(Debug)]
pub(super) struct OpenBlock {
    index: IndexName,
    pages: Box<[OnceLock<Page>]>,
}

type Page = Box<[OnceLock<OpenDocument>]>;

const PAGE_DOCUMENTS: usize = 64;

impl OpenBlock {
    pub(super) fn new(index: IndexName, documents_max: usize) -> OpenBlock {
        let pages = documents_max.div_ceil(PAGE_DOCUMENTS);
        OpenBlock { index, pages: std::iter::repeat_with(OnceLock::new).take(pages).collect() }
    }

    /// Fills the next slot and gives the memory that it took. Called by one thread, for each position once, ascending.
    pub(super) fn set(&self, position: usize, document: OpenDocument) -> u64 {
        let own_bytes = document.source.len() + document.id.as_ref().map_or(0, |id| id.len());
        let page_bytes = PAGE_DOCUMENTS * size_of::<OnceLock<OpenDocument>>();
        let is_first = position.is_multiple_of(PAGE_DOCUMENTS);
        let new_page = || std::iter::repeat_with(OnceLock::new).take(PAGE_DOCUMENTS).collect();
        let page = self.pages[position / PAGE_DOCUMENTS].get_or_init(new_page);
        page[position % PAGE_DOCUMENTS].set(document).expect("each slot is filled once");
        (own_bytes + if is_first { page_bytes } else { 0 }) as u64
    }

    fn get(&self, position: usize) -> &OpenDocument {
        let page = self.pages[position / PAGE_DOCUMENTS].get();
        page.and_then(|page| page[position % PAGE_DOCUMENTS].get()).expect("a tail covers filled slots only")
    }
}

/// An open block as far as it had grown when the view was taken.
#[derive(Debug, Clone)]
pub struct OpenTail {
    block: Arc<OpenBlock>,
    len: usize,
    span: Span,
}

impl OpenTail {
    /// The first `len` documents, which are filled, at least one, and lie within `span`.
    pub(super) fn new(block: Arc<OpenBlock>, len: usize, span: Span) -> OpenTail {
        OpenTail { block, len, span }
    }

    /// Whether the other one is of the same block.
    pub(super) fn is_same_block(&self, other: &OpenTail) -> bool {
        Arc::ptr_eq(&self.block, &other.block)
    }

    /// Whose documents these are.
    pub fn index(&self) -> &IndexName {
        &self.block.index
    }

    /// Their bounds.
    pub fn span(&self) -> Span {
        self.span
    }

    /// How many there are; at least one.
    pub fn document_count(&self) -> usize {
        self.len
    }

    /// When the last of them was received.
    pub fn received_max(&self) -> TimeNs {
        self.document(self.len - 1).received
    }

    /// A document by its number, below [`OpenTail::document_count`].
    pub fn document(&self, number: usize) -> &OpenDocument {
        assert!(number < self.len, "document {number} of {}", self.len);
        self.block.get(number)
    }

    /// The documents in order of arrival.
    pub fn documents(&self) -> impl Iterator<Item = &OpenDocument> {
        (0..self.len).map(|number| self.block.get(number))
    }
}

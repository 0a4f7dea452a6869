//! The best hits seen so far.

use std::collections::BinaryHeap;

use crate::Rank;

/// A document by its place among the blocks of one search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The block's position in the order of visiting.
    pub(super) block: usize,
    /// The document's number in it.
    pub(super) document: usize,
}

/// Keeps one more than the size of the page, to know whether anything follows.
#[derive(Debug)]
pub(super) struct Page {
    size: usize,
    /// The worst on top.
    kept: BinaryHeap<(Rank, Place)>,
}

impl Page {
    pub(super) fn new(size: usize) -> Page {
        Page { size, kept: BinaryHeap::new() }
    }

    /// Whether a hit of this rank would change anything.
    pub(super) fn wants(&self, rank: Rank) -> bool {
        self.kept.len() <= self.size || self.kept.peek().is_some_and(|(worst, _)| rank < *worst)
    }

    pub(super) fn add(&mut self, rank: Rank, place: Place) {
        if !self.wants(rank) {
            return;
        }
        self.kept.push((rank, place));
        if self.kept.len() > self.size.saturating_add(1) {
            self.kept.pop();
        }
    }

    /// Takes over what another part of the same search kept.
    pub(super) fn merge(&mut self, other: Page) {
        other.kept.into_iter().for_each(|(rank, place)| self.add(rank, place));
    }

    /// Whether there are more hits than the page takes.
    pub(super) fn has_more(&self) -> bool {
        self.kept.len() > self.size
    }

    /// The page in order.
    pub(super) fn into_places(self) -> Vec<Place> {
        let size = self.size;
        self.kept.into_sorted_vec().into_iter().take(size).map(|(_, place)| place).collect()
    }
}

//! A list that only grows: one writes, others read what they know to be there, and nobody waits.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Entries of the first page; each page has twice as many as the one before.
const FIRST_PAGE: usize = 64;

/// Enough for as many entries as a u32 counts.
const PAGES: usize = 26;

type Page<T> = Box<[OnceLock<T>]>;

/// The list.
pub(super) struct GrowingList<T> {
    pages: [OnceLock<Page<T>>; PAGES],
    len: AtomicUsize,
}

impl<T> GrowingList<T> {
    /// The number of entries; they stay.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    pub(super) fn get(&self, position: usize) -> Option<&T> {
        let (page, place) = locate(position);
        self.pages.get(page)?.get()?.get(place)?.get()
    }

    /// Adds an entry and gives its position. By one thread at a time.
    pub(super) fn push(&self, entry: T) -> usize {
        let position = self.len();
        let (page, place) = locate(position);
        let new_page = || std::iter::repeat_with(OnceLock::new).take(FIRST_PAGE << page).collect();
        let filled = self.pages[page].get_or_init(new_page)[place].set(entry).is_ok();
        assert!(filled, "one thread at a time adds to a list");
        self.len.store(position + 1, Ordering::Release);
        position
    }
}

impl<T> Default for GrowingList<T> {
    fn default() -> GrowingList<T> {
        GrowingList { pages: [const { OnceLock::new() }; PAGES], len: AtomicUsize::new(0) }
    }
}

impl<T> fmt::Debug for GrowingList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrowingList").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The page of a position and its place in it.
fn locate(position: usize) -> (usize, usize) {
    let page = (position / FIRST_PAGE + 1).ilog2() as usize;
    (page, position - FIRST_PAGE * ((1 << page) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_stays_at_its_position() {
        let list = GrowingList::default();
        for number in 0..10_000usize {
            assert_eq!(list.get(number), None);
            assert_eq!(list.push(number * 3), number);
        }
        assert_eq!(list.len(), 10_000);
        assert!((0..10_000).all(|number| list.get(number) == Some(&(number * 3))));
        assert_eq!((list.get(10_000), list.get(usize::MAX)), (None, None));
    }
}

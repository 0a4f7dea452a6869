//! Text that is held together with its neighbours.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A part of a text that it shares with others: the documents of one request are parts of its body. Cheap to clone; the whole
/// text stays in memory as long as one of its parts.
#[derive(Clone)]
pub struct SharedText {
    whole: Arc<String>,
    start: u32,
    end: u32,
}

impl SharedText {
    /// All of a text, of less than 4 GiB.
    pub fn new(whole: String) -> SharedText {
        let end = u32::try_from(whole.len()).expect("a text has less than 4 GiB");
        SharedText { whole: Arc::new(whole), start: 0, end }
    }

    /// A part of this one; it begins and ends between two characters.
    pub fn part(&self, range: Range<usize>) -> SharedText {
        let part = &self[range.clone()];
        let start = self.start + range.start as u32;
        SharedText { whole: Arc::clone(&self.whole), start, end: start + part.len() as u32 }
    }

    /// The bytes that this part keeps in memory.
    pub fn held_bytes(&self) -> usize {
        self.whole.capacity()
    }

    /// The same text for itself, when too little is left of what it was a part of.
    pub fn alone(&self) -> SharedText {
        SharedText::from(&**self)
    }
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.whole[self.start as usize..self.end as usize]
    }
}

impl Default for SharedText {
    fn default() -> SharedText {
        SharedText::new(String::new())
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> SharedText {
        SharedText::new(text.to_owned())
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> SharedText {
        SharedText::new(text)
    }
}

impl PartialEq for SharedText {
    fn eq(&self, other: &SharedText) -> bool {
        **self == **other
    }
}

impl Eq for SharedText {}

impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_part_is_the_text_at_its_place() {
        let whole = SharedText::from("один два three");
        let part = whole.part(5 + 4..whole.len());
        assert_eq!((&*part, &*part.part(7..12), &*part.part(2..2)), ("два three", "three", ""));
        assert_eq!(part.part(7..12), SharedText::from("three"));
        assert_ne!(part, whole);
        let alone = part.alone();
        assert_eq!((&alone, alone.held_bytes()), (&part, part.len()));
        assert!(part.held_bytes() >= whole.len());
    }
}

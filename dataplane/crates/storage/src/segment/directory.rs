//! Where the pages of a sorted section are: kept in memory as long as the segment is open.
//!
//! ```text
//! u32  pages
//! for each page, by key: u32 first key, u32 length, u32 crc of the page
//! ```

use std::ops::Range;

use super::bytes::{ByteReader, Malformed};

/// What is known of a page but for its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageEntry {
    pub(super) first_key: u32,
    pub(super) length: u32,
    pub(super) crc: u32,
}

impl PageEntry {
    pub(super) fn of(first_key: u32, page: &[u8]) -> PageEntry {
        PageEntry { first_key, length: page.len() as u32, crc: crc32fast::hash(page) }
    }
}

/// The pages of a section, one behind the other, by key. No key stands on two pages.
#[derive(Debug, Default)]
pub(super) struct PageDirectory {
    pages: Vec<PageEntry>,
    /// Where each page ends.
    ends: Vec<u64>,
}

/// The page that may hold a key.
#[derive(Debug, Clone)]
pub(super) struct PagePlace {
    pub(super) number: u32,
    pub(super) entry: PageEntry,
    /// Where it stands in the section.
    pub(super) range: Range<u64>,
}

impl PageDirectory {
    pub(super) fn push(&mut self, entry: PageEntry) {
        self.ends.push(self.bytes_total() + u64::from(entry.length));
        self.pages.push(entry);
    }

    /// The length of the section.
    pub(super) fn bytes_total(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The page on which a key stands if it stands anywhere.
    pub(super) fn find(&self, key: u32) -> Option<PagePlace> {
        let number = self.pages.partition_point(|page| page.first_key <= key).checked_sub(1)?;
        Some(self.page(number))
    }

    /// All pages, in order.
    pub(super) fn pages(&self) -> impl Iterator<Item = PagePlace> {
        (0..self.pages.len()).map(|number| self.page(number))
    }

    fn page(&self, number: usize) -> PagePlace {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        PagePlace { number: number as u32, entry: self.pages[number], range: start..self.ends[number] }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend((self.pages.len() as u32).to_le_bytes());
        for page in &self.pages {
            bytes.extend([page.first_key, page.length, page.crc].map(u32::to_le_bytes).concat());
        }
    }

    /// Of a section of `section_bytes`, which its pages fill.
    pub(super) fn decode(reader: &mut ByteReader<'_>, section_bytes: u64) -> Result<PageDirectory, Malformed> {
        let count = reader.u32()? as usize;
        if reader.left() / 12 < count {
            return Err(reader.malformed("an entry for each page"));
        }
        let mut directory = PageDirectory { pages: Vec::with_capacity(count), ends: Vec::with_capacity(count) };
        for _ in 0..count {
            let entry = PageEntry { first_key: reader.u32()?, length: reader.u32()?, crc: reader.u32()? };
            if directory.pages.last().is_some_and(|before| before.first_key >= entry.first_key) {
                return Err(reader.malformed("ascending keys"));
            }
            directory.push(entry);
        }
        if directory.bytes_total() != section_bytes {
            return Err(reader.malformed("pages that fill their section"));
        }
        Ok(directory)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.pages.capacity() * size_of::<PageEntry>() + self.ends.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sought_on_the_last_page_that_does_not_begin_behind_it() {
        let mut directory = PageDirectory::default();
        for (first_key, length) in [(10, 100), (20, 50), (21, 7)] {
            directory.push(PageEntry { first_key, length, crc: first_key });
        }
        let found = |key: u32| directory.find(key).map(|place| (place.number, place.range));
        assert_eq!(found(9), None);
        assert_eq!([found(10), found(19)], [Some((0, 0..100)), Some((0, 0..100))]);
        assert_eq!([found(20), found(u32::MAX)], [Some((1, 100..150)), Some((2, 150..157))]);
        let mut bytes = Vec::new();
        directory.encode(&mut bytes);
        let decoded = PageDirectory::decode(&mut ByteReader::new(&bytes), 157).expect("as written");
        assert_eq!(decoded.pages, directory.pages);
        assert!(PageDirectory::decode(&mut ByteReader::new(&bytes), 158).is_err());
        assert!(PageDirectory::decode(&mut ByteReader::new(&bytes[..bytes.len() - 1]), 157).is_err());
    }
}

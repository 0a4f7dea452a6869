//! The id table: in which documents an explicit `_id` stands, and a filter that knows most of those that stand in none.
//!
//! An id's hash is the xxh3 (64 bits) of index, a zero byte and id. The table is sorted by the lower half of it; whoever finds
//! an entry compares the document's id, so equal hashes cost a reading and nothing else.
//!
//! ```text
//! page of ids
//! u32  entries, at least one
//! u8   r, the low bits of the Rice code of hash gaps
//! u8   bits of a block number
//! bits for each entry, by hash, block and document:
//!        lower half of the hash, less that of the entry before    Rice code with r; the first stands in the directory
//!        block                                                    as many bits as said above
//!        document                                                 16 bits
//!
//! id filter
//!      the directory of pages, see `directory`
//! u32  filter blocks of 64 bytes, about ten bits an id
//!      the blocks: an id's block is the upper half of its hash times the number of blocks, upper 32 bits of that; its bits there
//!      are seven pieces of nine bits of the hash times 0x9E3779B97F4A7C15, the lowest first
//! ```
//!
//! A page ends with the entry that brings it to 512, unless the next one has the same hash.

use grepzilla_model::IndexName;
use xxhash_rust::xxh3::Xxh3;

use super::bits::{BitReader, BitWriter};
use super::bytes::{ByteReader, Malformed};
use super::directory::{PageDirectory, PageEntry};

/// Entries of a full page.
const PAGE_ENTRIES: usize = 512;

/// Bits of the filter for each id.
const FILTER_BITS: usize = 10;

/// Bits that an id sets in its filter block.
const FILTER_PIECES: u32 = 7;

const FILTER_BLOCK_BITS: usize = 512;

const DOCUMENT_BITS: u32 = 16;

/// The hash of an id in its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdHash(u64);

impl IdHash {
    pub(super) fn new(index: &IndexName, id: &str) -> IdHash {
        let mut hasher = Xxh3::new();
        hasher.update(index.as_str().as_bytes());
        hasher.update(&[0]);
        hasher.update(id.as_bytes());
        IdHash(hasher.digest())
    }

    /// What the table is sorted by.
    pub(super) fn lower(self) -> u32 {
        self.0 as u32
    }
}

/// A document of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentPlace {
    /// The number of its block in the segment.
    pub block: u32,
    /// Its number in the block.
    pub document: u16,
}

/// Collects ids.
#[derive(Debug, Default)]
pub(super) struct IdsWriter {
    entries: Vec<(IdHash, DocumentPlace)>,
}

impl IdsWriter {
    pub(super) fn add(&mut self, hash: IdHash, place: DocumentPlace) {
        self.entries.push((hash, place));
    }

    /// Gives the pages one after the other, and the filter section.
    pub(super) fn finish<E>(
        mut self,
        block_count: u32,
        mut give: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Vec<u8>, E> {
        self.entries.sort_unstable_by_key(|(hash, place)| (hash.lower(), *place));
        let block_bits = u32::BITS - block_count.leading_zeros();
        let mut directory = PageDirectory::default();
        let mut rest = &self.entries[..];
        while !rest.is_empty() {
            let full = rest.len().min(PAGE_ENTRIES);
            let same = rest[full..].iter().take_while(|(hash, _)| hash.lower() == rest[full - 1].0.lower()).count();
            let (taken, behind) = rest.split_at(full + same);
            let bytes = page(taken, block_bits);
            directory.push(PageEntry::of(taken[0].0.lower(), &bytes));
            give(&bytes)?;
            rest = behind;
        }
        let mut bytes = Vec::new();
        directory.encode(&mut bytes);
        Filter::of(self.entries.iter().map(|(hash, _)| *hash)).encode(&mut bytes);
        Ok(bytes)
    }
}

fn page(entries: &[(IdHash, DocumentPlace)], block_bits: u32) -> Vec<u8> {
    let lower = |place: usize| entries[place].0.lower();
    let mean_gap = (lower(entries.len() - 1) - lower(0)) / entries.len() as u32;
    let rice_bits = mean_gap.checked_ilog2().unwrap_or(0);
    let mut bits = BitWriter::default();
    let mut before = lower(0);
    for (hash, place) in entries {
        bits.put_rice(hash.lower() - before, rice_bits);
        bits.put(place.block, block_bits);
        bits.put(u32::from(place.document), DOCUMENT_BITS);
        before = hash.lower();
    }
    let mut bytes = (entries.len() as u32).to_le_bytes().to_vec();
    bytes.extend([rice_bits as u8, block_bits as u8]);
    bytes.extend(bits.finish());
    bytes
}

/// The documents of a hash on the page where it stands if it stands anywhere, ascending. The page's checksum has been checked.
pub(super) fn find_in_page(page: &[u8], first_key: u32, hash: IdHash) -> Result<Vec<DocumentPlace>, Malformed> {
    let mut header = ByteReader::new(page);
    let (count, rice_bits, block_bits) = (header.u32()?, u32::from(header.u8()?), u32::from(header.u8()?));
    if rice_bits >= u32::BITS || block_bits > u32::BITS {
        return Err(header.malformed("the header of a page of ids"));
    }
    let mut bits = BitReader::new(&page[6..]);
    let (mut at, mut found) = (first_key, Vec::new());
    for _ in 0..count {
        let gap = bits.take_rice(rice_bits)?;
        at = at.checked_add(gap).ok_or_else(|| header.malformed("ascending hashes"))?;
        let block = bits.take(block_bits)?;
        let document = bits.take(DOCUMENT_BITS)? as u16;
        if at > hash.lower() {
            break;
        }
        if at == hash.lower() {
            found.push(DocumentPlace { block, document });
        }
    }
    Ok(found)
}

/// What stays in memory of the id table.
#[derive(Debug)]
pub(super) struct IdFilter {
    pub(super) directory: PageDirectory,
    filter: Filter,
}

impl IdFilter {
    /// Of a segment whose pages of ids take `section_bytes`.
    pub(super) fn decode(bytes: &[u8], section_bytes: u64) -> Result<IdFilter, Malformed> {
        let mut reader = ByteReader::new(bytes);
        let directory = PageDirectory::decode(&mut reader, section_bytes)?;
        let filter = Filter::decode(&mut reader)?;
        reader.end()?;
        Ok(IdFilter { directory, filter })
    }

    /// `false`: no document has the id.
    pub(super) fn may_have(&self, hash: IdHash) -> bool {
        self.filter.may_have(hash)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.directory.memory_bytes() + size_of_val(&*self.filter.words)
    }
}

/// A Bloom filter whose bits for one id lie within 64 bytes.
#[derive(Debug)]
struct Filter {
    words: Box<[u64]>,
}

impl Filter {
    fn of(hashes: impl ExactSizeIterator<Item = IdHash>) -> Filter {
        let block_count = (hashes.len() * FILTER_BITS).div_ceil(FILTER_BLOCK_BITS);
        let mut filter = Filter { words: vec![0; block_count * 8].into() };
        for hash in hashes {
            let (start, bits) = filter.place(hash);
            bits.for_each(|bit| filter.words[start + bit / 64] |= 1 << (bit % 64));
        }
        filter
    }

    fn may_have(&self, hash: IdHash) -> bool {
        let (start, mut bits) = self.place(hash);
        !self.words.is_empty() && bits.all(|bit| self.words[start + bit / 64] & (1 << (bit % 64)) != 0)
    }

    /// The first word of a hash's block, and its bits there.
    fn place(&self, hash: IdHash) -> (usize, impl Iterator<Item = usize> + use<>) {
        let block = ((hash.0 >> 32) * (self.words.len() as u64 / 8)) >> 32;
        let pieces = hash.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let bits = (0..FILTER_PIECES).map(move |piece| (pieces >> (9 * piece)) as usize % FILTER_BLOCK_BITS);
        (block as usize * 8, bits)
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend((self.words.len() as u32 / 8).to_le_bytes());
        self.words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    }

    fn decode(reader: &mut ByteReader<'_>) -> Result<Filter, Malformed> {
        let block_count = reader.u32()? as usize;
        let bytes = reader.take(block_count.saturating_mul(64))?;
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
        Ok(Filter { words: bytes.chunks_exact(8).map(word).collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn write(entries: &[(String, DocumentPlace)], block_count: u32) -> (Vec<u8>, Vec<u8>) {
        let (index, mut writer, mut pages) = (IndexName::default(), IdsWriter::default(), Vec::new());
        entries.iter().for_each(|(id, place)| writer.add(IdHash::new(&index, id), *place));
        let keep = |page: &[u8]| {
            pages.extend_from_slice(page);
            Ok::<(), Infallible>(())
        };
        let filter = writer.finish(block_count, keep).expect("nothing fails");
        (pages, filter)
    }

    fn find(pages: &[u8], filter: &IdFilter, hash: IdHash) -> Vec<DocumentPlace> {
        let Some(place) = filter.directory.find(hash.lower()) else { return Vec::new() };
        let page = &pages[place.range.start as usize..place.range.end as usize];
        find_in_page(page, place.entry.first_key, hash).expect("as written")
    }

    fn place(number: u32) -> DocumentPlace {
        DocumentPlace { block: number / 100, document: (number % 100 * 600) as u16 }
    }

    #[test]
    fn every_id_is_found_in_all_its_documents_and_few_others_pass_the_filter() {
        // An id of many versions does not leave its page.
        let ids =
            (0..20_000).map(|number| (format!("id-{}", if number % 10 == 0 { 0 } else { number }), place(number)));
        let ids: Vec<(String, DocumentPlace)> = ids.collect();
        let (pages, filter) = write(&ids, 200);
        assert!(pages.len() < 6 * ids.len() && filter.len() < 2 * ids.len(), "{} {}", pages.len(), filter.len());
        let filter = IdFilter::decode(&filter, pages.len() as u64).expect("as written");
        let hash = |id: &str| IdHash::new(&IndexName::default(), id);
        for (id, place) in &ids {
            assert!(filter.may_have(hash(id)), "{id}");
            let found = find(&pages, &filter, hash(id));
            assert!(found.contains(place) && found.is_sorted(), "{id}");
        }
        assert_eq!(find(&pages, &filter, hash("id-0")).len(), 2_000);
        let passed = (0..10_000).filter(|number| filter.may_have(hash(&format!("other-{number}")))).count();
        assert!(passed < 300, "{passed} of 10,000");
        let other_index = IndexName::new("other").expect("valid");
        assert_ne!(IdHash::new(&other_index, "id-1"), hash("id-1"));
    }

    #[test]
    fn without_ids_there_is_no_page_and_nothing_passes() {
        let (pages, filter) = write(&[], 0);
        assert_eq!((pages.len(), filter.len()), (0, 8));
        let filter = IdFilter::decode(&filter, 0).expect("as written");
        assert!(!filter.may_have(IdHash(7)) && filter.directory.find(7).is_none());
    }

    #[test]
    fn a_damaged_page_gives_an_error_or_places_and_never_panics() {
        let ids: Vec<_> = (0..600).map(|number| (number.to_string(), place(number))).collect();
        let (pages, filter) = write(&ids, 6);
        for at in 0..pages.len().min(40) {
            for byte in 0..=255 {
                let mut page = pages.clone();
                page[at] = byte;
                let _either = find_in_page(&page, 0, IdHash(u64::from(u32::MAX)));
            }
        }
        assert!(IdFilter::decode(&filter[..filter.len() - 1], pages.len() as u64).is_err());
        assert!(find_in_page(&[], 0, IdHash(0)).is_err());
    }
}

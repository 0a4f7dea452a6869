//! Pages: the keys and lists of a stretch of the gram index, read together.
//!
//! ```text
//! u16  keys of the page
//! u8   r, the low bits of the Rice code of key gaps
//! u8   groups but the first, for each: u32 its first key less that of the page, u16 keys of the page before it, u16 the bit at which
//!      it begins
//! bits for each key, ascending:
//!        key less the key before, less one    Rice code with r; not for the first one of a group
//!        number of units                      gamma code
//!        units                                see `list`
//! ```
//!
//! The page's first key stands in the directory. A page ends with the key that brings its bits to 4 KiB, a group with the one that
//! brings its bits to 256 bytes. Keys of short lists take some thirty bits; a look-up is one reading of a page and a walk over half
//! a group.

use super::list::{put_list, take_list};
use super::{GramKey, UnitSet};
use crate::segment::bits::{BitReader, BitWriter};
use crate::segment::bytes::{ByteReader, Malformed};
use crate::segment::directory::PageEntry;

/// From how many bits on a page is full. A group begins before that, so its bit fits into a u16.
const PAGE_BITS: usize = 4096 * 8;

/// The most keys of a page.
const PAGE_KEYS_MAX: u32 = u16::MAX as u32;

/// From how many bits on a group is full, so there are at most 16.
const GROUP_BITS: usize = 256 * 8;

/// Bytes of a group's entry.
const GROUP_BYTES: usize = 8;

const RICE_BITS_MAX: u32 = 24;

/// Makes pages.
#[derive(Debug)]
pub(crate) struct PageWriter {
    unit_count: u32,
    bits: BitWriter,
    /// The entries of all groups but the first.
    groups: Vec<u8>,
    /// The bit at which the last group begins.
    group_start: usize,
    first_key: u32,
    last_key: u32,
    key_count: u32,
    rice_bits: u32,
}

impl PageWriter {
    pub(crate) fn new(unit_count: u32) -> PageWriter {
        let (bits, groups) = (BitWriter::default(), Vec::new());
        PageWriter { unit_count, bits, groups, group_start: 0, first_key: 0, last_key: 0, key_count: 0, rice_bits: 4 }
    }

    /// Adds the next key with its units, at least one. Gives the page if it is full.
    pub(crate) fn add(&mut self, key: GramKey, units: &[u32]) -> Option<(PageEntry, Vec<u8>)> {
        if self.key_count == 0 {
            self.first_key = key.0;
        } else if self.bits.len() - self.group_start >= GROUP_BITS {
            self.group_start = self.bits.len();
            self.groups.extend((key.0 - self.first_key).to_le_bytes());
            self.groups.extend((self.key_count as u16).to_le_bytes());
            self.groups.extend((self.group_start as u16).to_le_bytes());
        } else {
            self.bits.put_rice(key.0 - self.last_key - 1, self.rice_bits);
        }
        self.last_key = key.0;
        self.key_count += 1;
        self.bits.put_gamma(units.len() as u32);
        put_list(&mut self.bits, units, 0, self.unit_count);
        (self.bits.len() >= PAGE_BITS || self.key_count == PAGE_KEYS_MAX).then(|| self.page())
    }

    /// The last page, if any.
    pub(crate) fn finish(mut self) -> Option<(PageEntry, Vec<u8>)> {
        (self.key_count > 0).then(|| self.page())
    }

    fn page(&mut self) -> (PageEntry, Vec<u8>) {
        let mut bytes = (self.key_count as u16).to_le_bytes().to_vec();
        bytes.extend([self.rice_bits as u8, (self.groups.len() / GROUP_BYTES) as u8]);
        bytes.append(&mut self.groups);
        bytes.extend(self.bits.finish());
        // Gaps of neighbouring pages are alike.
        let mean_gap = (self.last_key - self.first_key) / self.key_count;
        self.rice_bits = mean_gap.checked_ilog2().unwrap_or(0).min(RICE_BITS_MAX);
        (self.key_count, self.group_start) = (0, 0);
        (PageEntry::of(self.first_key, &bytes), bytes)
    }
}

/// The units of a key on the page where it stands if it stands anywhere; `None`: it does not. The page's checksum has been checked.
pub(crate) fn find_in_page(
    page: &[u8],
    first_key: u32,
    key: GramKey,
    unit_count: usize,
) -> Result<Option<UnitSet>, Malformed> {
    let mut header = ByteReader::new(page);
    let (key_count, rice_bits) = (u32::from(header.u16()?), u32::from(header.u8()?));
    let group_count = usize::from(header.u8()?);
    let (groups, _none) = header.take(group_count * GROUP_BYTES)?.as_chunks();
    let group = Group::find(groups, key.0.saturating_sub(first_key), key_count);
    let start = first_key.checked_add(group.key).filter(|_| rice_bits <= RICE_BITS_MAX);
    let start = start.ok_or_else(|| header.malformed("the header of a page"))?;
    let mut bits = BitReader::new(header.take(header.left())?);
    bits.seek(group.bit);
    find_in_group(&mut bits, start, group.key_count, rice_bits, key, unit_count)
}

/// A stretch of a page.
struct Group {
    /// Its first key less that of the page.
    key: u32,
    key_count: u32,
    bit: usize,
}

impl Group {
    /// The last group that does not begin behind a key, which is counted from that of the page.
    fn find(groups: &[[u8; GROUP_BYTES]], key: u32, page_key_count: u32) -> Group {
        let start = |group: &[u8; GROUP_BYTES]| u32::from_le_bytes([group[0], group[1], group[2], group[3]]);
        let small = |group: &[u8; GROUP_BYTES], at: usize| u16::from_le_bytes([group[at], group[at + 1]]);
        let number = groups.partition_point(|group| start(group) <= key);
        let keys_end = groups.get(number).map_or(page_key_count, |next| u32::from(small(next, 4)));
        match number.checked_sub(1).map(|before| &groups[before]) {
            None => Group { key: 0, key_count: keys_end, bit: 0 },
            Some(group) => Group {
                key: start(group),
                key_count: keys_end.saturating_sub(u32::from(small(group, 4))),
                bit: usize::from(small(group, 6)),
            },
        }
    }
}

fn find_in_group(
    bits: &mut BitReader<'_>,
    first_key: u32,
    key_count: u32,
    rice_bits: u32,
    key: GramKey,
    unit_count: usize,
) -> Result<Option<UnitSet>, Malformed> {
    let end = u32::try_from(unit_count).expect("units are numbered by 32 bits");
    let mut at = first_key;
    for number in 0..key_count {
        if number > 0 {
            let gap = bits.take_rice(rice_bits)?;
            let next = at.checked_add(gap).and_then(|at| at.checked_add(1));
            at = next.ok_or_else(|| bits.malformed("a key of 32 bits"))?;
        }
        if at > key.0 {
            return Ok(None);
        }
        let count = bits.take_gamma()?;
        if count > end {
            return Err(bits.malformed("no more units than there are"));
        }
        if at == key.0 {
            let mut set = UnitSet::none(unit_count);
            take_list(bits, count, 0, end, &mut |units| set.insert_range(units))?;
            return Ok(Some(set));
        }
        take_list(bits, count, 0, end, &mut |_| {})?;
    }
    Ok(None)
}

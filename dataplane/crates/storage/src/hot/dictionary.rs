//! The distinct values of a sealed block, laid out for scanning.
//!
//! Values are numbered and stand in four groups: by whether they are ASCII, and by whether folding changes them. Within a group they stand by
//! column. All spellings as written are one buffer, the foldings that differ are another, each value followed by the
//! byte 0xFF, which UTF-8 never has:
//!
//! ```text
//! group       0 ascii, differing   1 ascii, same   2 other, same   3 other, differing
//! written     C:\Temp FF Log FF    80 FF true FF   кошки FF        Zażółć FF
//! folded      c:\temp FF log FF                                    zazołc FF
//! ```
//!
//! So a search of the text as written reads the first buffer, one of the folded text reads groups 1 and 2 of the first and all
//! of the second, and nothing is kept twice. ASCII stands apart because regular expressions have a faster twin for it.

use std::ops::Range;

/// How the values of a search are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As they came.
    Written,
    /// Folded.
    Folded,
}

/// Number of groups.
pub(super) const GROUPS: usize = 4;

/// Whether each group's values are ASCII as written.
const GROUP_IS_ASCII: [bool; GROUPS] = [true, true, false, false];

/// The group of a value.
pub(super) fn group(is_ascii: bool, differs: bool) -> usize {
    match (is_ascii, differs) {
        (true, true) => 0,
        (true, false) => 1,
        (false, false) => 2,
        (false, true) => 3,
    }
}

/// Values one after the other, each followed by 0xFF.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Where each value's 0xFF stands.
    ends: Vec<u32>,
}

impl Buffer {
    pub(super) fn push(&mut self, value: &str) {
        self.bytes.extend_from_slice(value.as_bytes());
        self.ends.push(u32::try_from(self.bytes.len()).expect("a block is far smaller than 4 GiB"));
        self.bytes.push(0xFF);
    }

    fn run(&self, values: Range<usize>, first_number: usize, is_ascii: bool) -> ValueRun<'_> {
        let base = if values.start == 0 { 0 } else { self.ends[values.start - 1] as usize + 1 };
        let ends = &self.ends[values];
        let end = ends.last().map_or(base, |end| *end as usize + 1);
        ValueRun { bytes: &self.bytes[base..end], ends, base, first_number, is_ascii }
    }

    fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// All distinct values of a block.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    written: Buffer,
    folded: Buffer,
    /// The number of values in each group.
    group_len: [usize; GROUPS],
}

impl Dictionary {
    /// Adds the next value; groups ascending. `folded` for those that folding changes.
    pub(super) fn push(&mut self, group: usize, written: &str, folded: Option<&str>) {
        self.written.push(written);
        self.group_len[group] += 1;
        if let Some(folded) = folded {
            self.folded.push(folded);
        }
    }

    /// The numbers of each group's values.
    pub(super) fn groups(&self) -> [Range<usize>; GROUPS] {
        let mut end = 0;
        self.group_len.map(|len| {
            end += len;
            end - len..end
        })
    }

    /// The run of a range of values of one group.
    pub(super) fn run(&self, group: usize, numbers: Range<usize>, spelling: Spelling) -> ValueRun<'_> {
        let first_number = numbers.start;
        let in_folded = |numbers: Range<usize>, skipped: usize| numbers.start - skipped..numbers.end - skipped;
        let is_ascii = GROUP_IS_ASCII[group];
        match (spelling, group) {
            (Spelling::Folded, 0) => self.folded.run(numbers, first_number, is_ascii),
            (Spelling::Folded, 3) => {
                let skipped = self.group_len[1] + self.group_len[2];
                self.folded.run(in_folded(numbers, skipped), first_number, is_ascii)
            }
            _ => self.written.run(numbers, first_number, is_ascii),
        }
    }

    pub(super) fn shrink(&mut self) {
        self.written.shrink();
        self.folded.shrink();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.written.memory_bytes() + self.folded.memory_bytes()
    }
}

/// Distinct values that stand together, in one spelling.
#[derive(Debug, Clone, Copy)]
pub struct ValueRun<'a> {
    bytes: &'a [u8],
    ends: &'a [u32],
    base: usize,
    first_number: usize,
    is_ascii: bool,
}

impl<'a> ValueRun<'a> {
    /// The values, each followed by 0xFF.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether all values are ASCII as written.
    pub fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// How many values there are.
    pub fn value_count(&self) -> usize {
        self.ends.len()
    }

    /// The value, by its place in this run, that holds the byte at `offset`; its 0xFF belongs to it. `from`: a place that is not
    /// behind it, 0 always being right.
    pub fn value_at(&self, offset: usize, from: usize) -> usize {
        let position = self.base + offset;
        from + self.ends[from..].partition_point(|end| (*end as usize) < position)
    }

    /// Where the value at a place of this run stands in [`ValueRun::bytes`], without its 0xFF.
    pub fn range(&self, place: usize) -> Range<usize> {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize + 1 - self.base };
        start..self.ends[place] as usize - self.base
    }

    /// The number in its block of the value at a place of this run.
    pub fn number(&self, place: usize) -> usize {
        self.first_number + place
    }
}

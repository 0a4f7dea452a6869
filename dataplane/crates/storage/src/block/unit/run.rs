//! Values of a unit that stand together.

use std::ops::Range;

/// Distinct values that stand together, in one spelling.
#[derive(Debug, Clone, Copy)]
pub struct ValueRun<'a> {
    bytes: &'a [u8],
    ends: &'a [u32],
    base: usize,
    first_number: usize,
    is_ascii: bool,
    ignores_case: bool,
}

impl<'a> ValueRun<'a> {
    /// Values, each followed by 0xFF; these stand at `ends`, which count from `base` bytes before the first value.
    pub(super) fn new(
        bytes: &'a [u8],
        ends: &'a [u32],
        base: usize,
        first_number: usize,
        is_ascii: bool,
    ) -> ValueRun<'a> {
        ValueRun { bytes, ends, base, first_number, is_ascii, ignores_case: false }
    }

    /// The same, to be read without regard to case.
    pub(super) fn ignoring_case(self) -> ValueRun<'a> {
        ValueRun { ignores_case: true, ..self }
    }

    /// The values, each followed by 0xFF.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether all values are ASCII as written.
    pub fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// Whether the folded values were asked for and folding them is left to the reader: they are ASCII as written, and folded they
    /// are the same in lower case.
    pub fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    /// Values that are to be read without regard to case, in lower case, which is put into `room`.
    pub fn in_lower_case<'b>(&self, room: &'b mut Vec<u8>) -> ValueRun<'b>
    where
        'a: 'b,
    {
        room.clear();
        room.extend_from_slice(self.bytes);
        room.make_ascii_lowercase();
        ValueRun { bytes: room, ignores_case: false, ..*self }
    }

    /// How many values there are.
    pub fn value_count(&self) -> usize {
        self.ends.len()
    }

    /// The value, by its place in this run, that holds the byte at `offset`; its 0xFF belongs to it. `from`: a place that is not
    /// behind it, 0 always being right.
    pub fn value_at(&self, offset: usize, from: usize) -> usize {
        let position = self.base + offset;
        let is_before = |end: &u32| (*end as usize) < position;
        // Most of what is found stands near what was found before, so steps double from there.
        let (mut low, mut step) = (from, 1);
        while self.ends.get(low + step).is_some_and(is_before) {
            low += step;
            step *= 2;
        }
        let high = self.ends.len().min(low + step + 1);
        low + self.ends[low..high].partition_point(is_before)
    }

    /// Where the value at a place of this run stands in [`ValueRun::bytes`], without its 0xFF.
    pub fn range(&self, place: usize) -> Range<usize> {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize + 1 - self.base };
        start..self.ends[place] as usize - self.base
    }

    /// The number in its unit of the value at a place of this run.
    pub fn number(&self, place: usize) -> usize {
        self.first_number + place
    }
}

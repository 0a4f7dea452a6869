//! Choices out of bytes. Where the bytes have ended, every further choice is zero.

use std::ops::Range;

/// Bytes that have not been used yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices { bytes }
    }

    /// Whether all bytes are used.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// At most so many bytes, as they are.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(count.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        let mut number = [0; N];
        let taken = self.take(N);
        number[..taken.len()].copy_from_slice(taken);
        number
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.number())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.number())
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// One of `count` things, of which there is at least one.
    pub(crate) fn one_of(&mut self, count: usize) -> usize {
        if count <= 256 { usize::from(self.u8()) % count } else { usize::from(self.u16()) % count }
    }

    /// One of some things, if there is one.
    pub(crate) fn among<'t, T>(&mut self, things: &'t mut [T]) -> Option<&'t mut T> {
        if things.is_empty() {
            return None;
        }
        let place = self.one_of(things.len());
        things.get_mut(place)
    }

    /// A stretch of `length` bytes, often a short one.
    pub(crate) fn range(&mut self, length: usize) -> Range<usize> {
        let start = usize::from(self.u16()) % (length + 1);
        let count = match self.u8() {
            short @ 0..192 => usize::from(short),
            long => usize::from(long - 191) * 256,
        };
        start..length.min(start + count)
    }

    /// A number of 64 bits, more often one that is the last of its kind.
    pub(crate) fn u64(&mut self) -> u64 {
        match self.u8() {
            small @ 0..128 => u64::from(small),
            bits @ 128..192 => (1 << (bits - 128)) - 1,
            bits @ 192..250 => 1 << (bits - 190),
            250 => u64::MAX - u64::from(self.u8()),
            251 => (i64::MAX as u64).wrapping_sub(u64::from(self.u8())),
            252 | 253 => u64::from(self.u16()),
            _ => u64::from_le_bytes(self.number()),
        }
    }

    /// Some bytes, their number before them.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let count = usize::from(self.u8());
        self.take(count)
    }

    /// Text, its length before it; what is not UTF-8 is replaced.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

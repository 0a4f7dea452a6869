//! A set of units of one segment.

use std::ops::Range;

/// Which units of a segment: a bit for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSet {
    words: Box<[u64]>,
    unit_count: usize,
}

impl UnitSet {
    /// No unit of a segment that has `unit_count`.
    pub fn none(unit_count: usize) -> UnitSet {
        UnitSet { words: vec![0; unit_count.div_ceil(64)].into(), unit_count }
    }

    /// All units of a segment that has `unit_count`.
    pub fn all(unit_count: usize) -> UnitSet {
        let mut set = UnitSet::none(unit_count);
        set.insert_range(0..unit_count);
        set
    }

    /// How many units the segment has.
    pub fn unit_count(&self) -> usize {
        self.unit_count
    }

    /// Adds a unit of the segment.
    pub fn insert(&mut self, unit: usize) {
        assert!(unit < self.unit_count, "unit {unit} of {}", self.unit_count);
        self.words[unit / 64] |= 1 << (unit % 64);
    }

    /// Adds units of the segment.
    pub fn insert_range(&mut self, units: Range<usize>) {
        assert!(units.end <= self.unit_count, "units to {} of {}", units.end, self.unit_count);
        let mut start = units.start;
        while start < units.end {
            let end = units.end.min((start / 64 + 1) * 64);
            self.words[start / 64] |= (u64::MAX >> (64 - (end - start))) << (start % 64);
            start = end;
        }
    }

    /// Whether it has a unit.
    pub fn contains(&self, unit: usize) -> bool {
        self.words.get(unit / 64).is_some_and(|word| word & (1 << (unit % 64)) != 0)
    }

    /// Keeps only what the other set of the same segment has too.
    pub fn and(&mut self, other: &UnitSet) {
        assert_eq!(self.unit_count, other.unit_count, "sets of one segment");
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds what the other set of the same segment has.
    pub fn or(&mut self, other: &UnitSet) {
        assert_eq!(self.unit_count, other.unit_count, "sets of one segment");
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// How many units it has.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The units, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(number, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.wrapping_sub(1);
                (bit < 64).then_some(number * 64 + bit as usize)
            })
        })
    }
}

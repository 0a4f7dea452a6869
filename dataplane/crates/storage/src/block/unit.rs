//! Distinct values that are stored and read together, laid out for scanning.
//!
//! Values are numbered and stand in four groups: by whether they are ASCII, and by whether folding changes them. Within a group they stand by
//! column, within a column in order of first appearance. As written they are one buffer, each value followed by the byte 0xFF, which
//! UTF-8 never has; the foldings of the last group are made when a search first asks for them:
//!
//! ```text
//! group       0 ascii, differing   1 ascii, same   2 other, same   3 other, differing
//! written     C:\Temp FF Log FF    80 FF true FF   кошки FF        Zażółć FF
//! folded                                                           zazołc FF
//! ```
//!
//! So a search of the text as written reads the first buffer, one of the folded text reads groups 1 and 2 of it, the foldings of 3, and 0
//! without regard to case, which is what folding does to ASCII: nothing is kept twice. ASCII stands apart for that, and because regular
//! expressions have a faster twin for it.

mod folded;
mod run;

use std::ops::Range;
use std::sync::OnceLock;

use super::Malformed;
use folded::Folded;

pub use run::ValueRun;

/// How the values of a search are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As they came.
    Written,
    /// Folded.
    Folded,
}

/// Number of groups.
pub const GROUPS: usize = 4;

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

/// Which values of a unit a search looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitValues {
    /// All.
    All,
    /// Those of one column: their numbers, by group.
    Column([Range<u32>; GROUPS]),
}

/// Values with their numbers.
#[derive(Debug)]
pub struct Unit {
    written: Box<[u8]>,
    /// Where each value's 0xFF stands.
    ends: Box<[u32]>,
    /// The number of the first value of each group, and of all values.
    group_starts: [u32; GROUPS + 1],
    /// The folding of group 3.
    folded: OnceLock<Folded>,
}

impl Unit {
    /// From the values as written, by group, each followed by 0xFF, and the number of values of each group. Checked: the numbers, ASCII and
    /// UTF-8; believed: which values folding changes.
    pub fn from_parts(written: Vec<u8>, group_len: [u32; GROUPS]) -> Result<Unit, Malformed> {
        let check = |holds, expected| Malformed::unless(holds, "a unit", expected);
        check(u32::try_from(written.len()).is_ok(), "less than 4 GiB")?;
        check(written.last().is_none_or(|last| *last == 0xFF), "a separator at the end")?;
        let total = group_len.iter().map(|len| u64::from(*len)).sum::<u64>();
        check(total <= written.len() as u64, "as many values as it says")?;
        let mut ends = Vec::with_capacity(total as usize);
        ends.extend(memchr::memchr_iter(0xFF, &written).map(|end| end as u32));
        check(total == ends.len() as u64, "as many values as it says")?;
        let unit = Unit::from_ends(written, ends, group_len);
        unit.check_text()?;
        Ok(unit)
    }

    /// The same from values that are known to be right.
    pub(super) fn from_ends(written: Vec<u8>, ends: Vec<u32>, group_len: [u32; GROUPS]) -> Unit {
        let mut group_starts = [0; GROUPS + 1];
        for (group, len) in group_len.iter().enumerate() {
            group_starts[group + 1] = group_starts[group] + len;
        }
        Unit { written: written.into(), ends: ends.into(), group_starts, folded: OnceLock::new() }
    }

    /// The values that are asked for, in one spelling, but for runs that are still to be read without regard to case, see
    /// [`ValueRun::ignores_case`]; empty runs are left out. Numbers ascend from run to run.
    pub fn runs<'a>(&'a self, spelling: Spelling, values: &UnitValues) -> impl Iterator<Item = ValueRun<'a>> + use<'a> {
        let runs = self.numbers(values).into_iter().enumerate().filter(|(_, numbers)| !numbers.is_empty());
        runs.map(move |(group, numbers)| match (spelling, group) {
            (Spelling::Folded, 0) => self.written_run(group, numbers).ignoring_case(),
            (Spelling::Folded, 3) => self.folded_run(numbers),
            _ => self.written_run(group, numbers),
        })
    }

    /// The values that are asked for, as written.
    pub fn written_runs<'a>(&'a self, values: &UnitValues) -> impl Iterator<Item = ValueRun<'a>> + use<'a> {
        self.runs(Spelling::Written, values)
    }

    /// Those of the values that are not ASCII as written.
    pub fn beyond_ascii(&self, values: &UnitValues) -> UnitValues {
        let numbers = self.numbers(values).map(|range| range.start as u32..range.end as u32);
        let [_, _, same, differing] = numbers;
        UnitValues::Column([0..0, 0..0, same, differing])
    }

    /// The number of values.
    pub fn value_count(&self) -> usize {
        self.ends.len()
    }

    /// A value as written: UTF-8.
    pub fn value(&self, number: u32) -> &[u8] {
        let number = number as usize;
        &self.written[self.start(number)..self.ends[number] as usize]
    }

    /// All values as written, by number, each followed by 0xFF.
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// The number of values of each group.
    pub fn group_len(&self) -> [u32; GROUPS] {
        std::array::from_fn(|group| self.group_starts[group + 1] - self.group_starts[group])
    }

    /// Bytes of memory, those of the foldings included whether they have been made or not, as far as they can be foretold.
    pub fn memory_bytes(&self) -> usize {
        let differing = self.group(3);
        let foldings = self.place_of(&differing).len() + differing.len() * size_of::<u32>();
        size_of::<Unit>() + self.written.len() + size_of_val(&*self.ends) + foldings
    }

    /// The numbers of a group's values.
    fn group(&self, group: usize) -> Range<usize> {
        self.group_starts[group] as usize..self.group_starts[group + 1] as usize
    }

    /// Where a value begins; of the number behind the last, where the values end.
    fn start(&self, number: usize) -> usize {
        if number == 0 { 0 } else { self.ends[number - 1] as usize + 1 }
    }

    /// By group the numbers of values.
    fn numbers(&self, values: &UnitValues) -> [Range<usize>; GROUPS] {
        match values {
            UnitValues::All => std::array::from_fn(|group| self.group(group)),
            UnitValues::Column(numbers) => numbers.each_ref().map(|range| range.start as usize..range.end as usize),
        }
    }

    /// Where the values of a range stand.
    fn place_of(&self, numbers: &Range<usize>) -> Range<usize> {
        self.start(numbers.start)..self.start(numbers.end)
    }

    /// The run of a range of values of one group.
    fn written_run(&self, group: usize, numbers: Range<usize>) -> ValueRun<'_> {
        let place = self.place_of(&numbers);
        let (bytes, first_number) = (&self.written[place.clone()], numbers.start);
        ValueRun::new(bytes, &self.ends[numbers], place.start, first_number, GROUP_IS_ASCII[group])
    }

    /// The folded run of a range of group 3.
    fn folded_run(&self, numbers: Range<usize>) -> ValueRun<'_> {
        let group = self.group(3);
        let folded = self.folded.get_or_init(|| Folded::new(group.clone().map(|number| self.value(number as u32))));
        let first_number = numbers.start;
        let numbers = numbers.start - group.start..numbers.end - group.start;
        let start = if numbers.start == 0 { 0 } else { folded.ends[numbers.start - 1] as usize + 1 };
        let bytes = &folded.text[start..folded.ends[numbers.end - 1] as usize + 1];
        ValueRun::new(bytes, &folded.ends[numbers], start, first_number, false)
    }

    fn check_text(&self) -> Result<(), Malformed> {
        let ascii_count = self.group(1).end;
        let ascii = &self.written[..self.start(ascii_count)];
        // All separators are beyond ASCII, so nothing else may be.
        // Counted in bytes, as many at a time as cannot overflow one, because that is done in wide registers.
        let beyond_of = |chunk: &[u8]| usize::from(chunk.iter().map(|byte| byte >> 7).sum::<u8>());
        let beyond = ascii.chunks(usize::from(u8::MAX)).map(beyond_of).sum::<usize>();
        let is_text = |number: usize| std::str::from_utf8(self.value(number as u32)).is_ok();
        let holds = beyond == ascii_count && (ascii_count..self.value_count()).all(is_text);
        Malformed::unless(holds, "a unit", "ASCII and UTF-8 where it says so")
    }
}

#[cfg(test)]
mod tests;

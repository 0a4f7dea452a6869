//! Lists of small numbers, as narrow as their bounds allow.

use std::ops::Range;

/// Codes of one column, or shapes of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeList<'a> {
    /// All are 0.
    Constant {
        /// How many.
        count: u32,
    },
    /// 0, 1, 2 and so on.
    InOrder {
        /// How many.
        count: u32,
    },
    /// Below 256.
    Narrow(&'a [u8]),
    /// Below 65,536, little-endian.
    Wide(&'a [[u8; 2]]),
    /// Any, little-endian.
    Widest(&'a [[u8; 4]]),
}

impl CodeList<'_> {
    /// The number of codes.
    pub fn len(&self) -> usize {
        match self {
            CodeList::Constant { count } | CodeList::InOrder { count } => *count as usize,
            CodeList::Narrow(codes) => codes.len(),
            CodeList::Wide(codes) => codes.len(),
            CodeList::Widest(codes) => codes.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The code at a position below [`CodeList::len`].
    pub fn get(&self, position: usize) -> u32 {
        match self {
            CodeList::Constant { .. } => 0,
            CodeList::InOrder { .. } => position as u32,
            CodeList::Narrow(codes) => u32::from(codes[position]),
            CodeList::Wide(codes) => u32::from(u16::from_le_bytes(codes[position])),
            CodeList::Widest(codes) => u32::from_le_bytes(codes[position]),
        }
    }

    /// Calls `visit` with each position and its code.
    pub fn each(&self, mut visit: impl FnMut(usize, u32)) {
        match self {
            CodeList::Constant { count } => (0..*count as usize).for_each(|position| visit(position, 0)),
            CodeList::InOrder { count } => (0..*count).for_each(|code| visit(code as usize, code)),
            CodeList::Narrow(codes) => {
                codes.iter().enumerate().for_each(|(position, code)| visit(position, u32::from(*code)));
            }
            CodeList::Wide(codes) => codes
                .iter()
                .enumerate()
                .for_each(|(position, code)| visit(position, u32::from(u16::from_le_bytes(*code)))),
            CodeList::Widest(codes) => {
                codes.iter().enumerate().for_each(|(position, code)| visit(position, u32::from_le_bytes(*code)));
            }
        }
    }

    /// Calls `visit` with the positions, ascending, of these codes, which ascend and of which there is at least one.
    pub fn positions_of(&self, codes: &[u32], mut visit: impl FnMut(usize)) {
        self.words_of(codes, |word, mut bits| {
            while bits != 0 {
                visit(word * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        });
    }

    /// The same, 64 positions at a time: the first of them divided by 64, and a bit for each that has one of the codes.
    pub fn words_of(&self, codes: &[u32], mut visit: impl FnMut(usize, u64)) {
        let (first, last) = (codes[0], codes[codes.len() - 1]);
        let is_range = (last - first) as usize == codes.len() - 1;
        match self {
            CodeList::Constant { count } => words(0..*count, visit),
            CodeList::InOrder { .. } if is_range => words(first..last + 1, visit),
            CodeList::InOrder { .. } => codes.iter().for_each(|code| visit((code / 64) as usize, 1 << (code % 64))),
            CodeList::Narrow(list) if first == last => {
                memchr::memchr_iter(first as u8, list).for_each(|at| visit(at / 64, 1 << (at % 64)));
            }
            _ if is_range => self.words_where(|code| code.wrapping_sub(first) <= last - first, visit),
            _ => {
                // The last entry is for all codes that are not between first and last.
                let end = (last - first) as usize + 1;
                let mut is_wanted = vec![false; end + 1];
                codes.iter().for_each(|code| is_wanted[(code - first) as usize] = true);
                self.words_where(|code| is_wanted[end.min(code.wrapping_sub(first) as usize)], visit);
            }
        }
    }

    /// Without a branch for each code, because nobody can foretell which are wanted.
    fn words_where(&self, is_wanted: impl Fn(u32) -> bool, mut visit: impl FnMut(usize, u64)) {
        fn each<T: Copy>(codes: &[T], is_wanted: impl Fn(T) -> bool, visit: &mut impl FnMut(usize, u64)) {
            for (word, codes) in codes.chunks(64).enumerate() {
                let bits = codes.iter().rev().fold(0, |bits, code| bits << 1 | u64::from(is_wanted(*code)));
                if bits != 0 {
                    visit(word, bits);
                }
            }
        }
        match self {
            CodeList::Constant { count } if is_wanted(0) => words(0..*count, visit),
            CodeList::Constant { .. } => {}
            CodeList::InOrder { count } => (0..*count)
                .filter(|code| is_wanted(*code))
                .for_each(|code| visit((code / 64) as usize, 1 << (code % 64))),
            CodeList::Narrow(codes) => each(codes, |code| is_wanted(u32::from(code)), &mut visit),
            CodeList::Wide(codes) => each(codes, |code| is_wanted(u32::from(u16::from_le_bytes(code))), &mut visit),
            CodeList::Widest(codes) => each(codes, |code| is_wanted(u32::from_le_bytes(code)), &mut visit),
        }
    }

    /// Whether all codes are below `bound`.
    pub(super) fn fits(&self, bound: u32) -> bool {
        let largest = match self {
            CodeList::Constant { count } => (*count > 0).then_some(0),
            CodeList::InOrder { count } => count.checked_sub(1),
            CodeList::Narrow(codes) => codes.iter().max().map(|code| u32::from(*code)),
            CodeList::Wide(codes) => codes.iter().map(|code| u32::from(u16::from_le_bytes(*code))).max(),
            CodeList::Widest(codes) => codes.iter().map(|code| u32::from_le_bytes(*code)).max(),
        };
        largest.is_none_or(|largest| largest < bound)
    }
}

/// Calls `visit` with the words of a range.
fn words(range: Range<u32>, mut visit: impl FnMut(usize, u64)) {
    let mut start = range.start;
    while start < range.end {
        let end = range.end.min((start / 64 + 1) * 64);
        visit((start / 64) as usize, (u64::MAX >> (64 - (end - start))) << (start % 64));
        start = end;
    }
}

/// Lists, one behind the other.
#[derive(Debug, Default)]
pub struct CodeLists {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    form: Form,
    start: u32,
    count: u32,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Constant,
    InOrder,
    Narrow,
    Wide,
    Widest,
}

impl CodeLists {
    /// Adds a list in the form that it has.
    pub fn push(&mut self, list: CodeList<'_>) {
        let start = self.bytes.len();
        let form = match list {
            CodeList::Constant { .. } => Form::Constant,
            CodeList::InOrder { .. } => Form::InOrder,
            CodeList::Narrow(codes) => {
                self.bytes.extend_from_slice(codes);
                Form::Narrow
            }
            CodeList::Wide(codes) => {
                self.bytes.extend_from_slice(codes.as_flattened());
                Form::Wide
            }
            CodeList::Widest(codes) => {
                self.bytes.extend_from_slice(codes.as_flattened());
                Form::Widest
            }
        };
        self.enter(form, start, list.len());
    }

    /// Adds a list in the narrowest form; all codes are below `bound`.
    pub(in super::super) fn push_codes(&mut self, codes: impl ExactSizeIterator<Item = u32> + Clone, bound: u32) {
        let (start, count) = (self.bytes.len(), codes.len());
        let is_in_order = || bound as usize == count && codes.clone().enumerate().all(|(at, code)| at == code as usize);
        let form = match bound {
            0..=1 => Form::Constant,
            _ if is_in_order() => Form::InOrder,
            2..=0x100 => {
                self.bytes.extend(codes.map(|code| code as u8));
                Form::Narrow
            }
            0x101..=0x1_0000 => {
                self.bytes.extend(codes.flat_map(|code| (code as u16).to_le_bytes()));
                Form::Wide
            }
            _ => {
                self.bytes.extend(codes.flat_map(u32::to_le_bytes));
                Form::Widest
            }
        };
        self.enter(form, start, count);
    }

    /// The number of lists.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A list by its number.
    pub fn get(&self, number: usize) -> CodeList<'_> {
        let Entry { form, start, count } = self.entries[number];
        let bytes = |width: usize| &self.bytes[start as usize..start as usize + count as usize * width];
        match form {
            Form::Constant => CodeList::Constant { count },
            Form::InOrder => CodeList::InOrder { count },
            Form::Narrow => CodeList::Narrow(bytes(1)),
            Form::Wide => CodeList::Wide(bytes(2).as_chunks().0),
            Form::Widest => CodeList::Widest(bytes(4).as_chunks().0),
        }
    }

    /// Gives back room that is not needed.
    pub(in super::super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    fn enter(&mut self, form: Form, start: usize, count: usize) {
        const SMALL: &str = "the codes of a block are far smaller than 4 GiB";
        let (start, count) = (u32::try_from(start).expect(SMALL), u32::try_from(count).expect(SMALL));
        self.entries.push(Entry { form, start, count });
    }
}

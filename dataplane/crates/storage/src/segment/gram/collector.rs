//! Finding the grams of one unit: a bit for each key says whether it was seen, a list says which were.
//!
//! Nothing is hashed into a table and nothing is sorted here. The loop over the bytes has no branch that depends on what was
//! seen: a key is always written behind the list, and counts only if it was new. Neighbouring values often begin and end alike
//! (paths, messages of one template): what a value shares with the one before is passed over.

use super::{GramKey, KEYS_END, KIND};

/// Words of 64 bits for one kind of keys.
const KIND_WORDS: usize = KIND as usize / 64;

/// Words for keys of one and two bytes.
const SHORT_WORDS: usize = (KEYS_END - 2 * KIND).div_ceil(64) as usize;

/// How many keys of one and two bytes there are.
const SHORT_KEYS: usize = (1 << 16) + (1 << 8);

/// What is cleared word by word up to this many keys, and as a whole beyond.
const SINGLY_CLEARED_MAX: usize = 1 << 17;

type Bits<const WORDS: usize> = Box<[u64; WORDS]>;

/// Collects the grams of one unit after the other.
pub(crate) struct GramCollector {
    threes: Bits<KIND_WORDS>,
    fours: Bits<KIND_WORDS>,
    shorts: Bits<SHORT_WORDS>,
    /// Keys, of which the first `key_count` are those that were seen.
    keys: Vec<u32>,
    key_count: usize,
}

impl std::fmt::Debug for GramCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GramCollector").field("key_count", &self.key_count).finish_non_exhaustive()
    }
}

impl GramCollector {
    pub(crate) fn new() -> GramCollector {
        GramCollector { threes: bits(), fours: bits(), shorts: bits(), keys: Vec::new(), key_count: 0 }
    }

    /// Takes folded values in, each followed by 0xFF.
    pub(crate) fn add(&mut self, values: &[u8]) {
        // A byte begins one gram of three bytes and one of four, and each value adds one of two bytes and one of one.
        self.make_room(4 * values.len());
        let (mut start, mut before) = (0, [].as_slice());
        for end in memchr::memchr_iter(0xFF, values) {
            let value = &values[start..end];
            self.add_value(value, before);
            before = value;
            start = end + 1;
        }
    }

    fn make_room(&mut self, more: usize) {
        let room = self.key_count + more;
        if self.keys.len() < room {
            self.keys.resize(room, 0);
        }
    }

    /// `before`: a value that has been added.
    fn add_value(&mut self, value: &[u8], before: &[u8]) {
        let prefix = shared_prefix(value, before);
        let suffix = shared_suffix(&value[prefix..], &before[prefix..]);
        // Only what reaches out of the shared beginning, or begins before the shared end, can be new.
        let unshared = &value[prefix.saturating_sub(3)..value.len().min(value.len() - suffix + 3)];
        let (keys, mut count) = (&mut self.keys[self.key_count..], 0);
        for window in unshared.windows(4) {
            let bytes = [window[0], window[1], window[2], window[3]];
            count += usize::from(see(&mut self.fours, GramKey::four(bytes).0 - KIND, KIND, &mut keys[count]));
            let three = u32::from_be_bytes(bytes) >> 8;
            count += usize::from(see(&mut self.threes, three, 0, &mut keys[count]));
        }
        if let Some([first, second, third]) = value.last_chunk() {
            let three = GramKey::three([*first, *second, *third]).0;
            count += usize::from(see(&mut self.threes, three, 0, &mut keys[count]));
        }
        // Shorter grams are the beginnings of those of three bytes, but for the ones at the end of a value.
        if let Some(two) = value.last_chunk() {
            count += usize::from(self.shorts.see_short(GramKey::two(*two).0, &mut keys[count]));
        }
        if let Some(one) = value.last() {
            count += usize::from(self.shorts.see_short(GramKey::one(*one).0, &mut keys[count]));
        }
        self.key_count += count;
    }

    /// Gives the keys of all that was taken in, in any order, and forgets it.
    pub(crate) fn finish(&mut self, mut give: impl FnMut(GramKey)) {
        self.add_beginnings();
        let keys = &self.keys[..self.key_count];
        keys.iter().for_each(|key| give(GramKey(*key)));
        if keys.len() > SINGLY_CLEARED_MAX {
            self.threes.fill(0);
            self.fours.fill(0);
            self.shorts.fill(0);
        } else {
            for key in keys {
                match key / KIND {
                    0 => self.threes[(key / 64) as usize] = 0,
                    1 => self.fours[((key - KIND) / 64) as usize] = 0,
                    _ => self.shorts[((key - 2 * KIND) / 64) as usize] = 0,
                }
            }
        }
        self.key_count = 0;
    }

    /// The shorter grams that begin the ones of three bytes, and of two.
    fn add_beginnings(&mut self) {
        // As many as there are, and a place for one that was seen before.
        self.make_room(SHORT_KEYS + 1);
        let (mut place, mut end) = (0, self.key_count);
        while place < end {
            let key = self.keys[place];
            let [_, first, second, _] = key.to_be_bytes();
            let beginning = match key / KIND {
                0 => Some(GramKey::two([first, second])),
                2 => Some(GramKey::one(second)),
                _ => None,
            };
            if let Some(beginning) = beginning {
                end += usize::from(self.shorts.see_short(beginning.0, &mut self.keys[end]));
            }
            place += 1;
        }
        self.key_count = end;
    }
}

trait ShortBits {
    fn see_short(&mut self, key: u32, place: &mut u32) -> bool;
}

impl ShortBits for [u64; SHORT_WORDS] {
    fn see_short(&mut self, key: u32, place: &mut u32) -> bool {
        see(self, key - 2 * KIND, 2 * KIND, place)
    }
}

/// Marks a bit; tells whether it was new, and leaves its key at `place` in any case.
#[inline(always)]
fn see<const WORDS: usize>(bits: &mut [u64; WORDS], bit: u32, first_key: u32, place: &mut u32) -> bool {
    let (word, mask) = (&mut bits[(bit / 64) as usize], 1 << (bit % 64));
    let is_new = *word & mask == 0;
    *word |= mask;
    *place = first_key + bit;
    is_new
}

/// How many bytes two values begin alike with.
fn shared_prefix(one: &[u8], other: &[u8]) -> usize {
    let (words, other_words) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let same = words.iter().zip(other_words).take_while(|(one, other)| one == other).count() * 8;
    same + one[same..].iter().zip(&other[same..]).take_while(|(one, other)| one == other).count()
}

/// How many bytes two values end alike with.
fn shared_suffix(one: &[u8], other: &[u8]) -> usize {
    let (words, other_words) = (one.as_rchunks::<8>().1, other.as_rchunks::<8>().1);
    let same = words.iter().rev().zip(other_words.iter().rev()).take_while(|(one, other)| one == other).count() * 8;
    let (one, other) = (&one[..one.len() - same], &other[..other.len() - same]);
    same + one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count()
}

fn bits<const WORDS: usize>() -> Bits<WORDS> {
    vec![0; WORDS].into_boxed_slice().try_into().expect("as long as asked for")
}

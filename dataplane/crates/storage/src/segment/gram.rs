//! Grams: which short pieces of text stand in which unit of a segment.
//!
//! A gram is a run of bytes of the *folded* spelling of one value, never across values. A match lies within one value,
//! so all grams of a needle are in the unit of each of its matches: a unit that lacks one holds no match. That is all
//! that is promised; a unit that has them all may still hold none.
//!
//! ```text
//! key, u32            gram
//! 0x00_aabbcc         the three bytes aa bb cc
//! 0x01_hhhhhh         four bytes, hashed to 24 bits
//! 0x02_00aabb         the two bytes aa bb
//! 0x03_0000aa         the byte aa
//! ```
//!
//! The bytes 0xF8 to 0xFF never stand in UTF-8, so neither do the keys that would contain them.

mod collector;
mod list;
mod page;
mod runs;
mod set;

pub(super) use collector::GramCollector;
pub(super) use page::{PageWriter, find_in_page};
pub(super) use runs::GramRuns;
pub use set::UnitSet;

/// A gram's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GramKey(pub(super) u32);

/// How long a gram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are drawn above")]
pub enum GramKind {
    Three,
    Four,
    Two,
    One,
}

impl GramKind {
    /// All, in the order of their keys.
    pub const ALL: [GramKind; 4] = [GramKind::Three, GramKind::Four, GramKind::Two, GramKind::One];
}

/// The keys of each kind begin at a multiple of this.
const KIND: u32 = 1 << 24;

/// One more than the largest key.
const KEYS_END: u32 = 3 * KIND + (1 << 8);

impl GramKey {
    /// Of how many bytes it is.
    pub fn kind(self) -> GramKind {
        GramKind::ALL[((self.0 / KIND) as usize).min(GramKind::ALL.len() - 1)]
    }

    /// The key of one byte.
    pub fn one(byte: u8) -> GramKey {
        GramKey(3 * KIND + u32::from(byte))
    }

    /// The key of two bytes.
    pub fn two([first, second]: [u8; 2]) -> GramKey {
        GramKey(2 * KIND + u32::from_be_bytes([0, 0, first, second]))
    }

    /// The key of three bytes.
    pub fn three([first, second, third]: [u8; 3]) -> GramKey {
        GramKey(u32::from_be_bytes([0, first, second, third]))
    }

    /// The key of four bytes. Others may share it.
    pub fn four(bytes: [u8; 4]) -> GramKey {
        // The multiplier is part of the format.
        GramKey(KIND + (u32::from_be_bytes(bytes).wrapping_mul(0x9E37_79B1) >> 8))
    }
}

/// Appends the keys that say most about a folded text: all of its 3- and 4-grams, or itself if it is shorter. Nothing for
/// an empty text, which stands everywhere.
pub fn grams_of(folded: &[u8], keys: &mut Vec<GramKey>) {
    match *folded {
        [] => {}
        [byte] => keys.push(GramKey::one(byte)),
        [first, second] => keys.push(GramKey::two([first, second])),
        _ => {
            let four = |window: &[u8]| GramKey::four(window.try_into().expect("windows of four"));
            let three = |window: &[u8]| GramKey::three(window.try_into().expect("windows of three"));
            keys.extend(folded.windows(4).map(four));
            keys.extend(folded.windows(3).map(three));
        }
    }
}

#[cfg(test)]
mod tests;

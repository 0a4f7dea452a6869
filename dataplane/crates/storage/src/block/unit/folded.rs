//! The foldings of a unit's values that differ from what is written.

use grepzilla_model::fold::fold_into;

/// Foldings, each followed by 0xFF.
#[derive(Debug)]
pub(super) struct Folded {
    /// Of group 0: in the places of what is written, because folding ASCII is lower case.
    pub(super) ascii: Box<[u8]>,
    /// Of group 3.
    pub(super) other: Box<[u8]>,
    /// Where the 0xFF of each of those stands.
    pub(super) other_ends: Box<[u32]>,
}

impl Folded {
    /// Of the values of group 0 as written, each followed by 0xFF, which has no lower case; and of the values of group 3.
    pub(super) fn new<'a>(ascii: &[u8], other: impl ExactSizeIterator<Item = &'a [u8]>) -> Folded {
        let mut ends = Vec::with_capacity(other.len());
        let (mut text, mut folding) = (Vec::new(), String::new());
        for value in other {
            folding.clear();
            fold_into(std::str::from_utf8(value).expect("a unit holds text"), &mut folding);
            text.extend_from_slice(folding.as_bytes());
            ends.push(u32::try_from(text.len()).expect("a unit is far smaller than 4 GiB"));
            text.push(0xFF);
        }
        Folded { ascii: ascii.to_ascii_lowercase().into(), other: text.into(), other_ends: ends.into() }
    }
}

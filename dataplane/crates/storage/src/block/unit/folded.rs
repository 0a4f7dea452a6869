//! The foldings of the values of a unit that are not ASCII and that folding changes.

use grepzilla_model::fold::fold_into;

/// Foldings, each followed by 0xFF.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) text: Box<[u8]>,
    /// Where the 0xFF of each stands.
    pub(super) ends: Box<[u32]>,
}

impl Folded {
    pub(super) fn new<'a>(values: impl ExactSizeIterator<Item = &'a [u8]>) -> Folded {
        let mut ends = Vec::with_capacity(values.len());
        let (mut text, mut folding) = (Vec::new(), String::new());
        for value in values {
            folding.clear();
            fold_into(std::str::from_utf8(value).expect("a unit holds text"), &mut folding);
            text.extend_from_slice(folding.as_bytes());
            ends.push(u32::try_from(text.len()).expect("a unit is far smaller than 4 GiB"));
            text.push(0xFF);
        }
        Folded { text: text.into(), ends: ends.into() }
    }
}

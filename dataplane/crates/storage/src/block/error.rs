//! Parts that do not fit together.

/// A part of a block that was read and cannot be one: the bytes were checked, so whoever wrote them was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{part} of a block cannot be right: expected {expected}")]
pub struct Malformed {
    /// Which part.
    pub part: &'static str,
    /// What it must have.
    pub expected: &'static str,
}

impl Malformed {
    /// `Ok` when the part has what it must have.
    pub(super) fn unless(holds: bool, part: &'static str, expected: &'static str) -> Result<(), Malformed> {
        if holds { Ok(()) } else { Err(Malformed { part, expected }) }
    }
}

//! The code of a list of units.
//!
//! A list is ascending and its length is known. The middle unit is written as a number below the count of places it can have, given
//! how many units stand below and above it; then the lower and the upper half likewise, each within its bounds
//! (binary interpolative coding). A single unit so takes the bits of its number, a scattered list about as many as Rice-coded gaps,
//! a dense one at most about one for each unit of the segment, and units without a gap between them nothing: lists gather where
//! one column's units are.

use std::ops::Range;

use crate::segment::bits::{BitReader, BitWriter};
use crate::segment::bytes::Malformed;

/// Writes units, ascending, all of them within `low..end`.
pub(super) fn put_list(bits: &mut BitWriter, units: &[u32], low: u32, end: u32) {
    if units.is_empty() || (end - low) as usize == units.len() {
        return;
    }
    let middle = units.len() / 2;
    let (below, above) = (middle as u32, (units.len() - middle - 1) as u32);
    let unit = units[middle];
    bits.put_below(unit - low - below, end - low - below - above);
    put_list(bits, &units[..middle], low, unit);
    put_list(bits, &units[middle + 1..], unit + 1, end);
}

/// Reads `count` units within `low..end`, which has room for them, and gives each once, in any order, in ranges.
pub(super) fn take_list(
    bits: &mut BitReader<'_>,
    count: u32,
    low: u32,
    end: u32,
    give: &mut impl FnMut(Range<usize>),
) -> Result<(), Malformed> {
    if count == 0 {
        return Ok(());
    }
    if end - low == count {
        give(low as usize..end as usize);
        return Ok(());
    }
    let below = count / 2;
    let above = count - below - 1;
    let unit = low + below + bits.take_below(end - low - below - above)?;
    give(unit as usize..unit as usize + 1);
    take_list(bits, below, low, unit, give)?;
    take_list(bits, above, unit + 1, end, give)
}

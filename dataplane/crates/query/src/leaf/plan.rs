//! What the index of grams of one segment says about a query: which units may hold a match of each pattern, and so which blocks
//! may hold a document.
//!
//! Grams that say most are looked up first, as far as their bytes tell, until no unit is left or further grams stop ruling units out.
//!
//! A match lies within one value and a value within one unit, so all that a match requires is in one unit. A unit that is ruled out
//! has no match; one that is not may have none either.

use std::ops::Range;

use grepzilla_storage::ReadError;
use grepzilla_storage::segment::{GramKey, Segment, UnitSet, grams_of};

use crate::CompiledQuery;
use crate::compiled::{Condition, Known, Test};
use crate::rarity;
use crate::required::Required;

/// The most grams of one text that are looked up.
const GRAMS_MAX: usize = 64;

/// After so many grams that rule no unit out, others will hardly do.
const FRUITLESS_MAX: usize = 8;

/// The index's answer for one segment.
#[derive(Debug)]
pub(super) struct Plan {
    /// For each condition the units that may hold a value that meets it; `None`: all.
    units: Vec<Option<UnitSet>>,
    /// For each block whether the query may hold for some document of it.
    blocks: Vec<bool>,
    grams: Vec<u64>,
}

impl Plan {
    pub(super) fn new(query: &CompiledQuery, segment: &Segment) -> Result<Plan, ReadError> {
        let (mut units, mut grams) = (Vec::new(), Vec::new());
        for condition in &query.conditions {
            let mut look_up = LookUp { segment, grams: 0 };
            units.push(look_up.condition(condition)?);
            grams.push(look_up.grams);
        }
        let block = |number| query.tree.may_hold(known(&units, segment.units_of(number)));
        let blocks = (0..segment.blocks().len()).map(block).collect();
        Ok(Plan { units, blocks, grams })
    }

    /// Whether the query may hold for a document of a block of the segment.
    pub(super) fn may_hold(&self, block: usize) -> bool {
        self.blocks[block]
    }

    /// Whether a unit of the segment may hold a value that meets a condition.
    pub(super) fn has_unit(&self, condition: usize, unit: usize) -> bool {
        self.units[condition].as_ref().is_none_or(|units| units.contains(unit))
    }

    /// How many grams were looked up for each condition.
    pub(super) fn grams(&self) -> &[u64] {
        &self.grams
    }
}

/// The conditions that no unit of these meets.
fn known(units: &[Option<UnitSet>], of_block: Range<usize>) -> Known {
    let is_met_nowhere = |units: &UnitSet| !of_block.clone().any(|unit| units.contains(unit));
    let ruled_out = units.iter().enumerate().filter(|(_, units)| units.as_ref().is_some_and(is_met_nowhere));
    Known { yes: 0, no: ruled_out.fold(0, |bits, (number, _)| bits | 1 << number) }
}

struct LookUp<'a> {
    segment: &'a Segment,
    grams: u64,
}

impl LookUp<'_> {
    fn condition(&mut self, condition: &Condition) -> Result<Option<UnitSet>, ReadError> {
        match &condition.test {
            Test::Match(matcher) => self.units(matcher.required()),
            Test::Exists | Test::Range(_) => Ok(None),
        }
    }

    /// The units that may have what is required; `None`: all.
    fn units(&mut self, required: &Required) -> Result<Option<UnitSet>, ReadError> {
        match required {
            Required::Text(text) => self.text(text),
            Required::All(parts) => {
                let mut all: Option<UnitSet> = None;
                for part in parts {
                    if all.as_ref().is_some_and(UnitSet::is_empty) {
                        break;
                    }
                    all = both(all, self.units(part)?);
                }
                Ok(all)
            }
            Required::Any(parts) => {
                let mut any = UnitSet::none(self.segment.unit_count());
                for part in parts {
                    match self.units(part)? {
                        Some(units) => any.or(&units),
                        None => return Ok(None),
                    }
                }
                Ok(Some(any))
            }
        }
    }

    /// The units that have the grams of a text.
    fn text(&mut self, text: &[u8]) -> Result<Option<UnitSet>, ReadError> {
        let mut units: Option<UnitSet> = None;
        let (mut left, mut fruitless) = (usize::MAX, 0);
        for key in rarest_first(text).into_iter().take(GRAMS_MAX) {
            if left == 0 || fruitless == FRUITLESS_MAX {
                break;
            }
            self.grams += 1;
            units = both(units, Some(self.segment.grams(key)?));
            let before = std::mem::replace(&mut left, units.as_ref().map_or(0, UnitSet::len));
            fruitless = if left == before { fruitless + 1 } else { 0 };
        }
        Ok(units)
    }
}

/// The keys that say most about a text, the rarest first.
fn rarest_first(text: &[u8]) -> Vec<GramKey> {
    let tells = |window: &[u8]| window.iter().map(|byte| rarity::bits([*byte])).sum::<f32>();
    let mut windows: Vec<&[u8]> = text.windows(4).chain(text.windows(3)).collect();
    windows.sort_by(|one, other| tells(other).total_cmp(&tells(one)));
    let mut keys = Vec::new();
    if windows.is_empty() {
        grams_of(text, &mut keys);
    }
    keys.extend(windows.into_iter().map(|window| match window {
        [first, second, third] => GramKey::three([*first, *second, *third]),
        window => GramKey::four(window.try_into().expect("windows of three or four")),
    }));
    keys
}

fn both(one: Option<UnitSet>, other: Option<UnitSet>) -> Option<UnitSet> {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            one.and(&other);
            Some(one)
        }
        (one, other) => one.or(other),
    }
}

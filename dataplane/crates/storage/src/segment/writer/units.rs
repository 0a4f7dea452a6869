//! From the units of a block in memory to those of the segment: large columns apart, the others together.

use std::ops::Range;
use std::sync::Arc;

use grepzilla_model::fold::fold_into;

use super::Grams;
use super::renumber::Numbers;
use crate::ReadError;
use crate::block::{Block, Codes, Column, ColumnNo, Columns, GROUPS, PathNo, Unit, UnitValues};
use crate::disk::WriteError;
use crate::segment::part::column_numbers;

/// The path of the explicit id.
const ID_PATH: &str = "_id";

/// Which columns share a unit.
#[derive(Debug)]
pub(super) struct UnitPlan {
    /// The block's own units.
    own: Vec<Arc<Unit>>,
    /// The columns of each unit of the segment, ascending.
    units: Vec<Vec<ColumnNo>>,
}

impl UnitPlan {
    /// The first unit has the small columns, if any; then each large one has its own, in order.
    pub(super) fn new(block: &Block, columns: &Columns, own_unit_bytes: usize) -> Result<UnitPlan, ReadError> {
        let own = (0..block.unit_count()).map(|unit| block.unit(unit)).collect::<Result<Vec<_>, ReadError>>()?;
        let value_bytes = |column: ColumnNo| {
            let runs = own[columns.unit_of(column)].written_runs(&columns.values_of(column));
            runs.map(|run| run.bytes().len()).sum::<usize>()
        };
        let (large, small): (Vec<ColumnNo>, Vec<ColumnNo>) =
            column_numbers(columns).partition(|column| value_bytes(*column) >= own_unit_bytes);
        let has_small = !small.is_empty() || large.is_empty();
        let units = has_small.then_some(small).into_iter().chain(large.into_iter().map(|column| vec![column]));
        Ok(UnitPlan { units: units.collect(), own })
    }

    pub(super) fn unit_count(&self) -> usize {
        self.units.len()
    }

    /// The block's columns as they are in the segment.
    pub(super) fn columns(&self, columns: &Columns, numbers: &Numbers) -> Vec<Column> {
        let renumbered = |column: ColumnNo| {
            let column = columns.column(column);
            Column { path: numbers.path(column.path), ..column }
        };
        let mut renumbered: Vec<Column> = column_numbers(columns).map(renumbered).collect();
        for (unit, members) in self.units.iter().enumerate() {
            members.iter().for_each(|column| renumbered[column.0 as usize].unit = unit as u32);
        }
        renumbered
    }

    /// Puts the values of a unit together.
    pub(super) fn gather(&self, unit: usize, columns: &Columns, gathered: &mut Gathered) {
        gathered.written.clear();
        for group in 0..GROUPS {
            let start = gathered.written.len();
            for column in &self.units[unit] {
                let UnitValues::Column(numbers) = columns.values_of(*column) else { continue };
                let mut of_group: [Range<u32>; GROUPS] = std::array::from_fn(|_| 0..0);
                of_group[group] = numbers[group].clone();
                let own = &self.own[columns.unit_of(*column)];
                for run in own.written_runs(&UnitValues::Column(of_group)) {
                    gathered.written.extend_from_slice(run.bytes());
                }
            }
            gathered.groups[group] = start..gathered.written.len();
        }
    }

    /// Visits each document that has an explicit id.
    pub(super) fn for_ids(&self, columns: &Columns, codes: &Codes, mut visit: impl FnMut(u16, &str)) {
        let Some(column) = columns.find(ID_PATH) else { return };
        let (list, unit) = (codes.column(column), &self.own[columns.unit_of(column)]);
        let holes: Vec<usize> = codes
            .shapes()
            .iter()
            .map(|shape| {
                let shape = columns.shapes().shape(*shape).expect("a block's shapes are in its table");
                let is_id = |path: &&PathNo| **path == columns.path_no(column);
                shape.paths().iter().filter(is_id).count()
            })
            .collect();
        let mut occurrence = 0;
        codes.document_shapes().each(|document, shape| {
            if holes[shape as usize] > 0 {
                let value = unit.value(columns.number(column, list.get(occurrence)));
                visit(document as u16, std::str::from_utf8(value).expect("a unit holds text"));
            }
            occurrence += holes[shape as usize];
        });
    }
}

/// The values of one unit.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    written: Vec<u8>,
    /// Where the values of each group stand.
    groups: [Range<usize>; GROUPS],
}

impl Gathered {
    /// By group, column and rank, each value followed by 0xFF.
    pub(super) fn written(&self) -> &[u8] {
        &self.written
    }

    /// Adds the grams of the folded values as those of the next unit.
    pub(super) fn collect_grams(&self, grams: &mut Grams) -> Result<(), WriteError> {
        let [ascii_differing, ascii_same, other_same, other_differing] =
            self.groups.each_ref().map(|range| &self.written[range.clone()]);
        grams.collector.add(&ascii_differing.to_ascii_lowercase());
        grams.collector.add(ascii_same);
        grams.collector.add(other_same);
        grams.collector.add(&folded(other_differing));
        let unit = grams.unit_count;
        grams.collector.finish(|key| grams.runs.add(key, unit));
        grams.unit_count += 1;
        grams.runs.end_unit()
    }
}

fn folded(values: &[u8]) -> Vec<u8> {
    let (mut folded, mut folding) = (Vec::with_capacity(values.len()), String::new());
    let mut start = 0;
    for end in memchr::memchr_iter(0xFF, values) {
        folding.clear();
        fold_into(std::str::from_utf8(&values[start..end]).expect("a unit holds text"), &mut folding);
        folded.extend_from_slice(folding.as_bytes());
        folded.push(0xFF);
        start = end + 1;
    }
    folded
}

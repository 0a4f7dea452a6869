//! The parts of a block and the shape tables as payloads of frames.
//!
//! ```text
//! shapes     varint skeletons, then for each, in the order of their numbers: varint bytes, the skeleton
//!
//! columns    varint columns, then for each, in the order of their paths:
//!            varint path, which is its number in the table, varint unit times 2, plus 1 if dense,
//!            four varints: values of each group
//!
//! unit       the values as written, each followed by 0xFF: by group, column and rank
//!
//! codes      varint shapes of the block, varint each
//!            for the documents' shapes, then for each column: u8 form, varint count
//!              form 0 all zero   1 each value once, in order   2, 3, 4 codes of one, two, four bytes
//!            for each of these lists of form 2 its bytes; of form 3 and 4 the lowest bytes of all codes, then the next ones
//!
//! stamps     varint documents
//!            epochs: varint runs, for each varint its first document less that of the run before, varint epoch
//!            positions: varint the first, then for each of the others varint the step to it, less one
//!            times: signed varint the first, varint the greatest common divisor of the steps (0: all steps are), then for
//!              each of the others signed varint the step divided by it
//!            buckets: u16 each, all lower bytes before all upper ones
//! ```
//!
//! Codes are kept apart by bytes and times divided because what packs the payload then finds the repetitions.

mod codes;
mod stamps;

use std::sync::Arc;

use super::bytes::{ByteReader, Malformed, put_varint};
use crate::block::{self, Column, ColumnNo, Columns, GROUPS, PathNo, ShapeTable, Unit};

pub(super) use codes::{decode_codes, encode_codes};
pub(super) use stamps::{decode_stamps, encode_stamps};

/// Why a payload whose checksum is right is no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPart {
    /// It does not have the layout drawn above.
    Layout(Malformed),
    /// It has, but does not fit.
    Sense(block::Malformed),
}

impl From<Malformed> for NoPart {
    fn from(malformed: Malformed) -> NoPart {
        NoPart::Layout(malformed)
    }
}

impl From<block::Malformed> for NoPart {
    fn from(malformed: block::Malformed) -> NoPart {
        NoPart::Sense(malformed)
    }
}

pub(super) fn encode_shapes(table: &ShapeTable) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_varint(&mut bytes, table.shape_count() as u64);
    for shape in table.shapes() {
        put_varint(&mut bytes, shape.skeleton().len() as u64);
        bytes.extend(shape.skeleton().as_bytes());
    }
    bytes
}

pub(super) fn decode_shapes(payload: &[u8]) -> Result<ShapeTable, NoPart> {
    let mut reader = ByteReader::new(payload);
    let count = reader.count(payload.len())?;
    let mut skeletons = Vec::with_capacity(count);
    for _ in 0..count {
        let length = reader.count(payload.len())?;
        skeletons.push(reader.text(length)?);
    }
    reader.end()?;
    Ok(ShapeTable::from_skeletons(skeletons)?)
}

/// `columns` are those of the block, in order, with the numbers of paths and units that they have in the segment.
pub(super) fn encode_columns(columns: &[Column]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_varint(&mut bytes, columns.len() as u64);
    for column in columns {
        put_varint(&mut bytes, u64::from(column.path.0));
        put_varint(&mut bytes, u64::from(column.unit) << 1 | u64::from(column.is_dense));
        column.group_len.iter().for_each(|len| put_varint(&mut bytes, u64::from(*len)));
    }
    bytes
}

pub(super) fn decode_columns(payload: &[u8], shapes: Arc<ShapeTable>, unit_count: usize) -> Result<Columns, NoPart> {
    let mut reader = ByteReader::new(payload);
    let count = reader.count(payload.len())?;
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let path = PathNo(small(&mut reader)?);
        let unit = small(&mut reader)?;
        let mut group_len = [0; GROUPS];
        for len in &mut group_len {
            *len = small(&mut reader)?;
        }
        columns.push(Column { path, unit: unit >> 1, group_len, is_dense: unit & 1 == 1 });
    }
    reader.end()?;
    Ok(Columns::new(shapes, &columns, unit_count)?)
}

/// The unit of this number in its block, which has these columns.
pub(super) fn decode_unit(payload: Vec<u8>, columns: &Columns, unit: usize) -> Result<Unit, NoPart> {
    Ok(Unit::from_parts(payload, columns.unit_group_len(unit))?)
}

/// The numbers of a block's columns.
pub(super) fn column_numbers(columns: &Columns) -> impl Iterator<Item = ColumnNo> + Clone + use<> {
    (0..columns.len() as u32).map(ColumnNo)
}

/// A number of 32 bits.
fn small(reader: &mut ByteReader<'_>) -> Result<u32, Malformed> {
    reader.count(u32::MAX as usize).map(|number| number as u32)
}

#[cfg(test)]
mod tests;

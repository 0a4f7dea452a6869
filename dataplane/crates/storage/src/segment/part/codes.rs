//! Codes as a payload.

use super::{NoPart, small};
use crate::block::{CodeList, CodeLists, Codes, Columns, ShapeNo};
use crate::segment::bytes::{ByteReader, Malformed, put_varint};

/// `shapes`: those of the block with the numbers that they have in the segment.
pub(in crate::segment) fn encode_codes(codes: &Codes, shapes: &[ShapeNo]) -> Vec<u8> {
    let lists = codes.lists();
    let (mut head, mut body) = (Vec::new(), Vec::new());
    put_varint(&mut head, shapes.len() as u64);
    shapes.iter().for_each(|shape| put_varint(&mut head, u64::from(shape.0)));
    for list in (0..lists.len()).map(|number| lists.get(number)) {
        let form = match list {
            CodeList::Constant { .. } => 0,
            CodeList::InOrder { .. } => 1,
            CodeList::Narrow(codes) => {
                body.extend_from_slice(codes);
                2
            }
            CodeList::Wide(codes) => {
                part_bytes(codes, &mut body);
                3
            }
            CodeList::Widest(codes) => {
                part_bytes(codes, &mut body);
                4
            }
        };
        head.push(form);
        put_varint(&mut head, list.len() as u64);
    }
    head.append(&mut body);
    head
}

pub(in crate::segment) fn decode_codes(payload: &[u8], columns: &Columns) -> Result<Codes, NoPart> {
    let mut head = ByteReader::new(payload);
    let shape_count = head.count(payload.len())?;
    let shapes = (0..shape_count).map(|_| small(&mut head).map(ShapeNo)).collect::<Result<Vec<_>, _>>()?;
    let forms =
        (0..=columns.len()).map(|_| Ok((head.u8()?, small(&mut head)?))).collect::<Result<Vec<_>, Malformed>>()?;
    let (mut body, mut lists) = (head, CodeLists::default());
    for (form, count) in forms {
        match form {
            0 => lists.push(CodeList::Constant { count }),
            1 => lists.push(CodeList::InOrder { count }),
            2 => lists.push(CodeList::Narrow(body.take(count as usize)?)),
            3 => lists.push(CodeList::Wide(&joined_bytes(&mut body, count as usize)?)),
            4 => lists.push(CodeList::Widest(&joined_bytes(&mut body, count as usize)?)),
            _ => return Err(body.malformed("a form of codes").into()),
        }
    }
    body.end()?;
    Ok(Codes::new(columns, shapes, lists)?)
}

/// The first byte of each, then the second ones, and so on.
pub(super) fn part_bytes<const N: usize>(codes: &[[u8; N]], bytes: &mut Vec<u8>) {
    for byte in 0..N {
        bytes.extend(codes.iter().map(|code| code[byte]));
    }
}

pub(super) fn joined_bytes<const N: usize>(
    reader: &mut ByteReader<'_>,
    count: usize,
) -> Result<Vec<[u8; N]>, Malformed> {
    let mut planes = [[].as_slice(); N];
    for plane in &mut planes {
        *plane = reader.take(count)?;
    }
    Ok((0..count).map(|position| planes.map(|plane| plane[position])).collect())
}

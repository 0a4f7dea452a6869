//! The layout as drawn: a file so small that every byte of it can be read. Its frames are too short to be packed.

use std::path::Path;

use grepzilla_model::{Bucket, Epoch, IndexName, SeqNo, TimeNs};

use super::fixtures::{DIR, OPTIONS, identity, key, path};
use crate::block::{BlockBuilder, Stamp, UnitLayout};
use crate::disk::twin::Machine;
use crate::segment::SegmentWriter;

/// Section by section, frames and pages one by one, in hexadecimal digits.
const DRAWN: &[&str] = &[
    // header: magic, format and min_reader, crc; cluster; shard, fold version; epoch, first and last position
    "475a494c41534547 01000100 f446d70f 00000000000000000000000000000007 03000000 0100 0000",
    "0200000000000000 0400000000000000 0900000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    // codes: two shapes, 0 and 1; the documents' in order, of _id one that is zero, of a two in order
    "02 00 01  01 02  00 01  01 02",
    // stamps: two documents; one epoch, 2 from document 0 on; positions 5 and 7; times 5,000, divisor 2,000, one step; buckets
    "02  01 00 02  05 01  904e d00f 02  0202 0101",
    // columns: _id, then a, both in unit 0 and not dense; a value of group 1; a value of group 0 and one of group 1
    "02  00 00 00010000  01 01 01010000",
    // unit: Xy, k, z
    "5879ff 6bff 7aff",
    // shapes: {"_id":.,"a":.} and {"a":.}
    "02  0f 7b225f6964223a012c2261223a017d  07 7b2261223a017d",
    // gram page: five keys, r = 4: xy, k, x, y, z
    "0500 04 00 0100e30fff01e66108",
    // page of ids: one entry, r = 0, one bit of a block number; block 0, document 0
    "01000000 00 01 010000",
    // keys: one
    "01000000 05050505050505050505050505050505 01010101010101010101010101010101",
    "0500000000000000 02000000 0200000000000000 0500000000000000",
    // gram directory: one page, which begins with xy, its length and crc
    "01000000 79780002 0d000000 20426ddb",
    // id filter: one page; one filter block
    "01000000 0027aca1 09000000 bf0d0c48 01000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000008000000040000000000000004000022000000000000000000000000",
    // block table: the shape table of main and its frame; one block: documents, times, positions, received, bytes, units, four frames
    "01 04 6d61696e 19 19 f38050eb",
    "01 00 02 904e d00f 01 02 a01f 1d 01  09 09 038dc329  0f 0f c067b281  0d 0d cd101137  07 07 35d972c1",
    // footer: offset, length and crc of each section
    "8000000000000000 2c00000000000000 faf16b2b 00000000",
    "ac00000000000000 1900000000000000 f38050eb 00000000",
    "c500000000000000 0d00000000000000 20426ddb 00000000",
    "d200000000000000 0900000000000000 bf0d0c48 00000000",
    "db00000000000000 4000000000000000 a7e4e060 00000000",
    "1b01000000000000 1000000000000000 66075c18 00000000",
    "2b01000000000000 5400000000000000 a1522256 00000000",
    "7f01000000000000 3100000000000000 bb6a4fa4 00000000",
    // crc of the header, blocks, documents, bytes of sources, least and greatest time, received
    "d40071df 01000000 0200000000000000 1d00000000000000 8813000000000000 581b000000000000 2823000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    // format and min_reader, crc, magic
    "0100 0100 0c9ace2a 475a494c41454e44",
];

#[test]
fn a_file_is_as_drawn_byte_by_byte() {
    let machine = Machine::new(1);
    let disk = machine.boot();
    disk.create_dir(Path::new(DIR)).expect("made");
    let mut builder = BlockBuilder::new(UnitLayout::One);
    for (source, seq) in [("{\"_id\":\"k\",\"a\":\"Xy\"}", 5), ("{\"a\":\"z\"}", 7)] {
        let stamp = Stamp { time: TimeNs(1_000 * seq), seq: SeqNo(seq as u64), epoch: Epoch(2) };
        builder.add(source, stamp, Bucket(0x0102), TimeNs(9_000));
    }
    let mut writer = SegmentWriter::create(&disk, Path::new(DIR), identity(4, 9), OPTIONS).expect("begun");
    writer.add(&builder.finish(&IndexName::default())).expect("added");
    writer.key(key(5));
    let entry = writer.finish().expect("written");
    let found = machine.files()[&path(&entry)].clone();
    let hex = found.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let drawn = DRAWN.concat().replace(' ', "");
    let same = hex.bytes().zip(drawn.bytes()).take_while(|(found, drawn)| found == drawn).count();
    assert_eq!(hex, drawn, "the files differ from byte {} on", same / 2);
    assert_eq!(entry.name.to_string(), "0000000000000002-0000000000000004-0000000000000009-3c53dd4593a70dbe");
    assert_eq!((entry.bytes, entry.raw_bytes, entry.documents, entry.blocks), (720, 29, 2, 1));
}

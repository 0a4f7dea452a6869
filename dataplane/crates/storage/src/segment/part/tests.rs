//! Payloads: what is written is read, drawn layouts, and bytes of any kind.

use grepzilla_model::{Bucket, Epoch, SeqNo, TimeNs};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::block::{CodeList, CodeLists, Codes, ShapeInterner, ShapeNo, Stamps};

fn table() -> Arc<ShapeTable> {
    let mut interner = ShapeInterner::default();
    for skeleton in ["{\"a\":\u{1}}", "{\"b\":[\u{1},\u{2}],\"a\":\u{1}}"] {
        interner.intern(skeleton.as_bytes()).expect("a good skeleton");
    }
    Arc::clone(interner.table())
}

fn columns(shapes: Arc<ShapeTable>) -> Columns {
    let column = |path, unit, group_len, is_dense| Column { path: PathNo(path), unit, group_len, is_dense };
    Columns::new(shapes, &[column(0, 1, [2, 0, 1, 0], true), column(1, 0, [0, 2, 0, 300], false)], 2).expect("good")
}

#[test]
fn the_layout_of_shapes_is_as_drawn() {
    let bytes = encode_shapes(&table());
    assert_eq!(bytes, b"\x02\x07{\"a\":\x01}\x11{\"b\":[\x01,\x02],\"a\":\x01}");
    let decoded = decode_shapes(&bytes).expect("as written");
    assert_eq!((decoded.shape_count(), decoded.path(PathNo(1))), (2, Some("b")));
    for length in 0..bytes.len() {
        assert!(decode_shapes(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn the_layout_of_columns_is_as_drawn() {
    let columns = columns(table());
    let bytes = encode_columns(&column_numbers(&columns).map(|column| columns.column(column)).collect::<Vec<_>>());
    assert_eq!(bytes, [2, 0, 3, 2, 0, 1, 0, 1, 0, 0, 2, 0, 0xAC, 2]);
    let decoded = decode_columns(&bytes, table(), 2).expect("as written");
    assert!(column_numbers(&columns).all(|column| decoded.column(column) == columns.column(column)));
    assert!(decode_columns(&bytes, table(), 1).is_err(), "a unit that is not there");
    for length in 0..bytes.len() {
        assert!(decode_columns(&bytes[..length], table(), 2).is_err(), "{length} bytes");
    }
}

#[test]
fn the_layout_of_codes_is_as_drawn() {
    let columns = columns(table());
    let mut lists = CodeLists::default();
    lists.push(CodeList::Narrow(&[0, 1, 1]));
    lists.push(CodeList::InOrder { count: 3 });
    lists.push(CodeList::Wide(&[[1, 0], [0, 0], [0x2D, 1], [0x2C, 1]]));
    let codes = Codes::new(&columns, vec![ShapeNo(0), ShapeNo(1)], lists).expect("good codes");
    let bytes = encode_codes(&codes, &[ShapeNo(0), ShapeNo(1)]);
    assert_eq!(bytes, [2, 0, 1, 2, 3, 1, 3, 3, 4, 0, 1, 1, 1, 0, 0x2D, 0x2C, 0, 0, 1, 1]);
    let decoded = decode_codes(&bytes, &columns).expect("as written");
    for number in 0..3 {
        assert_eq!(decoded.lists().get(number), codes.lists().get(number));
    }
    for length in 0..bytes.len() {
        assert!(decode_codes(&bytes[..length], &columns).is_err(), "{length} bytes");
    }
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x40;
        let _either = decode_codes(&bytes, &columns);
    }
}

#[test]
fn the_layout_of_stamps_is_as_drawn() {
    let times = [1_000, 4_000, 3_000].map(TimeNs).to_vec();
    let seqs = [7, 8, 300].map(SeqNo).to_vec();
    let buckets = [0x0102, 0x0102, 0x0304].map(Bucket).to_vec();
    let stamps = Stamps::new(times, seqs, buckets, vec![(0, Epoch(2)), (2, Epoch(3))]).expect("good stamps");
    let bytes = encode_stamps(&stamps);
    let drawn = [3, 2, 0, 2, 2, 3, 7, 0, 0xA3, 2, 0xD0, 0x0F, 0xE8, 7, 6, 1, 2, 2, 4, 1, 1, 3];
    assert_eq!(bytes, drawn);
    assert_eq!(decode_stamps(&bytes), Ok(stamps));
    for length in 0..bytes.len() {
        assert!(decode_stamps(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn times_survive_whatever_lies_between_them() {
    for times in [
        vec![i64::MIN, i64::MAX, i64::MIN, 0],
        vec![0, i64::MIN, i64::MIN, 0],
        vec![5; 4],
        vec![1_600_000_000_000_000_000, 1_600_000_001_000_000_000, 1_599_999_999_000_000_000, 0],
        vec![1, 2, 3, 5],
    ] {
        let seqs = (1..=4).map(SeqNo).collect();
        let times = times.into_iter().map(TimeNs).collect();
        let stamps = Stamps::new(times, seqs, vec![Bucket(0); 4], vec![(0, Epoch(1))]).expect("good stamps");
        assert_eq!(decode_stamps(&encode_stamps(&stamps)), Ok(stamps));
    }
}

/// Bytes of a good payload, some of them others, some cut off.
fn mutated(good: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..bytes.len());
        bytes[at] = rng.random();
    }
    let length = if rng.random_bool(0.2) { rng.random_range(0..=bytes.len()) } else { bytes.len() };
    bytes.truncate(length);
    bytes
}

#[test]
fn payloads_of_any_bytes_give_errors_or_parts_and_never_panic() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let columns = columns(table());
    let times = [1_000, 4_000, 3_000].map(TimeNs).to_vec();
    let seqs = [7, 8, 300].map(SeqNo).to_vec();
    let stamps = Stamps::new(times, seqs, vec![Bucket(1); 3], vec![(0, Epoch(2))]).expect("good stamps");
    let (shapes_bytes, stamps_bytes) = (encode_shapes(&table()), encode_stamps(&stamps));
    let columns_bytes =
        encode_columns(&column_numbers(&columns).map(|column| columns.column(column)).collect::<Vec<_>>());
    let mut refused = 0;
    for _ in 0..5_000 {
        refused += u32::from(decode_shapes(&mutated(&shapes_bytes, &mut rng)).is_err());
        refused += u32::from(decode_columns(&mutated(&columns_bytes, &mut rng), table(), 2).is_err());
        refused += u32::from(decode_stamps(&mutated(&stamps_bytes, &mut rng)).is_err());
        refused += u32::from(decode_unit(mutated(b"a\xFFb\xFFc\xFF", &mut rng), &columns, 1).is_err());
    }
    assert!(refused > 5_000, "{refused}");
}

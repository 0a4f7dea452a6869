//! What a table numbers, and what it refuses.

use super::*;

const SKELETONS: [&str; 4] =
    ["{}", "{\"b\":\u{1},\"a\":\u{2}}", "{\"a\":[\u{1},\u{1}]}", "{\"c\":{\"d.e\":\u{1}},\"b\":\u{1}}"];

#[test]
fn numbers_follow_first_appearance_and_the_skeletons_say_it_all() {
    let mut interner = ShapeInterner::default();
    for _round in 0..2 {
        for (number, skeleton) in SKELETONS.iter().enumerate() {
            assert_eq!(interner.intern(skeleton.as_bytes()), Ok(ShapeNo(number as u32)));
        }
    }
    let again = ShapeTable::from_skeletons(interner.table().shapes().map(Shape::skeleton)).expect("good skeletons");
    for table in [&**interner.table(), &again] {
        let paths: Vec<_> =
            (0..table.path_count()).map(|path| table.path(PathNo(path as u32)).expect("it is there")).collect();
        assert_eq!(paths, ["b", "a", "c.d\\.e"]);
        let holes: Vec<_> = table.shapes().map(Shape::paths).collect();
        let expected: [&[PathNo]; 4] = [&[], &[PathNo(0), PathNo(1)], &[PathNo(1), PathNo(1)], &[PathNo(2), PathNo(0)]];
        assert_eq!(holes, expected);
        assert_eq!((table.path(PathNo(3)), table.shape(ShapeNo(4)).is_none()), (None, true));
    }
    assert_eq!(interner.paths_in_order(), [PathNo(1), PathNo(0), PathNo(2)]);
    interner.intern("{\"aa\":\u{1}}".as_bytes()).expect("a good skeleton");
    assert_eq!(interner.paths_in_order(), [PathNo(1), PathNo(3), PathNo(0), PathNo(2)]);
}

#[test]
fn a_broken_or_repeated_skeleton_is_refused_and_leaves_nothing() {
    let mut interner = ShapeInterner::default();
    for broken in [b"{\"a\":\x01,}".as_slice(), b"\xFF", b""] {
        assert!(interner.intern(broken).is_err());
    }
    assert_eq!((interner.table().shape_count(), interner.table().path_count()), (0, 0));
    assert!(ShapeTable::from_skeletons(["{}", "{}"]).is_err());
    assert!(ShapeTable::from_skeletons(["{"]).is_err());
}

#[test]
fn a_table_is_full_by_shapes_or_by_bytes() {
    let mut interner = ShapeInterner::default();
    for number in 0..=SHAPES_MAX {
        assert!(!interner.is_full());
        interner.intern(format!("{{\"k{number}\":\u{1}}}").as_bytes()).expect("a good skeleton");
    }
    assert!(interner.is_full());
    let mut interner = ShapeInterner::default();
    interner.intern(format!("{{\"{}\":null}}", "k".repeat(5 << 20)).as_bytes()).expect("a good skeleton");
    assert!(interner.is_full() && interner.memory_bytes() > 5 << 20);
}

/// The limit of the interner.
const SHAPES_MAX: usize = 4_096;

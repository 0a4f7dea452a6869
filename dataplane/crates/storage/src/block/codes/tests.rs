//! Lists in every form, and codes that do not fit.

use std::sync::Arc;

use super::*;
use crate::block::{Column, PathNo, ShapeTable};

#[test]
fn a_list_gives_its_codes_in_the_narrowest_form() {
    type HasForm = fn(&CodeList<'_>) -> bool;
    let cases: [(Vec<u32>, u32, HasForm); 6] = [
        (vec![0; 9], 1, |list| matches!(list, CodeList::Constant { count: 9 })),
        ((0..300).collect(), 300, |list| matches!(list, CodeList::InOrder { count: 300 })),
        (vec![3, 0, 255, 3, 1], 256, |list| matches!(list, CodeList::Narrow(_))),
        (vec![256, 1, 256, 7], 257, |list| matches!(list, CodeList::Wide(_))),
        (vec![65_536, 1, 65_536, 8], 65_537, |list| matches!(list, CodeList::Widest(_))),
        (vec![], 0, |list| list.is_empty()),
    ];
    let mut lists = CodeLists::default();
    for (codes, bound, _) in &cases {
        lists.push_codes(codes.iter().copied(), *bound);
    }
    let mut again = CodeLists::default();
    (0..lists.len()).for_each(|number| again.push(lists.get(number)));
    for (number, (codes, bound, has_form)) in cases.iter().enumerate() {
        let list = again.get(number);
        assert!(has_form(&list), "{list:?}");
        assert_eq!((0..list.len()).map(|position| list.get(position)).collect::<Vec<_>>(), *codes);
        let mut each = Vec::new();
        list.each(|position, code| each.push((position, code)));
        assert_eq!(each, codes.iter().copied().enumerate().collect::<Vec<_>>());
        assert!(list.fits(*bound) && (codes.is_empty() || !list.fits(bound - 1)));
    }
}

#[test]
fn positions_are_those_of_the_codes_asked_for() {
    let codes: Vec<u32> = (0..1_000u32).map(|position| position.wrapping_mul(2_654_435_761) % 90).collect();
    for bound in [90, 300, 70_000] {
        let mut lists = CodeLists::default();
        lists.push_codes(codes.iter().copied(), bound);
        for wanted in [vec![7], vec![89], vec![5, 6, 7], vec![0, 17, 88], (0..90).collect()] {
            let mut found = Vec::new();
            lists.get(0).positions_of(&wanted, |position| found.push(position));
            let expected: Vec<usize> = (0..1_000).filter(|position| wanted.contains(&codes[*position])).collect();
            assert_eq!(found, expected);
        }
    }
}

/// Two documents, `{"a":1,"b":[2,3]}` and `{"a":4}`, as (columns, lists); `change` spoils them.
fn codes(change: impl Fn(&mut Vec<Column>, &mut Vec<Vec<u32>>, &mut Vec<ShapeNo>)) -> Result<(), Malformed> {
    let table = ShapeTable::from_skeletons(["{\"a\":\u{2},\"b\":[\u{2},\u{2}]}", "{\"a\":\u{2}}"]).expect("good ones");
    let column = |path, count, is_dense| Column { path: PathNo(path), unit: 0, group_len: [0, count, 0, 0], is_dense };
    let mut columns = vec![column(0, 2, true), column(1, 2, false)];
    let mut codes = vec![vec![0, 1], vec![1, 0], vec![1, 0]];
    let mut shapes = vec![ShapeNo(0), ShapeNo(1)];
    change(&mut columns, &mut codes, &mut shapes);
    let mut lists = CodeLists::default();
    codes.iter().for_each(|codes| lists.push_codes(codes.iter().copied(), 256));
    let columns = Columns::new(Arc::new(table), &columns, 1)?;
    Codes::new(&columns, shapes, lists).map(drop)
}

#[test]
fn codes_that_do_not_fit_are_refused() {
    assert_eq!(codes(|_, _, _| {}), Ok(()));
    assert!(codes(|_, lists, _| lists[1][0] = 2).is_err(), "a value too many");
    assert!(codes(|_, lists, _| lists[0][0] = 2).is_err(), "a shape too many");
    assert!(codes(|_, lists, _| lists[0][0] = 1).is_err(), "fewer holes than codes");
    assert!(codes(|_, lists, _| lists[2].push(0)).is_err(), "more codes than holes");
    assert!(codes(|_, lists, _| lists.push(vec![])).is_err(), "a list too many");
    assert!(codes(|_, lists, _| lists[0].clear()).is_err(), "no document");
    assert!(codes(|_, _, shapes| shapes[1] = ShapeNo(2)).is_err(), "a shape that no table has");
    assert!(codes(|columns, _, _| columns[1].is_dense = true).is_err(), "not dense");
    assert!(codes(|columns, _, _| columns[0].is_dense = false).is_err(), "dense");
    assert!(codes(|columns, _, _| columns[0].path = PathNo(9)).is_err(), "a path that no table has");
    assert!(codes(|columns, _, _| columns.swap(0, 1)).is_err(), "out of order");
    assert!(codes(|columns, _, _| columns[0].unit = 1).is_err(), "a unit that there is not");
    assert!(codes(|columns, _, _| columns[0].group_len = [0; 4]).is_err(), "no value");
    assert!(codes(|columns, _, _| columns[0].group_len = [u32::MAX; 4]).is_err(), "too many values");
}

//! What a unit gives, and what it refuses.

use grepzilla_model::fold::fold;

use super::*;

fn buffer(values: &[&str]) -> Vec<u8> {
    values.iter().flat_map(|value| value.bytes().chain([0xFF])).collect()
}

fn values(unit: &Unit, spelling: Spelling, values: UnitValues) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for run in unit.runs(spelling, &values) {
        for place in 0..run.value_count() {
            let range = run.range(place);
            assert_eq!(run.bytes()[range.end], 0xFF);
            for offset in range.start..=range.end {
                assert_eq!((run.value_at(offset, 0), run.value_at(offset, place)), (place, place));
            }
            let value = String::from_utf8(run.bytes()[range].to_vec()).expect("values are text");
            let value = if run.ignores_case() { value.to_ascii_lowercase() } else { value };
            found.push((run.number(place), value));
        }
    }
    found
}

const VALUES: [&str; 8] = ["C:\\Temp", "Log", "80", "", "кошки", "Zażółć", "ＦＵＬＬ", "½\u{301}"];

#[test]
fn values_are_given_in_both_spellings() {
    let unit = Unit::from_parts(buffer(&VALUES), [2, 2, 1, 3]).expect("a good unit");
    let numbered = |spell: fn(&str) -> String| VALUES.iter().map(|value| spell(value)).enumerate().collect::<Vec<_>>();
    assert_eq!(values(&unit, Spelling::Written, UnitValues::All), numbered(|value| value.to_owned()));
    assert_eq!(values(&unit, Spelling::Folded, UnitValues::All), numbered(|value| fold(value).into_owned()));
    let column = UnitValues::Column([1..2, 2..3, 5..5, 6..8]);
    assert_eq!(
        values(&unit, Spelling::Folded, column),
        [(1, "log".to_owned()), (2, "80".to_owned()), (6, "full".to_owned()), (7, "1\u{2044}2".to_owned())]
    );
    assert_eq!(unit.value(5), "Zażółć".as_bytes());
    assert_eq!((unit.value_count(), unit.group_len()), (8, [2, 2, 1, 3]));
    assert_eq!(unit.written(), buffer(&VALUES));
}

#[test]
fn a_unit_without_values_has_no_runs() {
    let unit = Unit::from_parts(Vec::new(), [0; GROUPS]).expect("a good unit");
    assert_eq!(values(&unit, Spelling::Folded, UnitValues::All), []);
}

#[test]
fn wrong_numbers_and_wrong_text_are_refused() {
    let good = buffer(&VALUES);
    for group_len in [[2, 2, 1, 2], [2, 2, 1, 4], [u32::MAX; 4], [0; 4], [2, 3, 0, 3], [5, 0, 0, 3]] {
        assert!(Unit::from_parts(good.clone(), group_len).is_err(), "{group_len:?}");
    }
    assert!(Unit::from_parts(b"a".to_vec(), [0, 1, 0, 0]).is_err());
    assert!(Unit::from_parts(b"\xC3\xFF".to_vec(), [0, 0, 1, 0]).is_err());
    assert!(Unit::from_parts(b"\x80\xFF".to_vec(), [0, 1, 0, 0]).is_err());
}

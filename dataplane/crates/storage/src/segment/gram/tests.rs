//! Grams from texts to look-ups: nothing that is there is missed, and lists are exact.

use std::collections::{BTreeMap, BTreeSet};

use grepzilla_model::fold::fold;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::disk::twin::Machine;
use crate::segment::directory::{PageDirectory, PageEntry};

const SCRIPTS: [&str; 6] = [
    "abcdefgh ABC0123./:-_",
    "zażółćęąśń",
    "кошкиКОШКИъё",
    "汉字漢字日本語かなカナ",
    "हिन्दीक्षि",
    "😀🦀e\u{301}ß\u{345}",
];

fn text(rng: &mut StdRng, length_max: usize) -> String {
    let characters: Vec<char> = SCRIPTS.choose(rng).expect("some").chars().collect();
    (0..rng.random_range(0..=length_max)).map(|_| *characters.choose(rng).expect("some")).collect()
}

/// Units of folded values.
fn random_units(rng: &mut StdRng, count: usize) -> Vec<Vec<String>> {
    let unit = |rng: &mut StdRng| (0..rng.random_range(0..20)).map(|_| fold(&text(rng, 24)).into_owned()).collect();
    (0..count).map(|_| unit(rng)).collect()
}

/// All keys of a value, found the slow way.
fn keys_of(value: &[u8]) -> BTreeSet<GramKey> {
    let ones = value.iter().map(|byte| GramKey::one(*byte));
    let twos = value.windows(2).map(|bytes| GramKey::two(bytes.try_into().expect("two")));
    let threes = value.windows(3).map(|bytes| GramKey::three(bytes.try_into().expect("three")));
    let fours = value.windows(4).map(|bytes| GramKey::four(bytes.try_into().expect("four")));
    ones.chain(twos).chain(threes).chain(fours).collect()
}

fn collected(collector: &mut GramCollector, unit: &[String]) -> Vec<GramKey> {
    // In two pieces, as values of several groups come.
    for half in [&unit[..unit.len() / 2], &unit[unit.len() / 2..]] {
        let bytes = half.iter().flat_map(|value| value.bytes().chain([0xFF]));
        collector.add(&bytes.collect::<Vec<u8>>());
    }
    let mut keys = Vec::new();
    collector.finish(|key| keys.push(key));
    keys
}

/// So little memory that nearly all runs go to the scratch file.
const SMALL: usize = 1_000;

struct Index {
    pages: Vec<u8>,
    directory: PageDirectory,
    unit_count: usize,
}

impl Index {
    fn of(units: &[Vec<String>]) -> Index {
        Index::with_memory(units, usize::MAX)
    }

    fn with_memory(units: &[Vec<String>], memory_bytes_max: usize) -> Index {
        let machine = Machine::new(1);
        let runs = GramRuns::new(&machine.boot(), "/grams.tmp".into());
        let (mut collector, mut runs) = (GramCollector::new(), runs.with_memory(memory_bytes_max));
        for (number, unit) in units.iter().enumerate() {
            collected(&mut collector, unit).into_iter().for_each(|key| runs.add(key, number as u32));
            if number % 7 == 0 {
                runs.pack().expect("room");
            }
        }
        let mut index = Index { pages: Vec::new(), directory: PageDirectory::default(), unit_count: units.len() };
        let mut writer = PageWriter::new(units.len() as u32);
        runs.merge(|key, units| {
            let page = writer.add(key, units);
            index.keep(page);
            Ok(())
        })
        .expect("readable");
        index.keep(writer.finish());
        let overflows = units.len() > 20 && memory_bytes_max == SMALL;
        assert!(!overflows || !machine.files().is_empty(), "runs go to the scratch file when there is no room");
        drop(runs);
        assert!(machine.files().is_empty());
        index
    }

    fn keep(&mut self, page: Option<(PageEntry, Vec<u8>)>) {
        if let Some((entry, bytes)) = page {
            self.directory.push(entry);
            self.pages.extend(bytes);
        }
    }

    fn find(&self, key: GramKey) -> UnitSet {
        let none = UnitSet::none(self.unit_count);
        let Some(place) = self.directory.find(key.0) else { return none };
        let page = &self.pages[place.range.start as usize..place.range.end as usize];
        assert_eq!(crc32fast::hash(page), place.entry.crc);
        find_in_page(page, place.entry.first_key, key, self.unit_count).expect("as written").unwrap_or(none)
    }
}

#[test]
fn the_grams_of_a_unit_are_those_of_its_values_each_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut collector = GramCollector::new();
    for unit in random_units(&mut rng, 200) {
        let mut found = collected(&mut collector, &unit);
        found.sort_unstable();
        let expected: BTreeSet<GramKey> = unit.iter().flat_map(|value| keys_of(value.as_bytes())).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{unit:?}");
    }
}

#[test]
fn a_unit_of_very_many_grams_leaves_nothing_behind_for_the_next() {
    let mut rng = StdRng::seed_from_u64(1);
    let large: Vec<String> = vec![(0..200_000).map(|_| char::from(rng.random_range(b' '..b'A'))).collect()];
    let mut collector = GramCollector::new();
    assert!(collected(&mut collector, &large).len() > 1 << 17);
    assert_eq!(collected(&mut collector, &["abcd".into()]).len(), 1 + 2 + 3 + 4);
}

#[test]
fn every_key_has_exactly_its_units() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for unit_count in [1, 2, 63, 64, 65, 300] {
        let units = random_units(&mut rng, unit_count);
        let index = Index::of(&units);
        let from_scratch = Index::with_memory(&units, SMALL);
        assert_eq!(from_scratch.pages, index.pages, "where runs are kept does not matter");
        let mut expected: BTreeMap<GramKey, BTreeSet<usize>> = BTreeMap::new();
        for (number, unit) in units.iter().enumerate() {
            let keys = unit.iter().flat_map(|value| keys_of(value.as_bytes()));
            for key in keys {
                expected.entry(key).or_default().insert(number);
            }
        }
        for (key, units) in &expected {
            let found = index.find(*key);
            assert_eq!(found.iter().collect::<BTreeSet<_>>(), *units, "{key:?}");
            assert_eq!((found.len(), found.is_empty()), (units.len(), false));
        }
        let neighbours = expected.keys().flat_map(|key| [GramKey(key.0.saturating_sub(1)), GramKey(key.0 + 1)]);
        for absent in neighbours.filter(|key| !expected.contains_key(key)) {
            assert!(index.find(absent).is_empty(), "{absent:?}");
        }
        for absent in (0..KEYS_END).step_by(9_973).map(GramKey).filter(|key| !expected.contains_key(key)) {
            assert!(index.find(absent).is_empty(), "{absent:?}");
        }
    }
}

#[test]
fn no_unit_that_holds_a_needle_is_missed() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let units = random_units(&mut rng, 100);
    let index = Index::of(&units);
    let mut held = 0;
    for _ in 0..2_000 {
        let needle = fold(&text(&mut rng, 6)).into_owned();
        let mut keys = Vec::new();
        grams_of(needle.as_bytes(), &mut keys);
        let mut candidates = UnitSet::all(units.len());
        keys.iter().for_each(|key| candidates.and(&index.find(*key)));
        for (number, unit) in units.iter().enumerate() {
            if unit.iter().any(|value| value.contains(&needle)) {
                held += 1;
                assert!(candidates.contains(number), "{needle:?} is in unit {number}, {unit:?}");
            }
        }
    }
    assert!(held > 100, "the needles must be met");
}

#[test]
fn pages_of_any_bytes_give_errors_or_sets_and_never_panic() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let index = Index::of(&random_units(&mut rng, 70));
    for _ in 0..3_000 {
        let mut page = index.pages[..index.pages.len().min(4_096)].to_vec();
        page.truncate(rng.random_range(0..=page.len()));
        for _ in 0..rng.random_range(1..8) {
            if let Some(place) = (0..page.len()).collect::<Vec<_>>().choose(&mut rng) {
                page[*place] = rng.random();
            }
        }
        let unit_count = rng.random_range(0..80);
        let found = find_in_page(&page, 0, GramKey(rng.random_range(0..KEYS_END)), unit_count);
        assert!(found.is_err() || found.is_ok_and(|set| set.is_none_or(|set| set.len() <= unit_count)));
    }
}

#[test]
fn the_layout_of_a_page_is_as_drawn() {
    let mut writer = PageWriter::new(6);
    assert_eq!(writer.add(GramKey::three(*b"abc"), &[2]), None);
    assert_eq!(writer.add(GramKey::three(*b"abd"), &[0, 1, 2, 3, 4, 5]), None);
    assert_eq!(writer.add(GramKey::three(*b"abz"), &[1, 4]), None);
    let (entry, bytes) = writer.finish().expect("three keys");
    // The first bit is the lowest.
    // abc: one unit: 1, which is 2 of 6: 01 and 0
    // abd: gap 0: 1 0000, six units: 00 1 01, and no more
    // abz: gap 21, which is 16 and 5: 01 1010, two units: 0 1 0, the second one, less the one below it, 3 of 5: 11 and 0, the first 1 of 4: 10
    assert_eq!((entry.first_key, entry.length), (0x61_6263, bytes.len() as u32));
    assert_eq!(bytes[..4], [3, 0, 4, 0]);
    assert_eq!(bytes[4..], [0b0001_0101, 0b1010_1000, 0b1010_0101, 0b0000_0101]);
    for (key, units) in [(*b"abc", vec![2]), (*b"abd", vec![0, 1, 2, 3, 4, 5]), (*b"abz", vec![1, 4])] {
        let found = find_in_page(&bytes, entry.first_key, GramKey::three(key), 6).expect("as written").expect("there");
        assert_eq!(found.iter().collect::<Vec<_>>(), units);
    }
}

#[test]
fn keys_are_frozen() {
    let keys = [GramKey::one(b'a'), GramKey::two(*b"ab"), GramKey::three(*b"abc"), GramKey::four(*b"abcd")];
    assert_eq!(keys.map(|key| key.0), [0x0300_0061, 0x0200_6162, 0x0061_6263, 0x01E8_7CFC]);
}

#[test]
fn sets_join_and_meet() {
    let of = |units: &[usize]| {
        let mut set = UnitSet::none(200);
        units.iter().for_each(|unit| set.insert(*unit));
        set
    };
    let (mut both, mut either) = (of(&[0, 63, 64, 199]), of(&[0, 63, 64, 199]));
    both.and(&of(&[1, 63, 199]));
    either.or(&of(&[1, 63, 199]));
    assert_eq!(both, of(&[63, 199]));
    assert_eq!(either.iter().collect::<Vec<_>>(), [0, 1, 63, 64, 199]);
    assert_eq!((UnitSet::all(200).len(), UnitSet::all(64).len(), UnitSet::all(0).len()), (200, 64, 0));
    assert!(!both.contains(200) && UnitSet::none(3).is_empty());
}

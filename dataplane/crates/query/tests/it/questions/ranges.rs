//! Random bounds that some values lie within.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Condition, Limit, Limits, path, some};
use crate::fixtures::{Sample, text, time};

/// Makes up a bound.
type MakeBound = fn(&mut StdRng, &[Sample]) -> String;

pub(crate) fn range(random: &mut StdRng, samples: &[Sample]) -> Condition {
    let (field, are_numbers, bound): (String, bool, MakeBound) = match random.random_range(0..4) {
        0 => ("n".to_owned(), true, |random, _| small_number(random)),
        1 => ("big".to_owned(), true, |random, _| big_number(random)),
        2 => (if some(random, 0.9) { "when".to_owned() } else { path(random) }, false, |random, _| time(random)),
        _ => (path(random), false, value),
    };
    let lower = *[Limit::Gt, Limit::Gte].choose(random).expect("there are some");
    let upper = *[Limit::Lt, Limit::Lte].choose(random).expect("there are some");
    let sides: &[Limit] = match random.random_range(0..4) {
        0 => &[lower],
        1 => &[upper],
        _ => &[lower, upper],
    };
    Condition::Range(
        field,
        Limits { are_numbers, bounds: sides.iter().map(|side| (*side, bound(random, samples))).collect() },
    )
}

fn small_number(random: &mut StdRng) -> String {
    let number: i32 = random.random_range(-300..2_500);
    match random.random_range(0..4) {
        0 => format!("{}", number / 10),
        1 => format!("{number}e-1"),
        2 => format!("{}.{}00", number / 10, number.abs() % 10),
        _ => format!("{}E+1", number / 100),
    }
}

fn big_number(random: &mut StdRng) -> String {
    let whole = u64::MAX - random.random_range(0..9);
    if some(random, 0.3) { format!("{whole}.5") } else { whole.to_string() }
}

/// A value, or what might be one.
fn value(random: &mut StdRng, samples: &[Sample]) -> String {
    let leaf = samples.choose(random).and_then(|sample| sample.leaves.choose(random));
    leaf.filter(|_| some(random, 0.8)).map_or_else(|| text(random), |leaf| leaf.written.clone())
}

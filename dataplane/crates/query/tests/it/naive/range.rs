//! Ranges: numbers as long rows of digits, times by the calendar, texts character by character.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

use crate::questions::{Limit, Limits};

/// Bounds, prepared once.
pub(crate) struct Bounds<'a> {
    limits: &'a Limits,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Time,
    Text,
}

impl<'a> Bounds<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Bounds<'a> {
        let texts: Vec<&str> = limits.bounds.iter().map(|(_, bound)| bound.as_str()).collect();
        let kind = match limits.are_numbers {
            true => Kind::Number,
            false if texts.iter().all(|text| moment(text).is_some()) => Kind::Time,
            false => Kind::Text,
        };
        Bounds { limits, kind }
    }

    pub(crate) fn enclose(&self, value: &str) -> bool {
        let compare = |bound: &str| match self.kind {
            Kind::Number => Some(digits(value)?.cmp(&digits(bound)?)),
            Kind::Time => Some(moment(value)?.cmp(&moment(bound)?)),
            Kind::Text => Some(value.chars().cmp(bound.chars())),
        };
        self.limits.bounds.iter().all(|(limit, bound)| match (limit, compare(bound)) {
            (_, None) => false,
            (Limit::Gt, Some(order)) => order == Ordering::Greater,
            (Limit::Gte, Some(order)) => order != Ordering::Less,
            (Limit::Lt, Some(order)) => order == Ordering::Less,
            (Limit::Lte, Some(order)) => order != Ordering::Greater,
        })
    }
}

/// Places before and behind the point of a written-out number.
const PLACES: usize = 120;

/// A JSON number as a signed row of digits; the row of a negative number counts down.
fn digits(text: &str) -> Option<Vec<i8>> {
    static FORM: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$").expect("a pattern"));
    let parts = FORM.captures(text)?;
    let part = |number| parts.get(number).map_or("", |part| part.as_str());
    let power: i64 = if part(4).is_empty() { 0 } else { part(4).parse().expect("a small power") };
    let sign = if part(1) == "-" { -1 } else { 1 };
    let mut row = vec![0; 2 * PLACES];
    let first = PLACES as i64 - part(2).len() as i64 - power;
    for (place, digit) in (first..).zip((part(2).to_owned() + part(3)).bytes()) {
        row[usize::try_from(place).expect("a short number")] = sign * (digit - b'0') as i8;
    }
    Some(row)
}

/// Nanoseconds since the beginning of 1970.
fn moment(text: &str) -> Option<i128> {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        let form = r"^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-]\d\d):(\d\d))$";
        Regex::new(form).expect("a pattern")
    });
    let parts = FORM.captures(text)?;
    let number = |part| parts.get(part).map_or(0, |part| part.as_str().parse::<i128>().expect("digits"));
    let (year, month, day) = (number(1), number(2), number(3));
    let leap = |year: i128| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let years: i128 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = years + months.iter().take(usize::try_from(month).ok()? - 1).sum::<i128>() + day - 1;
    let is_west = parts.get(8).is_some_and(|part| part.as_str().starts_with('-'));
    let offset = number(8) * 60 + if is_west { -number(9) } else { number(9) };
    let seconds = days * 86_400 + number(4) * 3_600 + (number(5) - offset) * 60 + number(6);
    let fraction = parts.get(7).map_or(String::new(), |part| part.as_str().to_owned());
    Some(seconds * 1_000_000_000 + format!("{fraction:0<9}").parse::<i128>().expect("digits"))
}

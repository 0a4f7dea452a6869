//! Whether a value lies between bounds: as numbers, as times, or as text.

mod decimal;

use std::cmp::Ordering;

use grepzilla_model::TimeNs;

use crate::{Bound, Bounds, QueryError};
use decimal::Decimal;

/// Compiled bounds, all of one kind.
#[derive(Debug)]
pub(crate) enum Range {
    Numbers(Ends<Decimal<'static>>),
    Times(Ends<TimeNs>),
    Texts(Ends<String>),
}

/// The lower and the upper bound.
#[derive(Debug)]
pub(crate) struct Ends<T> {
    lower: Option<End<T>>,
    upper: Option<End<T>>,
}

#[derive(Debug, Clone, Copy)]
struct End<T> {
    at: T,
    is_inclusive: bool,
}

impl Range {
    pub(crate) fn new(bounds: &Bounds) -> Result<Range, QueryError> {
        let lower = one_of((&bounds.gt, "gt"), (&bounds.gte, "gte"))?;
        let upper = one_of((&bounds.lt, "lt"), (&bounds.lte, "lte"))?;
        let given = || lower.iter().chain(&upper).map(|end| end.at);
        if given().next().is_none() {
            return Err(QueryError::NoBounds);
        }
        let numbers = given().filter(|bound| matches!(bound, Bound::Number(_))).count();
        if numbers > 0 && numbers < given().count() {
            return Err(QueryError::MixedBounds);
        }
        if numbers > 0 {
            let number = |bound: &Bound| Decimal::read(bound.text()).map(Decimal::into_owned);
            return Ends::new(lower, upper, number).map(Range::Numbers).ok_or(QueryError::BadNumber);
        }
        if let Some(times) = Ends::new(lower, upper, |bound| TimeNs::from_rfc3339(bound.text())) {
            return Ok(Range::Times(times));
        }
        let texts = Ends::new(lower, upper, |bound| Some(bound.text().to_owned()));
        Ok(Range::Texts(texts.expect("every bound has a text")))
    }

    /// Whether a value as written is in the range. What is not of the bounds' kind is not.
    pub(crate) fn has(&self, value: &str) -> bool {
        match self {
            Range::Numbers(ends) => {
                Decimal::read(value).is_some_and(|number| ends.enclose(|bound| number.compare(bound)))
            }
            Range::Times(ends) => TimeNs::from_rfc3339(value).is_some_and(|time| ends.enclose(|bound| time.cmp(bound))),
            Range::Texts(ends) => ends.enclose(|bound| value.cmp(bound.as_str())),
        }
    }
}

impl Bound {
    fn text(&self) -> &str {
        let (Bound::Number(text) | Bound::Text(text)) = self;
        text
    }
}

/// The bound of one side that is given.
fn one_of<'a>(
    (exclusive, one): (&'a Option<Bound>, &'static str),
    (inclusive, other): (&'a Option<Bound>, &'static str),
) -> Result<Option<End<&'a Bound>>, QueryError> {
    match (exclusive, inclusive) {
        (Some(_), Some(_)) => Err(QueryError::DoubleBound { one, other }),
        (Some(at), None) => Ok(Some(End { at, is_inclusive: false })),
        (None, Some(at)) => Ok(Some(End { at, is_inclusive: true })),
        (None, None) => Ok(None),
    }
}

impl<T> Ends<T> {
    /// `None`: a bound cannot be read.
    fn new(
        lower: Option<End<&Bound>>,
        upper: Option<End<&Bound>>,
        read: impl Fn(&Bound) -> Option<T>,
    ) -> Option<Ends<T>> {
        let end = |end: Option<End<&Bound>>| match end {
            Some(End { at, is_inclusive }) => read(at).map(|at| Some(End { at, is_inclusive })),
            None => Some(None),
        };
        Some(Ends { lower: end(lower)?, upper: end(upper)? })
    }

    /// `compare`: how the value stands to a bound.
    fn enclose(&self, compare: impl Fn(&T) -> Ordering) -> bool {
        let inside = |end: &Option<End<T>>, side: Ordering| match end {
            Some(End { at, is_inclusive }) => match compare(at) {
                Ordering::Equal => *is_inclusive,
                other => other == side,
            },
            None => true,
        };
        inside(&self.lower, Ordering::Greater) && inside(&self.upper, Ordering::Less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<Bound> {
        Some(Bound::Number(text.to_owned()))
    }

    fn text(text: &str) -> Option<Bound> {
        Some(Bound::Text(text.to_owned()))
    }

    #[track_caller]
    fn check(bounds: Bounds, inside: &[&str], outside: &[&str]) {
        let range = Range::new(&bounds).expect("good bounds");
        inside.iter().for_each(|value| assert!(range.has(value), "{value} in {bounds:?}"));
        outside.iter().for_each(|value| assert!(!range.has(value), "{value} in {bounds:?}"));
    }

    #[test]
    fn numbers_are_compared_by_all_their_digits() {
        let bounds =
            Bounds { gte: number("12345678901234567890"), lt: number("12345678901234567892"), ..<_>::default() };
        let inside =
            ["12345678901234567890", "12345678901234567891", "12345678901234567891.9", "1.2345678901234567891e19"];
        check(
            bounds,
            &inside,
            &["12345678901234567889", "12345678901234567892", "", "x", "true", "12345678901234567890 "],
        );
        let bounds = Bounds { gt: number("-1"), lte: number("0.10"), ..<_>::default() };
        check(
            bounds,
            &["0", "-0.0", "1e-1", "0.1", "-0.999"],
            &["-1", "-1.0", "0.1000001", "1", "-1e2", "0x0", "00", "+0"],
        );
    }

    #[test]
    fn times_are_compared_as_moments_and_only_with_times() {
        let bounds =
            Bounds { gte: text("2026-01-01T00:00:00Z"), lt: text("2026-01-01T02:00:00+01:00"), ..<_>::default() };
        let inside = ["2026-01-01T00:00:00Z", "2026-01-01T02:59:59.999+02:00", "2026-01-01T00:59:59.999999999Z"];
        check(
            bounds,
            &inside,
            &["2026-01-01T01:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01", "2026-01-01T00:30", "x"],
        );
    }

    #[test]
    fn texts_are_compared_as_written() {
        let bounds = Bounds { gte: text("b"), lte: text("c"), ..<_>::default() };
        check(bounds, &["b", "ba", "bé", "c"], &["a", "B", "C", "ca", "", "1"]);
        let bounds = Bounds { gt: text("2026-01-01T00:00:00Z"), lt: text("b"), ..<_>::default() };
        check(bounds, &["2026-01-01T00:00:00Z!", "a", "9"], &["2026-01-01T00:00:00Z", "1"]);
    }
}

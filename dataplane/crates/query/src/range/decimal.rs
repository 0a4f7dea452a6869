//! A JSON number, compared by its value and not by what fits into a float.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A number: `0.DIGITS * 10^magnitude`, the digits having no zero at either end; without digits it is zero.
///
/// Powers of ten beyond those of an `i64` are taken for the nearest of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal<'a> {
    is_negative: bool,
    magnitude: i64,
    digits: Cow<'a, str>,
}

impl<'a> Decimal<'a> {
    /// Reads the text of a JSON number. `None`: it is none.
    pub(super) fn read(text: &'a str) -> Option<Decimal<'a>> {
        let (is_negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], power(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || has_leading_zero || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits = if fraction.is_empty() { Cow::Borrowed(whole) } else { Cow::Owned(format!("{whole}{fraction}")) };
        let zeros = digits.len() - digits.trim_start_matches('0').len();
        let digits = match digits {
            Cow::Borrowed(digits) => Cow::Borrowed(digits.trim_matches('0')),
            Cow::Owned(digits) => Cow::Owned(digits.trim_matches('0').to_owned()),
        };
        let is_zero = digits.is_empty();
        let magnitude = power.saturating_add(whole.len() as i64 - zeros as i64);
        let magnitude = if is_zero { 0 } else { magnitude };
        Some(Decimal { is_negative: is_negative && !is_zero, magnitude, digits })
    }

    pub(super) fn into_owned(self) -> Decimal<'static> {
        Decimal { digits: self.digits.into_owned().into(), ..self }
    }

    pub(super) fn compare(&self, other: &Decimal<'_>) -> Ordering {
        match (self.sign(), other.sign()) {
            (1, 1) => self.compare_size(other),
            (-1, -1) => other.compare_size(self),
            (one, other) => one.cmp(&other),
        }
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// Without signs. Digits compare as text, because none of them ends with a zero.
    fn compare_size(&self, other: &Decimal<'_>) -> Ordering {
        self.magnitude.cmp(&other.magnitude).then_with(|| self.digits.cmp(&other.digits))
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The power of ten behind the `e`.
fn power(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !is_digits(digits) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX);
    Some(if is_negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_in_the_order_of_their_values() {
        let ascending = [
            "-1e99999999999999999999",
            "-12345678901234567891",
            "-12345678901234567890",
            "-10",
            "-9.5",
            "-1e-3",
            "0",
            "1e-99999999999999999999",
            "0.0001",
            "0.00010001",
            "0.1",
            "1",
            "1.5",
            "10",
            "10.01",
            "18446744073709551616",
            "18446744073709551617",
            "1e20",
            "1e308",
            "1e309",
        ];
        let read = |text| Decimal::read(text).expect("a number");
        for (one, next) in ascending.iter().zip(&ascending[1..]) {
            assert_eq!(read(*one).compare(&read(*next)), Ordering::Less, "{one} {next}");
            assert_eq!(read(*next).compare(&read(*one)), Ordering::Greater, "{one} {next}");
        }
    }

    #[test]
    fn spellings_of_one_number_are_equal() {
        for equal in [
            ["0", "-0", "0.000", "0e7", "-0.0E-3"],
            ["100", "1e2", "100.0", "1000e-1", "0.1E+3"],
            ["-0.5", "-5e-1", "-0.50", "-50e-2", "-0.05e1"],
        ] {
            for other in equal {
                assert_eq!(Decimal::read(other), Decimal::read(equal[0]), "{other}");
            }
        }
    }

    #[test]
    fn what_json_does_not_write_is_no_number() {
        for text in [
            "", "-", "01", "-01", "1.", ".5", "+1", "1e", "1e+", "e1", "1 ", " 1", "0x1", "NaN", "1.2.3", "1e1.5", "１",
        ] {
            assert_eq!(Decimal::read(text), None, "{text:?}");
        }
    }
}

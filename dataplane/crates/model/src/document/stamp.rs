//! The time that a document carries itself.

use super::check::Checked;
use super::scan::unescaped;
use crate::TimeNs;

/// The top-level fields that may hold a document's time; the first that can be read counts.
pub(super) const TIME_FIELDS: [&str; 4] = ["@timestamp", "timestamp", "ts", "time"];

/// The document's time; `None`: no field has one that can be read.
pub(super) fn time(checked: &Checked<'_>) -> Option<TimeNs> {
    checked.times.iter().flatten().find_map(|value| read(value))
}

/// The moment that a value stands for, as it is written in JSON.
pub(super) fn read(value: &str) -> Option<TimeNs> {
    match value.strip_prefix('"') {
        Some(quoted) => {
            let text = unescaped(&quoted[..quoted.len() - 1]);
            TimeNs::from_rfc3339(&text).or_else(|| epoch(&text))
        }
        None => epoch(value),
    }
}

/// Reads a decimal number of any of the epoch's units. Digits beyond the nanosecond are cut off.
fn epoch(text: &str) -> Option<TimeNs> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_negative = whole.starts_with('-');
    let whole: i64 = whole.parse().ok()?;
    let start = TimeNs::from_epoch(whole)?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // What the number is worth tells its unit apart; 0 is taken for seconds.
    let probe = if whole == 0 { 1 } else { whole };
    let unit = TimeNs::from_epoch(probe)?.0 / probe;
    let digits = &fraction[..fraction.len().min(9)];
    let parts: i64 = digits.parse().ok()?;
    let nanos = i128::from(parts) * i128::from(unit) / 10i128.pow(digits.len() as u32);
    let nanos = i64::try_from(nanos).ok()?;
    start.0.checked_add(if is_negative { -nanos } else { nanos }).map(TimeNs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_every_unit_are_read_exactly() {
        let moment = 1_591_367_999_305_988_000;
        for text in [
            "1591367999.305988",
            "1591367999305.988",
            "1591367999305988.0",
            "1591367999305988000",
            "\"1591367999.305988\"",
        ] {
            assert_eq!(read(text), Some(TimeNs(moment)), "{text}");
        }
        assert_eq!(read("0.5"), Some(TimeNs(500_000_000)));
        assert_eq!(read("-1.5"), Some(TimeNs(-1_500_000_000)));
        assert_eq!(read("1591367999.1234567899"), Some(TimeNs(1_591_367_999_123_456_789)));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for value in
            ["true", "{}", "1e9", "\"soon\"", "\"\"", "99999999999999999999", "\"12.\"", "\"2020-09-14 00:44\""]
        {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(read("\"2020-09-14T00:44:23.000Z\""), Some(TimeNs(1_600_044_263_000_000_000)));
    }
}

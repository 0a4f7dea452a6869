//! A moment as documents and records carry it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z. It reaches from 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeNs(pub i64);

impl TimeNs {
    /// The moment of a system clock reading; what does not fit is moved to the nearest end.
    pub fn from_system(time: SystemTime) -> TimeNs {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => TimeNs(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX)),
            Err(before) => TimeNs(i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos)),
        }
    }

    /// Reads RFC 3339 text. `None`: not RFC 3339, or out of reach.
    pub fn from_rfc3339(text: &str) -> Option<TimeNs> {
        let timestamp: Timestamp = text.parse().ok()?;
        i64::try_from(timestamp.as_nanosecond()).ok().map(TimeNs)
    }

    /// Reads a number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by magnitude:
    /// up to 1e11 seconds, 1e14 milliseconds, 1e17 microseconds, beyond that nanoseconds.
    pub fn from_epoch(number: i64) -> Option<TimeNs> {
        const UNITS: [(i64, i64); 3] =
            [(100_000_000_000, 1_000_000_000), (100_000_000_000_000, 1_000_000), (100_000_000_000_000_000, 1_000)];
        let scale = UNITS.iter().find(|(below, _)| number.saturating_abs() < *below).map_or(1, |(_, scale)| *scale);
        number.checked_mul(scale).map(TimeNs)
    }
}

impl fmt::Display for TimeNs {
    /// RFC 3339 in UTC with as many digits of the second as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp =
            Timestamp::from_nanosecond(i128::from(self.0)).expect("an i64 of nanoseconds is within jiff's range");
        timestamp.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_numbers_of_every_unit_name_the_same_moment() {
        let moment = TimeNs::from_rfc3339("2026-11-23T10:00:00Z").expect("well formed");
        for number in [moment.0 / 1_000_000_000, moment.0 / 1_000_000, moment.0 / 1_000, moment.0] {
            assert_eq!(TimeNs::from_epoch(number), Some(moment));
        }
    }

    #[test]
    fn text_and_time_are_inverse() {
        for text in ["2026-11-23T10:00:00Z", "1969-12-31T23:59:59.5Z", "2026-11-23T10:00:00.000000001Z"] {
            assert_eq!(TimeNs::from_rfc3339(text).expect("well formed").to_string(), text);
        }
        assert_eq!(TimeNs::from_rfc3339("yesterday"), None);
    }
}

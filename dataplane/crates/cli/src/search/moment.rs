//! Moments as people type them: RFC 3339, a date, or so long ago.

use anyhow::{Result, anyhow};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Reads `2026-11-23T10:00:00+01:00`, `2026-11-23T10:00` and `2026-11-23` (in UTC), or a time before `now`: `15m`,
/// `2h 30m`, `7d`.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return Ok(local.to_zoned(TimeZone::UTC)?.timestamp());
    }
    let ago = text.parse::<Span>().map_err(|_| {
        anyhow!("{text:?} is no time: write 2026-11-23T10:00:00Z, 2026-11-23, or how long ago, as 15m, 2h or 7d")
    })?;
    Ok(now.to_zoned(TimeZone::UTC).checked_sub(ago.abs())?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_absolute_or_before_now() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().expect("RFC 3339");
        let moments = ["2026-11-01T00:00:00+01:00", "2026-11-01T07:30", "2026-11-01", "15m", "2h 30m", "7d", "500ms"]
            .map(|text| parse(text, now).expect("a moment").to_string());
        assert_eq!(
            moments,
            [
                "2026-10-31T23:00:00Z",
                "2026-11-01T07:30:00Z",
                "2026-11-01T00:00:00Z",
                "2026-11-23T09:45:00Z",
                "2026-11-23T07:30:00Z",
                "2026-11-16T10:00:00Z",
                "2026-11-23T09:59:59.5Z",
            ]
        );
    }

    #[test]
    fn what_is_no_moment_is_refused_with_the_forms_there_are() {
        let error = parse("yesterday-ish", Timestamp::UNIX_EPOCH).expect_err("no time").to_string();
        assert!(error.contains("15m"), "{error}");
    }
}

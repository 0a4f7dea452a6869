//! What a search counts and how it was found, for people: documents by time and by value, and the work of each shard.

use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::Style;
use grepzilla_api::search::{ExplainedPattern, Histogram, ShardExplanation, Terms, TotalRelation};
use jiff::{SignedDuration, Timestamp};

use crate::text::{counted, cut, duration, megabytes, printable, thousands};

const DIM: Style = Style::new().dimmed();
/// The longest bar, in characters.
const BAR: u64 = 40;
/// Up to so many lines, spans without documents are shown too.
const LINES_MAX: usize = 200;
/// The longest value that is shown whole.
const VALUE_CHARACTERS: usize = 60;

/// Writes documents by time: a line for each span, with a bar.
pub(super) fn histogram(out: &mut impl Write, histogram: &Histogram) -> io::Result<()> {
    let spans = filled(histogram).unwrap_or_else(|| {
        histogram.buckets.iter().map(|bucket| (printable(&bucket.from).into_owned(), bucket.count)).collect()
    });
    lines(out, &spans)
}

/// Writes documents by value, the most frequent first.
pub(super) fn terms(out: &mut impl Write, terms: &Terms) -> io::Result<()> {
    let value = |value: &str| cut(&printable(value), Some(VALUE_CHARACTERS)).into_owned();
    let values: Vec<(String, u64)> = terms.buckets.iter().map(|bucket| (value(&bucket.value), bucket.count)).collect();
    lines(out, &values)?;
    if terms.relation == TotalRelation::Gte {
        let most = counted(terms.error_max, "document");
        writeln!(out, "{DIM}there are too many values to count all: each count may lack up to {most}{DIM:#}")?;
    }
    Ok(())
}

/// Writes what each shard did.
pub(super) fn explain(out: &mut impl Write, shards: &[ShardExplanation]) -> io::Result<()> {
    for explained in shards {
        let ShardExplanation { shard, patterns, blocks_total, blocks_excluded, blocks_read, bytes_read, .. } =
            explained;
        let micros = |micros: u64| duration(Duration::from_micros(micros));
        writeln!(
            out,
            "{DIM}shard {shard}: {} of {} read, {} excluded by grams, {} scanned by {}; grams {}, scan {}, page {}{DIM:#}",
            thousands(*blocks_read),
            counted(*blocks_total, "block"),
            thousands(*blocks_excluded),
            megabytes(*bytes_read),
            counted(explained.threads as u64, "thread"),
            micros(explained.plan_us),
            // The visit of blocks includes the index.
            micros(explained.scan_us.saturating_sub(explained.plan_us)),
            micros(explained.assembly_us),
        )?;
        for ExplainedPattern { required, grams } in patterns {
            writeln!(out, "{DIM}    {} of {}{DIM:#}", counted(*grams, "gram"), printable(required))?;
        }
    }
    Ok(())
}

/// The spans, those without documents between others included. `None`: there would be too many.
fn filled(histogram: &Histogram) -> Option<Vec<(String, u64)>> {
    let (first, last) = (histogram.buckets.first()?, histogram.buckets.last()?);
    let (mut at, last): (Timestamp, Timestamp) = (first.from.parse().ok()?, last.from.parse().ok()?);
    let interval = interval(&histogram.interval)?;
    let mut spans = Vec::new();
    let mut buckets = histogram.buckets.iter().peekable();
    while at <= last {
        let bucket = buckets.next_if(|bucket| bucket.from.parse().is_ok_and(|from: Timestamp| from == at));
        spans.push((at.to_string(), bucket.map_or(0, |bucket| bucket.count)));
        at = at.checked_add(interval).ok()?;
        if spans.len() > LINES_MAX {
            return None;
        }
    }
    // Every span was met; if not, the interval is not what it seems.
    buckets.next().is_none().then_some(spans)
}

/// The length of a span: a number and its unit.
fn interval(text: &str) -> Option<SignedDuration> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(millis).filter(|millis| *millis > 0).map(SignedDuration::from_millis)
}

fn lines(out: &mut impl Write, rows: &[(String, u64)]) -> io::Result<()> {
    let name_width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let count_width = rows.iter().map(|(_, count)| thousands(*count).len()).max().unwrap_or(0);
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    for (name, count) in rows {
        let bar = "█".repeat((u128::from(*count) * u128::from(BAR)).div_ceil(u128::from(most)) as usize);
        writeln!(out, "{}", format!("{name:name_width$}  {:>count_width$}  {bar}", thousands(*count)).trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("memory takes everything");
        String::from_utf8(out).expect("text")
    }

    fn of(interval: &str, buckets: &[(&str, u64)]) -> Histogram {
        let buckets: Vec<_> = buckets.iter().map(|(from, count)| json!({"from": from, "count": count})).collect();
        serde_json::from_value(json!({"interval": interval, "buckets": buckets})).expect("a histogram")
    }

    #[test]
    fn a_span_without_documents_is_seen() {
        let two = of("1m", &[("2026-11-23T10:00:00Z", 1_000), ("2026-11-23T10:02:00Z", 1)]);
        let expected = format!(
            "2026-11-23T10:00:00Z  1,000  {}\n2026-11-23T10:01:00Z      0\n2026-11-23T10:02:00Z      1  █\n",
            "█".repeat(40)
        );
        assert_eq!(text(|out| histogram(out, &two)), expected);
        let far = of("1s", &[("2026-11-22T10:00:00Z", 1), ("2026-11-23T10:00:00Z", 1)]);
        assert_eq!(text(|out| histogram(out, &far)).lines().count(), 2, "not a day of empty seconds");
        let strange = of("1 moon", &[("2026-11-22T10:00:00Z", 1)]);
        assert_eq!(text(|out| histogram(out, &strange)).lines().count(), 1);
        assert_eq!(text(|out| histogram(out, &of("1s", &[]))), "");
    }

    #[test]
    fn values_are_cut_and_cannot_speak_to_the_terminal() {
        let long = "x".repeat(100);
        let found: Terms = serde_json::from_value(json!({"field": "a", "relation": "gte", "error_max": 3, "buckets": [
            {"value": "a\u{1b}[2J", "count": 7}, {"value": long, "count": 2}]}))
        .expect("terms");
        let text = text(|out| terms(out, &found));
        assert!(text.starts_with("a\\u{1b}[2J "), "{text}");
        assert!(text.contains(&format!("\n{}…  2  ", "x".repeat(59))), "{text}");
        assert!(text.contains("each count may lack up to 3 documents"), "{text}");
    }

    #[test]
    fn the_work_of_a_shard_is_told_in_one_line_and_one_for_each_pattern() {
        let explained = ShardExplanation {
            patterns: vec![ExplainedPattern { required: "timeout".into(), grams: 4 }],
            blocks_total: 900,
            blocks_excluded: 888,
            blocks_read: 12,
            bytes_read: 3_200_000,
            threads: 2,
            plan_us: 100,
            scan_us: 1_300,
            assembly_us: 50,
            ..ShardExplanation::default()
        };
        let text = text(|out| explain(out, &[explained]));
        assert!(text.contains("12 of 900 blocks read, 888 excluded by grams, 3.2 MB scanned by 2 threads"), "{text}");
        assert!(
            text.contains("grams 0.1 ms, scan 1.2 ms, page 0.1 ms") && text.contains("4 grams of timeout"),
            "{text}"
        );
    }
}

//! A search's answer for people: each hit with what matched made visible, then how many there are and what it took.

use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use grepzilla_api::search::{Hit, SearchResponse, TotalRelation};

use crate::search::figures;
use crate::text::{counted, cut, duration, printable, thousands};

const MATCH: Style = AnsiColor::Red.on_default().bold();
const FIELD: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();
/// Characters of a document that is shown because no value of it is.
const SOURCE_CHARACTERS: usize = 300;

/// Writes the page and the totals; `took` is the time that the user waited.
pub(super) fn render(out: &mut impl Write, answer: &SearchResponse, took: Duration) -> io::Result<()> {
    for hit in &answer.hits {
        render_hit(out, hit)?;
    }
    if let Some(histogram) = &answer.histogram {
        figures::histogram(out, histogram)?;
    }
    if let Some(terms) = &answer.terms {
        figures::terms(out, terms)?;
    }
    figures::explain(out, answer.explain.as_deref().unwrap_or_default())?;
    writeln!(out, "{DIM}{}{DIM:#}", summary(answer, took))
}

/// How many documents match, in words.
pub(super) fn total(answer: &SearchResponse) -> String {
    let verb = if answer.total == 1 { "matches" } else { "match" };
    match answer.total_relation {
        TotalRelation::Eq => format!("{} {verb}", counted(answer.total, "document")),
        TotalRelation::Gte => format!("at least {} {verb}", counted(answer.total, "document")),
    }
}

/// Writes one hit.
pub(crate) fn render_hit(out: &mut impl Write, hit: &Hit) -> io::Result<()> {
    let (time, index, id) = (printable(&hit.time), printable(&hit.index), printable(&hit.id));
    let field = printable(&hit.matched_field);
    writeln!(out, "{time} {DIM}{index}/{id}{DIM:#} {FIELD}{field}{FIELD:#}")?;
    write!(out, "    ")?;
    if hit.preview.is_empty() {
        // What holds for the whole document, as `exists` does, is in no single value.
        let source = printable(hit.source.get());
        return writeln!(out, "{DIM}{}{DIM:#}", cut(&source, Some(SOURCE_CHARACTERS)));
    }
    for (piece, matched) in pieces(&hit.preview, &hit.highlights) {
        let piece = printable(piece);
        if matched { write!(out, "{MATCH}{piece}{MATCH:#}")? } else { write!(out, "{piece}")? }
    }
    writeln!(out)
}

/// Cuts a preview at its highlights. A range that is not one (out of order, out of bounds, inside a character) is passed
/// over: the text is shown in whole all the same.
fn pieces<'a>(preview: &'a str, highlights: &[[usize; 2]]) -> Vec<(&'a str, bool)> {
    let (mut pieces, mut shown) = (Vec::new(), 0);
    for &[start, end] in highlights {
        if let (true, Some(before), Some(matched)) = (start < end, preview.get(shown..start), preview.get(start..end)) {
            pieces.extend([(before, false), (matched, true)]);
            shown = end;
        }
    }
    pieces.push((&preview[shown..], false));
    pieces.retain(|(piece, _)| !piece.is_empty());
    pieces
}

fn summary(answer: &SearchResponse, took: Duration) -> String {
    let shown = match (answer.hits.len() as u64, answer.total) {
        (hits, total) if hits < total => format!(" ({} shown)", thousands(hits)),
        _ => String::new(),
    };
    let metrics = &answer.metrics;
    format!(
        "{}{shown}, {}: {} ms on the node, {} of {} read, {} looked at",
        total(answer),
        duration(took),
        metrics.total_ms,
        thousands(metrics.blocks_read),
        counted(metrics.blocks_total, "block"),
        counted(metrics.candidates_total, "document"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(preview: &str, highlights: &[[usize; 2]], total: u64) -> SearchResponse {
        serde_json::from_value(json!({
            "hits": [{"doc_id": 7, "shard": 0, "id": "0.1.7", "index": "main", "time": "2026-11-23T10:00:00Z",
                      "matched_field": "text.body", "preview": preview, "highlights": highlights, "source": {"a": 1}}],
            "cursor": null, "total": total, "total_relation": "eq", "token": [], "partial": false, "failed_shards": [],
            "stale_read": false, "trace_id": "t",
            "metrics": {"total_ms": 3, "blocks_total": 9, "blocks_read": 2, "candidates_total": 1}
        }))
        .expect("an answer")
    }

    fn rendered(answer: &SearchResponse) -> String {
        let mut out = Vec::new();
        render(&mut out, answer, Duration::from_millis(12)).expect("memory takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_hit_shows_where_it_matched_and_the_totals_follow() {
        let text = rendered(&answer("an error\tin\u{1b}[2J Łódź", &[[3, 8], [16, 18]], 1_234));
        assert!(
            text.contains("2026-11-23T10:00:00Z \u{1b}[2mmain/0.1.7\u{1b}[0m \u{1b}[36mtext.body\u{1b}[0m\n"),
            "{text:?}"
        );
        let matched = "an \u{1b}[1m\u{1b}[31merror\u{1b}[0m in\\u{1b}[2J \u{1b}[1m\u{1b}[31mŁ\u{1b}[0módź\n";
        assert!(text.contains(matched), "{text:?}");
        let summary =
            "1,234 documents match (1 shown), 12 ms: 3 ms on the node, 2 of 9 blocks read, 1 document looked at";
        assert!(text.contains(summary), "{text:?}");
    }

    #[test]
    fn a_hit_without_a_value_that_matched_shows_the_document() {
        let text = rendered(&answer("", &[], 1));
        assert!(text.contains("\n    \u{1b}[2m{\"a\":1}\u{1b}[0m\n"), "{text:?}");
    }

    #[test]
    fn ranges_that_are_not_ranges_lose_no_text() {
        for highlights in [[[1, 2], [3, 9]], [[5, 3], [9, 12]], [[0, 3], [1, 2]]] {
            let joined: String = pieces("Łódź", &highlights).into_iter().map(|(piece, _)| piece).collect();
            assert_eq!(joined, "Łódź", "{highlights:?}");
        }
    }
}

//! `gz search`: one search, its hits with the matches made visible, and how many documents match in all.

use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use grepzilla_api::search::{HistogramRequest, Order, Page, SearchRequest, SearchResponse, TermsRequest, TimeRange};
use jiff::Timestamp;

use crate::text::printable;
use crate::{NodeArguments, Outcome};

mod conditions;
mod figures;
mod moment;
pub(crate) mod render;

pub(crate) use conditions::Conditions;

/// Find documents by any part of any value.
///
/// Upper and lower case, accents and compatibility forms are the same unless --case-sensitive is given: `zazolc` finds
/// `Zażółć`. A match lies within one value; numbers and booleans are searched as JSON writes them.
///
/// Exit code: 0 when something was found, 1 when nothing was, 2 when a part of the data could not be searched.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct SearchArguments {
    #[command(flatten)]
    conditions: Conditions,
    /// Documents of this time or later: how long ago (15m, 2h, 7d), a date, or RFC 3339
    #[arg(long, value_name = "TIME", visible_alias = "from")]
    since: Option<String>,
    /// Documents before this time, written as for --since
    #[arg(long, value_name = "TIME", visible_alias = "to")]
    until: Option<String>,
    /// Show the oldest documents first, not the newest
    #[arg(long)]
    oldest: bool,
    /// Hits to show, at most; by default 10, and none with --histogram or --terms
    #[arg(long, short = 'n', value_name = "N",
          value_parser = clap::value_parser!(u64).range(0..=Page::SIZE_MAX as u64))]
    size: Option<u64>,
    /// Print nothing but the number of documents that match
    #[arg(long, short, conflicts_with_all = ["json", "histogram", "terms", "explain"])]
    count: bool,
    /// Count the documents of each span of time: of 30s, 1m, 6h, 1d
    #[arg(long, value_name = "SPAN")]
    histogram: Option<String>,
    /// Count the documents of each value of a field, and show the most frequent ones
    #[arg(long, value_name = "PATH")]
    terms: Option<String>,
    /// Values that --terms shows, at most
    #[arg(long, value_name = "N", requires = "terms", default_value_t = TermsRequest::SIZE_DEFAULT as u64,
          value_parser = clap::value_parser!(u64).range(1..=TermsRequest::SIZE_MAX as u64))]
    top: u64,
    /// Say how it was found: what the index excluded, what was read, how long each step took
    #[arg(long)]
    explain: bool,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArguments,
}

const EXAMPLES: &str = r#"Examples:
  gz search 'connection refused'
  gz search --wildcard 'user=*admin' --since 2h
  gz search --regex '\berror (4\d\d|5\d\d)\b' --field message
  gz search --case-sensitive ERROR --since 2026-11-01 --until 2026-11-02
  gz search --exact 404 --field http.status --count
  gz search --query '{"all": [{"contains": "timeout"}, {"not": {"exact": "dev", "field": "env"}}]}'
  gz search --query @slow.json --since 1h
  gz search timeout --since 1d --histogram 1h
  gz search timeout --terms service --top 5
  gz search timeout --json | jq '.hits[].source'

A condition of --query is one of all, any and not (of further conditions), contains, exact, wildcard and regex (each with
field and case_sensitive, if need be), exists (a field), and range: {"field", and of gt, gte, lt, lte what is needed}."#;

/// Runs the command.
pub(crate) async fn run(arguments: SearchArguments) -> Result<Outcome> {
    let client = arguments.node.hurried_client()?;
    let request = arguments.request(Timestamp::now())?;
    let started = Instant::now();
    let answer = client.search(&request).await?;
    let took = started.elapsed();
    let mut out = anstream::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
    } else if arguments.count {
        // A script that reads the number may not look at the exit code.
        require_whole(&answer)?;
        writeln!(out, "{}", answer.total)?;
    } else {
        render::render(&mut out, &answer, took)?;
    }
    out.flush()?;
    require_whole(&answer)?;
    Ok(if answer.total > 0 { Outcome::Yes } else { Outcome::No })
}

/// An answer with a part missing must not pass for the answer.
fn require_whole(answer: &SearchResponse) -> Result<()> {
    for failed in &answer.failed_shards {
        let message = printable(&failed.message);
        anstream::eprintln!("gz: shard {} did not answer: {message} ({})", failed.shard, printable(&failed.code));
    }
    anyhow::ensure!(!answer.metrics.deadline_hit, "the time was up before all documents were searched");
    anyhow::ensure!(!answer.partial, "a part of the data was not searched");
    Ok(())
}

impl SearchArguments {
    fn request(&self, now: Timestamp) -> Result<SearchRequest> {
        let moment = |text: &Option<String>| -> Result<Option<String>> {
            text.as_deref().map(|text| Ok(moment::parse(text, now)?.to_string())).transpose()
        };
        let time = TimeRange { from: moment(&self.since)?, to: moment(&self.until)? };
        anyhow::ensure!(self.conditions.is_given(), "say what to find, or give a tree of conditions with --query");
        Ok(SearchRequest {
            time: (time != TimeRange::default()).then_some(time),
            order: if self.oldest { Order::Oldest } else { Order::Newest },
            page: Page { size: self.page_size(), cursor: None },
            count: true,
            histogram: self.histogram.clone().map(|interval| HistogramRequest { interval }),
            terms: self.terms.clone().map(|field| TermsRequest { field, size: self.top as usize }),
            explain: self.explain,
            ..self.conditions.request()?
        })
    }
}

impl SearchArguments {
    fn page_size(&self) -> usize {
        let only_counts = self.count || self.histogram.is_some() || self.terms.is_some();
        match self.size {
            _ if self.count => 0,
            Some(size) => size as usize,
            None if only_counts => 0,
            None => Page::SIZE_DEFAULT,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{Arguments, Command};

    fn request(arguments: &[&str]) -> SearchRequest {
        let line = ["gz", "search"].iter().chain(arguments);
        let Command::Search(arguments) = Arguments::try_parse_from(line).expect("well formed").command else {
            panic!("search is search");
        };
        arguments.request("2026-11-23T10:00:00Z".parse().expect("RFC 3339")).expect("a request")
    }

    #[test]
    fn a_pattern_is_text_unless_another_form_is_asked_for() {
        assert_eq!(request(&["a*b"]).contains.as_deref(), Some("a*b"));
        assert_eq!(request(&["--wildcard", "a*b"]).wildcard.as_deref(), Some("a*b"));
        let regex = request(&["--regex", "a.b", "--case-sensitive", "--field", "x.y", "-i", "m", "-i", "n"]);
        assert_eq!((regex.regex.as_deref(), regex.contains, regex.case_sensitive), (Some("a.b"), None, true));
        assert_eq!((regex.field.as_deref(), regex.index), (Some("x.y"), Some(vec!["m".to_owned(), "n".to_owned()])));
        assert_eq!(request(&["--exact", "404"]).exact.as_deref(), Some("404"));
        assert!(Arguments::try_parse_from(["gz", "search", "--regex", "--wildcard", "a"]).is_err());
        assert!(Arguments::try_parse_from(["gz", "search", "a", "--query", "{}"]).is_err());
    }

    #[test]
    fn a_tree_comes_from_the_command_line_or_from_a_file() {
        let text = r#"{"any": [{"contains": "a"}, {"not": {"exists": "b.c"}}]}"#;
        let given = request(&["--query", text]);
        assert_eq!(
            serde_json::to_value(&given.query).expect("JSON"),
            serde_json::from_str::<serde_json::Value>(text).expect("JSON")
        );
        assert_eq!(given.contains, None);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        assert_eq!(request(&["--query", &format!("@{}", file.path().display())]), given);
    }

    #[test]
    fn times_are_sent_as_moments_and_a_count_asks_for_no_hits() {
        let time = request(&["a", "--since", "1h", "--until", "2026-12-01"]).time.expect("a range");
        let expected = (Some("2026-11-23T09:00:00Z".to_owned()), Some("2026-12-01T00:00:00Z".to_owned()));
        assert_eq!((time.from, time.to), expected);
        let alias = request(&["a", "--from", "1h"]).time.expect("a range");
        assert_eq!((alias.from.is_some(), alias.to), (true, None));
        assert_eq!(request(&["a", "--count"]).page.size, 0);
        assert_eq!(request(&["a", "--terms", "b"]).page.size, 0);
        assert_eq!(request(&["a", "--histogram", "1m", "-n", "3"]).page.size, 3);
        assert!(Arguments::try_parse_from(["gz", "search", "a", "--top", "3"]).is_err());
        assert_eq!((request(&["a"]).time, request(&["a", "-n", "3"]).page.size), (None, 3));
    }
}

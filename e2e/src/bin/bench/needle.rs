//! The same needle in Grepzilla and in ripgrep, run by run in turn.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use grepzilla_api::client::Client;
use grepzilla_api::search::{Page, SearchLimits, SearchRequest};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::process::Command;

/// Runs of each needle; odd, so that one of them is the median.
pub(crate) const RUNS: usize = 7;

/// What is searched for.
pub(crate) const NEEDLES: [Needle; 13] = [
    Needle::contains("absent", "zz_not_here_zz"),
    Needle::contains("rare", "mimikatz"),
    Needle::contains("common", "powershell"),
    Needle { case_sensitive: true, ..Needle::contains("common, as written", "PowerShell") },
    Needle::contains("inside a token", "ogonI"),
    Needle::contains("one character", "q"),
    Needle::contains("two characters", "xz"),
    Needle::contains("not ASCII", "®"),
    Needle::wildcard("wildcard", "power*.exe", r"(?s)power.*\.exe"),
    Needle::regex("alternation", "mimikatz|rubeus|cobaltstrike|sharphound"),
    Needle::regex("regex with a literal", r"Logon(Id|Guid)"),
    Needle::regex("regex without one", r"[0-9]{5,}-[0-9]{10}"),
    Needle::regex("absent regex", r"zz_[a-f]+_not_here"),
];

/// One needle in both languages.
pub(crate) struct Needle {
    name: &'static str,
    form: Form,
    text: &'static str,
    ripgrep: &'static str,
    case_sensitive: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Contains,
    Wildcard,
    Regex,
}

/// The figures of one needle.
pub(crate) struct Compared {
    name: &'static str,
    text: &'static str,
    found: u64,
    found_by_ripgrep: u64,
    grepzilla: Duration,
    ripgrep: Duration,
    blocks_read: u64,
    blocks_total: u64,
}

impl Needle {
    const fn contains(name: &'static str, text: &'static str) -> Needle {
        Needle { name, form: Form::Contains, text, ripgrep: text, case_sensitive: false }
    }

    const fn wildcard(name: &'static str, text: &'static str, ripgrep: &'static str) -> Needle {
        Needle { name, form: Form::Wildcard, text, ripgrep, case_sensitive: false }
    }

    const fn regex(name: &'static str, text: &'static str) -> Needle {
        Needle { name, form: Form::Regex, text, ripgrep: text, case_sensitive: false }
    }

    /// Runs it in both, in turn, so that a slow moment of the machine strikes both.
    pub(crate) async fn compare(&self, client: &Client, plain: &NamedTempFile) -> Result<Compared> {
        let (mut grepzilla, mut ripgrep) = (Vec::new(), Vec::new());
        let request = self.request();
        let mut answer = client.search(&request).await?;
        let mut found_by_ripgrep = self.ripgrep(plain.path()).await?;
        for _ in 0..RUNS {
            let begun = Instant::now();
            answer = client.search(&request).await?;
            grepzilla.push(begun.elapsed());
            let begun = Instant::now();
            found_by_ripgrep = self.ripgrep(plain.path()).await?;
            ripgrep.push(begun.elapsed());
        }
        ensure!(!answer.partial, "the answer for {:?} is not whole: {:?}", self.text, answer.failed_shards);
        Ok(Compared {
            name: self.name,
            text: self.text,
            found: answer.total,
            found_by_ripgrep,
            grepzilla: median(grepzilla),
            ripgrep: median(ripgrep),
            blocks_read: answer.metrics.blocks_read,
            blocks_total: answer.metrics.blocks_total,
        })
    }

    fn request(&self) -> SearchRequest {
        let text = |form| (self.form == form).then(|| self.text.to_owned());
        SearchRequest {
            contains: text(Form::Contains),
            wildcard: text(Form::Wildcard),
            regex: text(Form::Regex),
            case_sensitive: self.case_sensitive,
            count: true,
            page: Page { size: 10, cursor: None },
            limits: SearchLimits { deadline_ms: 60_000, ..SearchLimits::default() },
            ..SearchRequest::default()
        }
    }

    /// The number of lines that match.
    async fn ripgrep(&self, plain: &Path) -> Result<u64> {
        let case = if self.case_sensitive { "--case-sensitive" } else { "--ignore-case" };
        let fixed = (self.form == Form::Contains).then_some("--fixed-strings");
        let output = Command::new("rg")
            .args(["--count", "--include-zero", "--no-filename", case])
            .args(fixed)
            .args(["-e", self.ripgrep])
            .arg(plain)
            .stdin(Stdio::null())
            .output()
            .await
            .context("cannot run rg (ripgrep)")?;
        ensure!(output.status.code() < Some(2), "rg failed: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().parse().context("rg prints a number")
    }
}

impl Compared {
    pub(crate) const HEAD: &str =
        "needle                    found  rg found  Grepzilla ms     rg ms    ratio      blocks read";

    fn ratio(&self) -> f64 {
        self.grepzilla.as_secs_f64() / self.ripgrep.as_secs_f64()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "needle": self.name,
            "text": self.text,
            "found": self.found,
            "found_by_ripgrep": self.found_by_ripgrep,
            "grepzilla_ms": self.grepzilla.as_secs_f64() * 1e3,
            "ripgrep_ms": self.ripgrep.as_secs_f64() * 1e3,
            "ratio": self.ratio(),
            "blocks_read": self.blocks_read,
            "blocks_total": self.blocks_total,
        })
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = format!("{}/{}", self.blocks_read, self.blocks_total);
        write!(
            f,
            "{:<22} {:>8} {:>9} {:>13.1} {:>9.1} {:>8.3} {blocks:>16}",
            self.name,
            self.found,
            self.found_by_ripgrep,
            self.grepzilla.as_secs_f64() * 1e3,
            self.ripgrep.as_secs_f64() * 1e3,
            self.ratio(),
        )
    }
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations[durations.len() / 2]
}

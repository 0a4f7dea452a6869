//! The demonstration: one node, the real documents that ship with the repository, three searches, each count checked
//! against a plain scan that shares no code with the engine.
//!
//! It drives `gz` as a person would. With a terminal it goes on serving until Ctrl-C; without one it ends by itself, with
//! 0 if and only if every count was right. No process and no folder is left in any case.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use anyhow::{Context, Result, bail, ensure};
use grepzilla_e2e::documents::Sample;
use grepzilla_e2e::local_node::{LocalNode, sibling};
use grepzilla_e2e::needles::Needle;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[1;32m";
const RED: &str = "\x1b[1;31m";
/// How curl sends JSON; `--json` would be shorter, but older ones do not know it.
const JSON: &str = "-H 'content-type: application/json' -d";
const PLAIN: &str = "\x1b[0m";

/// A search as it is typed and as the plain scan understands it.
struct Search {
    title: &'static str,
    form: &'static str,
    pattern: &'static str,
    needle: fn(&str) -> Needle,
}

const SEARCHES: [Search; 3] = [
    Search { title: "A wildcard", form: "--wildcard", pattern: "mimi*.exe", needle: Needle::wildcard },
    Search {
        title: "A regular expression",
        form: "--regex",
        pattern: r"S-1-5-21(-\d+){3}-500\b",
        needle: Needle::regex,
    },
    Search {
        title: "Something that is nowhere",
        form: "--contains",
        pattern: "zz_not_here_zz",
        needle: Needle::contains,
    },
];

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = async {
        let mut interrupted = Interrupted::listen()?;
        let stays = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let node = LocalNode::start().await?;
        let shown = tokio::select! {
            shown = show(&node) => shown,
            () = interrupted.wait() => Err(anyhow::anyhow!("interrupted")),
        };
        if shown.is_ok() {
            how_to_go_on(stays.then(|| node.url()))?;
            if stays {
                interrupted.wait().await;
                println!();
            }
        }
        // A demonstration that failed is the news then, not what the stop says.
        let stopped = node.stop().await;
        shown.and(stopped)
    };
    match outcome.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{RED}demo:{PLAIN} {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn show(node: &LocalNode) -> Result<()> {
    let begun = Instant::now();
    let gz = Gz { binary: sibling("gz")?, url: node.url() };

    println!("{BOLD}One node, without etcd and without Kubernetes{PLAIN}, listens at {}", node.url());
    println!("\n{BOLD}Real documents{PLAIN}, each on disk and findable when it is acknowledged");
    let documents = Sample::path().canonicalize().context("the sample is missing")?;
    gz.run(&["put", &in_few_words(documents)?.to_string_lossy()]).await?;

    let sample = tokio::task::spawn_blocking(Sample::load).await??;
    let mut wrong = 0;
    for search in &SEARCHES {
        println!("\n{BOLD}{}{PLAIN}", search.title);
        gz.run(&["search", search.form, search.pattern, "--size", "3"]).await?;
        let found = gz.count(&["search", search.form, search.pattern, "--count"]).await?;
        let scan = Instant::now();
        let expected = sample.count(&(search.needle)(search.pattern))?;
        let verdict = if found == expected { format!("{GREEN}PASS{PLAIN}") } else { format!("{RED}FAIL{PLAIN}") };
        println!(
            "{verdict} {found} found; a plain scan of all values finds {expected} (in {} ms)",
            millis(scan.elapsed())
        );
        wrong += u32::from(found != expected);
    }
    ensure!(wrong == 0, "{wrong} of {} counts differ from the plain scan", SEARCHES.len());
    println!("\n{GREEN}All {} counts are right.{PLAIN} That took {} ms.", SEARCHES.len(), millis(begun.elapsed()));
    Ok(())
}

/// What to type next: against the node that goes on serving at `url`, or against one that is to be started.
fn how_to_go_on(url: Option<String>) -> Result<()> {
    let (node, gz) = (in_few_words(sibling("grepzilla")?)?, in_few_words(sibling("gz")?)?);
    let (node, gz) = (node.display(), gz.display());
    match &url {
        Some(url) => println!("\n{BOLD}The node goes on serving at {url}; Ctrl-C ends it.{PLAIN} In another terminal:"),
        None => println!("\n{BOLD}To go on:{PLAIN}\n  {node} serve --data /tmp/grepzilla --listen 127.0.0.1:7300 &"),
    }
    let url = url.as_deref().unwrap_or("http://127.0.0.1:7300");
    println!(
        r#"  curl -s {url}/ingest {JSON} '[{{"service":"shop","message":"connection to 10.0.0.7 timed out"}}]'
  curl -s {url}/search {JSON} '{{"wildcard":"connection*timed out"}}'
  curl -s {url}/search {JSON} '{{"regex":"10\\.0\\.0\\.\\d+","field":"message","count":true}}'
  {gz} search --url {url} 'timed out'
  {gz} status --url {url}
  {gz} --help"#
    );
    Ok(())
}

/// A path as it is written from the working folder.
fn in_few_words(path: PathBuf) -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    Ok(path.strip_prefix(&here).map(PathBuf::from).unwrap_or(path))
}

/// `gz` against the node of the demonstration.
struct Gz {
    binary: PathBuf,
    url: String,
}

impl Gz {
    /// Shows a command and lets it write to the terminal. Finding nothing is no failure.
    async fn run(&self, arguments: &[&str]) -> Result<()> {
        println!("$ gz {}", arguments.iter().map(|argument| quoted(argument)).collect::<Vec<_>>().join(" "));
        let status = self.command(arguments).status().await.context("cannot run gz")?;
        let nothing_found = arguments[0] == "search" && status.code() == Some(1);
        if status.success() || nothing_found { Ok(()) } else { bail!("gz {} failed: {status}", arguments[0]) }
    }

    /// The number that a search prints.
    async fn count(&self, arguments: &[&str]) -> Result<u64> {
        let child = self.command(arguments).stdout(Stdio::piped()).spawn().context("cannot run gz")?;
        let output = child.wait_with_output().await?;
        ensure!(matches!(output.status.code(), Some(0 | 1)), "gz {} failed: {}", arguments.join(" "), output.status);
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().with_context(|| format!("gz printed {text:?} for a count"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env("GREPZILLA_URL", &self.url).stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if argument.bytes().all(plain) { argument.to_owned() } else { format!("'{argument}'") }
}

fn millis(duration: Duration) -> u128 {
    duration.as_millis()
}

/// The ways in which a person or a shell ends a program.
struct Interrupted([tokio::signal::unix::Signal; 3]);

impl Interrupted {
    fn listen() -> Result<Interrupted> {
        let [interrupt, terminate, hang_up] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Interrupted([interrupt?, terminate?, hang_up?]))
    }

    async fn wait(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

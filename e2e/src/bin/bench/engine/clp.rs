//! CLP's `clp-s`: the smallest archive there is, searched by decompressing it.
//!
//! Its language has wildcards and no regular expressions. A search prints the documents; the lines are counted here.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{Engine, Found, Load, folder_bytes};
use crate::corpus::Corpus;
use crate::needle::{Form, Needle};
use crate::process::processor_time_of_children;

/// The program, and the folder of its archives.
pub(crate) struct Clp {
    archives: TempDir,
}

impl Clp {
    /// Looks for the program; an error says that it is missing.
    pub(crate) fn find() -> Result<Clp> {
        let version = Command::new("clp-s").arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.context("clp-s is not on PATH (PyPI: yscope-clp-core)")?;
        Ok(Clp { archives: tempfile::Builder::new().prefix("grepzilla-clp-").tempdir()? })
    }
}

impl Engine for Clp {
    fn name(&self) -> String {
        "clp-s".to_owned()
    }

    fn load(&mut self, corpus: &Corpus) -> Result<Load> {
        let plain = corpus.to_file()?;
        let (begun, used) = (Instant::now(), processor_time_of_children()?);
        let output = Command::new("clp-s")
            .arg("c")
            .arg(self.archives.path())
            .arg(&plain)
            .stdin(Stdio::null())
            .output()
            .context("cannot run clp-s")?;
        ensure!(output.status.success(), "clp-s failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Load {
            took: begun.elapsed(),
            processor: processor_time_of_children()? - used,
            disk_bytes: folder_bytes(self.archives.path())?,
        })
    }

    fn count(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let pattern = match needle.form {
            Form::Contains => format!("*{}*", escaped(needle.text)),
            Form::Wildcard => format!("*{}*", needle.text),
            Form::Regex => return Ok(None),
        };
        let begun = Instant::now();
        let mut search = Command::new("clp-s")
            .arg("s")
            .args((!needle.case_sensitive).then_some("--ignore-case"))
            .arg(self.archives.path())
            .arg(format!("*: \"{pattern}\""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run clp-s")?;
        let printed = search.stdout.take().context("a pipe")?;
        let count = BufReader::with_capacity(1 << 20, printed).split(b'\n').count() as u64;
        ensure!(search.wait()?.success(), "clp-s failed");
        Ok(Some(Found { count, took: begun.elapsed() }))
    }

    fn newest(&mut self, _needle: &Needle) -> Result<Option<Found>> {
        Ok(None)
    }
}

fn escaped(text: &str) -> String {
    let special =
        |character: char| matches!(character, '\\' | '*' | '?' | '"' | '(' | ')' | '{' | '}' | ':' | '<' | '>');
    text.chars().flat_map(|it| special(it).then_some('\\').into_iter().chain([it])).collect()
}

//! CLP's `clp-s`: the smallest archive there is, searched by decompressing it.
//!
//! Its language has wildcards and no regular expressions. A search prints the documents; the lines are counted here.

use std::io::{BufRead, BufReader, Read};
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
        let (begun, used) = (Instant::now(), processor_time_of_children()?);
        let output = Command::new("clp-s")
            .arg("c")
            .arg(self.archives.path())
            .arg(corpus.path())
            .stdin(Stdio::null())
            .output()
            .context("cannot run clp-s")?;
        ensure!(output.status.success(), "clp-s failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Load {
            sent: begun.elapsed(),
            settled: begun.elapsed(),
            processor: processor_time_of_children()? - used,
            store_bytes: folder_bytes(self.archives.path(), &|_| true)?,
            log_bytes: 0,
            parts: Vec::new(),
            state: "compressed".to_owned(),
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
        let count = count_lines(printed)?;
        ensure!(search.wait()?.success(), "clp-s failed");
        Ok(Some(Found::new(count, begun.elapsed())))
    }

    fn newest(&mut self, _needle: &Needle) -> Result<Option<Found>> {
        Ok(None)
    }

    fn peak_memory_mib(&self) -> Result<Option<f64>> {
        Ok(None)
    }
}

fn count_lines(printed: impl Read) -> Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, printed);
    let mut lines = 0;
    while reader.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
}

fn escaped(text: &str) -> String {
    let special =
        |character: char| matches!(character, '\\' | '*' | '?' | '"' | '(' | ')' | '{' | '}' | ':' | '<' | '>');
    text.chars().flat_map(|it| special(it).then_some('\\').into_iter().chain([it])).collect()
}

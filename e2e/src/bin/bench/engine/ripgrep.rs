//! ripgrep over the plain file: what no index at all costs. It counts lines, keys and escapes included.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempPath;

use super::{Engine, Found, Load};
use crate::corpus::Corpus;
use crate::needle::{Form, Needle};

/// The program and the file that it reads.
#[derive(Debug, Default)]
pub(crate) struct Ripgrep {
    plain: Option<TempPath>,
}

impl Engine for Ripgrep {
    fn name(&self) -> String {
        "ripgrep".to_owned()
    }

    fn load(&mut self, corpus: &Corpus) -> Result<Load> {
        let plain = corpus.to_file()?;
        let disk_bytes = plain.metadata()?.len();
        self.plain = Some(plain);
        Ok(Load { took: Duration::ZERO, processor: Duration::ZERO, disk_bytes })
    }

    fn count(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let begun = Instant::now();
        let output = Command::new("rg")
            .args(["--count", "--include-zero", "--no-filename"])
            .arg(if needle.case_sensitive { "--case-sensitive" } else { "--ignore-case" })
            .args((needle.form == Form::Contains).then_some("--fixed-strings"))
            .args(["-e", &needle.as_regex()])
            .arg(self.plain.as_ref().context("a corpus is loaded first")?)
            .stdin(Stdio::null())
            .output()
            .context("cannot run rg (ripgrep)")?;
        let took = begun.elapsed();
        ensure!(output.status.code() < Some(2), "rg failed: {}", String::from_utf8_lossy(&output.stderr));
        let count = String::from_utf8_lossy(&output.stdout).trim().parse().context("rg prints a number")?;
        Ok(Some(Found { count, took }))
    }

    fn newest(&mut self, _needle: &Needle) -> Result<Option<Found>> {
        Ok(None)
    }
}

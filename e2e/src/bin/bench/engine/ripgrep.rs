//! ripgrep over the plain file: what no index at all costs. It counts lines, keys and escapes included.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Engine, Found, Load};
use crate::corpus::Corpus;
use crate::needle::{Form, Needle};

/// The program and the file that it reads.
#[derive(Debug, Default)]
pub(crate) struct Ripgrep {
    plain: PathBuf,
}

impl Engine for Ripgrep {
    fn name(&self) -> String {
        "ripgrep".to_owned()
    }

    fn load(&mut self, corpus: &Corpus) -> Result<Load> {
        self.plain = corpus.path().to_owned();
        Ok(Load {
            sent: Duration::ZERO,
            settled: Duration::ZERO,
            processor: Duration::ZERO,
            store_bytes: corpus.bytes,
            log_bytes: 0,
            parts: Vec::new(),
            state: "the plain file".to_owned(),
        })
    }

    fn count(&mut self, needle: &Needle) -> Result<Option<Found>> {
        let begun = Instant::now();
        let output = Command::new("rg")
            .args(["--count", "--include-zero", "--no-filename"])
            .arg(if needle.case_sensitive { "--case-sensitive" } else { "--ignore-case" })
            .args((needle.form == Form::Contains).then_some("--fixed-strings"))
            .args(["-e", &needle.as_regex()])
            .arg(&self.plain)
            .stdin(Stdio::null())
            .output()
            .context("cannot run rg (ripgrep)")?;
        let took = begun.elapsed();
        ensure!(output.status.code() < Some(2), "rg failed: {}", String::from_utf8_lossy(&output.stderr));
        let count = String::from_utf8_lossy(&output.stdout).trim().parse().context("rg prints a number")?;
        Ok(Some(Found::new(count, took)))
    }

    fn newest(&mut self, _needle: &Needle) -> Result<Option<Found>> {
        Ok(None)
    }
    fn peak_memory_mib(&self) -> Result<Option<f64>> {
        Ok(None)
    }
}

//! `gz inspect wal`: every frame of a log, good or not, and what is wrong with it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use grepzilla_storage::wal::inspect::{Content, Fault, Folder, Frame, LogFile, Part, Position, Role, StretchKind};

use crate::Outcome;
use crate::text::counted;

mod json;
mod text;

/// Show every frame of a shard's log, and what is damaged.
///
/// A folder is shown as one log: the links between its files are followed and checked. A file is shown by itself. What is
/// wrong is shown with its place, what must be there and what is there, and reading goes on at the next frame. An
/// interrupted write at the end of a log is no damage; of a log in use it may be a write under way.
///
/// Exit code: 0 when there is no damage, 1 when there is, 2 when something could not be read.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct WalArguments {
    /// Folders of shards (DATA/shards/NUMBER), or files of a log
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// Show the records of each frame, too
    #[arg(long, short)]
    records: bool,
    /// Characters of a line; by default those of the terminal, and elsewhere no end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(40..))]
    width: Option<u16>,
    /// Print one JSON object a line: for each file, frame, record, and stretch that is no frame
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  gz inspect wal /var/lib/grepzilla/shards/0
  gz inspect wal --records shards/0/*.wal | less
  gz inspect wal --json shards/0 | jq 'select(.faults != [])'
  gz inspect wal --json --records shards/0 | jq 'select(.id == \"order-7\")'";

/// Runs the command.
pub(super) fn run(arguments: &WalArguments) -> Result<Outcome> {
    let width = arguments.width.map(usize::from).or_else(terminal_width);
    let mut out = anstream::stdout().lock();
    let mut view =
        View { out: &mut out, records: arguments.records, json: arguments.json, width, totals: Totals::default() };
    for path in &arguments.paths {
        if path.is_dir() {
            view.folder(path)?;
        } else {
            view.file(&LogFile::open(path)?, None)?;
        }
    }
    let totals = view.totals;
    if !arguments.json {
        writeln!(out, "{totals}")?;
    }
    out.flush()?;
    Ok(if totals.damages == 0 { Outcome::Yes } else { Outcome::No })
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(terminal_size::Width(width), _)| usize::from(width))
}

/// Where everything is written, and how.
struct View<'a, W> {
    out: &'a mut W,
    records: bool,
    json: bool,
    width: Option<usize>,
    totals: Totals,
}

/// What was seen.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    files: u64,
    frames: u64,
    records: u64,
    damages: u64,
    interruptions: u64,
}

impl<W: Write> View<'_, W> {
    fn folder(&mut self, dir: &std::path::Path) -> Result<()> {
        let folder = Folder::open(dir)?;
        if folder.files.is_empty() && folder.temporary.is_empty() {
            bail!("{} holds no log; the folder of a shard is DATA/shards/NUMBER", dir.display());
        }
        let mut position = None;
        for file in &folder.files {
            let in_log = file.role() == Role::Log;
            let behind = self.file(file, position.filter(|_| in_log))?;
            if in_log {
                position = behind;
            }
        }
        for path in &folder.temporary {
            match self.json {
                true => json::temporary(self.out, path)?,
                false => text::temporary(self.out, path)?,
            }
        }
        Ok(())
    }

    /// Shows a file that goes on from `after`. Answers where the log stands behind it.
    fn file(&mut self, file: &LogFile, after: Option<Position>) -> Result<Option<Position>> {
        self.totals.files += 1;
        file.faults().iter().chain(file.header().err()).for_each(|fault| self.totals.count(fault));
        match self.json {
            true => json::file(self.out, file)?,
            false => text::file(self.out, file)?,
        }
        let mut parts = file.parts(after);
        for part in &mut parts {
            let part = part.with_context(|| format!("cannot read {} further", file.path().display()))?;
            self.totals.part(&part);
            match self.json {
                true => json::part(self.out, file, &part, self.records)?,
                false => text::part(self.out, file, &part, self.records, self.width)?,
            }
        }
        let position = parts.position();
        if !self.json {
            writeln!(self.out)?;
        }
        Ok(position)
    }
}

impl Totals {
    fn part(&mut self, part: &Part) {
        match part {
            Part::Frame(frame) => {
                self.frames += 1;
                self.records += records(frame);
                frame.faults.iter().for_each(|fault| self.count(fault));
            }
            Part::Stretch(stretch) => {
                if let StretchKind::Fault(fault) = &stretch.kind {
                    self.count(fault);
                }
            }
        }
    }

    fn count(&mut self, fault: &Fault) {
        match fault.is_damage {
            true => self.damages += 1,
            false => self.interruptions += 1,
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Totals { files, frames, records, damages, interruptions } = *self;
        write!(f, "{}, {}, {}: ", counted(files, "file"), counted(frames, "frame"), counted(records, "record"))?;
        match damages {
            0 => write!(f, "no damage")?,
            _ => write!(f, "{}", counted(damages, "damage"))?,
        }
        match interruptions {
            0 => Ok(()),
            _ => write!(f, ", {}", counted(interruptions, "interrupted write")),
        }
    }
}

/// How many documents and tombstones a frame holds.
fn records(frame: &Frame) -> u64 {
    match &frame.content {
        Content::Batch(batch) => batch.records.len() as u64,
        Content::Successor { .. } | Content::Nothing | Content::Unreadable => 0,
    }
}

/// Whether the payload is what was written; `None` where there is no payload.
fn payload_is_good(frame: &Frame) -> Option<bool> {
    match frame.content {
        Content::Unreadable => Some(false),
        _ => (frame.payload_bytes > 0).then_some(true),
    }
}

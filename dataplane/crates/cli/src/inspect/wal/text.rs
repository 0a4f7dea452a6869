//! A log for people: a line for each frame, in columns, and below it what it holds and what is wrong with it.

use std::io::{self, Write};
use std::path::Path;

use clap::builder::styling::{AnsiColor, Style};
use grepzilla_model::{RecordKind, ShardId};
use grepzilla_storage::wal::inspect::{
    Check, Content, Fault, Frame, Header, LogFile, Part, Role, Stretch, StretchKind,
};

use super::{payload_is_good, records};
use crate::text::{counted, cut, printable, thousands};

const DAMAGE: Style = AnsiColor::Red.on_default().bold();
const INTERRUPTED: Style = AnsiColor::Yellow.on_default();
const HEAD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// A file's header, and the heads of the columns.
pub(super) fn file(out: &mut impl Write, file: &LogFile) -> io::Result<()> {
    writeln!(out, "{HEAD}{}{HEAD:#}  {} bytes", printable(&file.path().to_string_lossy()), thousands(file.bytes()))?;
    match file.header() {
        Ok(header) => self::header(out, file, header)?,
        Err(fault) => self::fault(out, fault)?,
    }
    file.faults().iter().try_for_each(|fault| self::fault(out, fault))?;
    if file.header().is_ok_and(|header| header.begun) {
        writeln!(
            out,
            "{DIM}{:>10}  {:<11} {:<5} {:>10} {:>7} {:>6} {:>9} {:>10} {:>10} {:<8} {:<5} PAYLOAD{DIM:#}",
            "OFFSET", "TYPE", "FLAGS", "FIRST SEQ", "RECORDS", "EPOCH", "LENGTH", "SYNCED", "COMMIT", "CHAIN", "",
        )?;
    }
    Ok(())
}

fn header(out: &mut impl Write, file: &LogFile, header: &Header) -> io::Result<()> {
    let Header { format, cluster, shard, incarnation, epoch, file_no, nonce, begun, previous, .. } = header;
    let state = match (begun, file.role()) {
        (false, _) => "prepared, not begun",
        (true, Role::Replaced) => "replaced by a later file, no part of the log",
        (true, _) => "begun",
    };
    write!(out, "  file {file_no} of epoch {epoch}, {state}")?;
    match previous {
        Some(end) => writeln!(out, ", after file {}, which ends at {} ({:08x})", end.file_no, end.length, end.chain)?,
        None => writeln!(out)?,
    }
    writeln!(out, "  cluster {cluster}, shard {shard}, incarnation {incarnation}, nonce {nonce:016x}, format {format}")
}

/// A file that is being prepared.
pub(super) fn temporary(out: &mut impl Write, path: &Path) -> io::Result<()> {
    writeln!(out, "{}  its preparation is under way, or was interrupted", printable(&path.to_string_lossy()))
}

/// A frame with its records, or what stands in its place.
pub(super) fn part(
    out: &mut impl Write,
    file: &LogFile,
    part: &Part,
    with_records: bool,
    width: Option<usize>,
) -> io::Result<()> {
    match part {
        Part::Frame(frame) => {
            self::frame(out, frame)?;
            frame.faults.iter().try_for_each(|fault| self::fault(out, fault))?;
            match file.header() {
                Ok(header) if with_records => batch(out, header.shard, frame, width),
                _ => Ok(()),
            }
        }
        Part::Stretch(Stretch { from, to, kind }) => {
            let bytes = counted(to - from, "byte");
            match kind {
                StretchKind::Room => writeln!(out, "{DIM}{from:>10}  room, {bytes}{DIM:#}"),
                StretchKind::Copied => writeln!(out, "{DIM}{from:>10}  copied to a later file, {bytes}{DIM:#}"),
                StretchKind::Fault(fault) => {
                    writeln!(out, "{from:>10}  no frame, {bytes}")?;
                    self::fault(out, fault)
                }
            }
        }
    }
}

fn frame(out: &mut impl Write, frame: &Frame) -> io::Result<()> {
    let has = |check| frame.faults.iter().any(|fault| fault.check == check);
    let chain = match (has(Check::Chain), frame.chain_checked) {
        (true, _) => "BAD",
        (false, true) => "ok",
        (false, false) => "?",
    };
    let payload = match (payload_is_good(frame), &frame.content) {
        (_, Content::Successor { epoch, file_no }) => format!("ok: file {file_no} of epoch {epoch} follows"),
        (None, _) => "-".to_owned(),
        (Some(true), _) => "ok".to_owned(),
        (Some(false), _) => "BAD".to_owned(),
    };
    writeln!(
        out,
        "{:>10}  {:<11} {:<5} {:>10} {:>7} {:>6} {:>9} {:>10} {:>10} {:08x} {:<5} {}",
        frame.offset,
        frame.kind,
        if frame.compressed { "zstd" } else { "-" },
        frame.first_seq.0,
        records(frame),
        frame.epoch.0,
        frame.bytes,
        frame.synced_upto,
        frame.commit.0,
        frame.chain,
        chain,
        payload,
    )
}

fn batch(out: &mut impl Write, shard: ShardId, frame: &Frame, width: Option<usize>) -> io::Result<()> {
    let Content::Batch(batch) = &frame.content else { return Ok(()) };
    let key = match batch.key.0 {
        zeros if zeros == [0; 16] => "without a key".to_owned(),
        key => format!("key {:032x}", u128::from_be_bytes(key)),
    };
    writeln!(out, "{DIM}            received {}, {key}{DIM:#}", batch.received)?;
    for (record, seq) in batch.records.iter().zip(frame.first_seq.0..) {
        let kind = match record.kind {
            RecordKind::Put => "PUT",
            RecordKind::Tombstone => "TOMBSTONE",
        };
        let id = record.id.as_deref().map_or_else(|| format!("{shard}.{}.{seq}", frame.epoch), str::to_owned);
        let line = format!(
            "            {seq} {kind} {}/{} bucket {} {} {}",
            record.index, id, record.bucket.0, record.time, &*record.source
        );
        writeln!(out, "{}", cut(printable(&line).trim_end(), width))?;
    }
    Ok(())
}

fn fault(out: &mut impl Write, fault: &Fault) -> io::Result<()> {
    let (style, what) = match fault.is_damage {
        true => (DAMAGE, "DAMAGE"),
        false => (INTERRUPTED, "interrupted write"),
    };
    let Fault { check, offset, expected, found, .. } = fault;
    let (check, expected, found) = (check.word(), printable(expected), printable(found));
    writeln!(out, "{style}  {what} at {offset}, {check}{style:#}: expected {expected}; found {found}")
}

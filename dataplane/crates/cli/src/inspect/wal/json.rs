//! A log for programs: one JSON object a line. `part` says of what: `file`, `temporary`, `frame`, `record`, `stretch`.

use std::io::{self, Write};
use std::path::Path;

use grepzilla_model::RecordKind;
use grepzilla_storage::wal::inspect::{
    Check, Content, Fault, Frame, LogFile, Part, Role, StatedEnd, Stretch, StretchKind,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::payload_is_good;

/// A file's header.
pub(super) fn file(out: &mut impl Write, file: &LogFile) -> io::Result<()> {
    let mut object = json!({
        "part": "file",
        "file": file.path().to_string_lossy(),
        "bytes": file.bytes(),
        "role": role(file.role()),
        "stated_end": file.stated_end().map(stated_end),
        "faults": file.header().err().into_iter().chain(file.faults()).map(fault).collect::<Value>(),
    });
    if let Ok(header) = file.header() {
        object["format"] = json!(header.format);
        object["cluster"] = json!(header.cluster.to_string());
        object["shard"] = json!(header.shard.0);
        object["incarnation"] = json!(header.incarnation.to_string());
        object["epoch"] = json!(header.epoch.0);
        object["file_no"] = json!(header.file_no);
        object["nonce"] = json!(format!("{:016x}", header.nonce));
        object["begun"] = json!(header.begun);
        object["previous"] = json!(header.previous.map(stated_end));
    }
    writeln!(out, "{object}")
}

/// A file that is being prepared.
pub(super) fn temporary(out: &mut impl Write, path: &Path) -> io::Result<()> {
    writeln!(out, "{}", json!({"part": "temporary", "file": path.to_string_lossy()}))
}

/// A frame and, if asked, its records; or what stands in its place.
pub(super) fn part(out: &mut impl Write, file: &LogFile, part: &Part, with_records: bool) -> io::Result<()> {
    let name = file.path().to_string_lossy();
    match part {
        Part::Frame(frame) => {
            writeln!(out, "{}", self::frame(&name, frame))?;
            if with_records { records(out, &name, frame) } else { Ok(()) }
        }
        Part::Stretch(Stretch { from, to, kind }) => {
            let (kind, faults) = match kind {
                StretchKind::Room => ("room", vec![]),
                StretchKind::Copied => ("copied", vec![]),
                StretchKind::Fault(fault) => ("fault", vec![self::fault(fault)]),
            };
            let object =
                json!({"part": "stretch", "file": name, "from": from, "to": to, "kind": kind, "faults": faults});
            writeln!(out, "{object}")
        }
    }
}

fn frame(file: &str, frame: &Frame) -> Value {
    let has = |check| frame.faults.iter().any(|fault| fault.check == check);
    let mut object = json!({
        "part": "frame",
        "file": file,
        "offset": frame.offset,
        "type": frame.kind.to_string(),
        "compressed": frame.compressed,
        "first_seq": frame.first_seq.0,
        "epoch": frame.epoch.0,
        "length": frame.bytes,
        "payload_length": frame.payload_bytes,
        "synced_upto": frame.synced_upto,
        "commit": frame.commit.0,
        "chain": format!("{:08x}", frame.chain),
        "chain_ok": frame.chain_checked.then(|| !has(Check::Chain)),
        "payload_ok": payload_is_good(frame),
        "faults": frame.faults.iter().map(fault).collect::<Value>(),
    });
    match &frame.content {
        Content::Batch(batch) => {
            object["records"] = json!(batch.records.len());
            object["received"] = json!(batch.received.to_string());
            object["key"] = json!(hex(&batch.key.0));
            object["body"] = json!(hex(&batch.body.0));
        }
        Content::Successor { epoch, file_no } => {
            object["successor"] = json!({"epoch": epoch.0, "file_no": file_no});
        }
        Content::Nothing | Content::Unreadable => {}
    }
    object
}

fn records(out: &mut impl Write, file: &str, frame: &Frame) -> io::Result<()> {
    let Content::Batch(batch) = &frame.content else { return Ok(()) };
    for (record, seq) in batch.records.iter().zip(frame.first_seq.0..) {
        let kind = match record.kind {
            RecordKind::Put => "put",
            RecordKind::Tombstone => "tombstone",
        };
        // Line ends in a document are white space between its tokens: inside a string they are escaped.
        let source = record.source.replace(['\n', '\r'], " ");
        let object = json!({
            "part": "record",
            "file": file,
            "frame": frame.offset,
            "seq": seq,
            "kind": kind,
            "index": record.index.as_str(),
            "id": record.id,
            "bucket": record.bucket.0,
            "time": record.time.to_string(),
        });
        let mut line = object.to_string();
        // As it was received, number for number.
        if let Ok(source) = RawValue::from_string(source) {
            line.truncate(line.len() - 1);
            line.push_str(&format!(r#","source":{source}}}"#));
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn fault(fault: &Fault) -> Value {
    let Fault { check, offset, expected, found, is_damage } = fault;
    json!({"check": check.word(), "offset": offset, "expected": expected, "found": found, "damage": is_damage})
}

fn stated_end(end: StatedEnd) -> Value {
    json!({"file_no": end.file_no, "length": end.length, "chain": format!("{:08x}", end.chain)})
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Log => "log",
        Role::Prepared => "prepared",
        Role::Replaced => "replaced",
        Role::Unknown => "unknown",
    }
}

fn hex(bytes: &[u8; 16]) -> Option<String> {
    (*bytes != [0; 16]).then(|| format!("{:032x}", u128::from_be_bytes(*bytes)))
}

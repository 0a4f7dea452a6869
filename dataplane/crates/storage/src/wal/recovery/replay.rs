//! Reads the log from its first frame to its last good one and hands the batches on, one at a time.

use std::time::{Duration, Instant};

use grepzilla_model::{Batch, Epoch, SeqNo};

use super::inventory::{Inventory, LogFile};
use super::{OnBatch, corrupt};
use crate::OpenError;
use crate::wal::file_header::FILE_HEADER_BYTES;
use crate::wal::frame::{FrameType, Mismatch, PAYLOAD_BYTES_MAX};
use crate::wal::name::FileNo;
use crate::wal::payload::decode_payload;
use crate::wal::reader::{Frame, FrameReader, LogPosition, ReadError, advance};

/// How often progress is logged.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// How often progress is reported.
const HEAR_EVERY_BYTES: u64 = 1 << 20;

/// Where the good frames end.
#[derive(Debug)]
pub(super) struct End {
    /// The first record of the log.
    pub(super) begins: SeqNo,
    /// What the next frame must continue.
    pub(super) position: LogPosition,
    /// The files before the last one, oldest first.
    pub(super) before: Vec<Ended>,
    /// `None` for a log without a file.
    pub(super) last: Option<LastFile>,
}

/// What a file that has a successor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// The last record of the log at its end.
    pub(super) last_seq: SeqNo,
    /// The bytes of its frames.
    pub(super) bytes: u64,
}

/// How the last file ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastFile {
    /// Behind its last good frame.
    pub(super) offset: u64,
    /// Up to where a frame says it is durable; 0 if none does.
    pub(super) proven: u64,
    /// Why what follows is no frame. `None`: the file ends there, or is sealed.
    pub(super) mismatch: Option<Mismatch>,
    /// The successor that its SEAL names.
    pub(super) sealed_for: Option<FileNo>,
}

/// Replays the whole log behind `flushed`.
pub(super) fn replay(
    inventory: &Inventory,
    flushed: SeqNo,
    on_batch: &mut OnBatch<'_>,
    progress: &dyn Fn(u64, u64),
) -> Result<End, OpenError> {
    let total = inventory.log.iter().map(|file| file.bytes).sum();
    let start = start(inventory, flushed)?;
    let mut replay = Replay {
        position: start,
        flushed,
        on_batch,
        progress,
        done: 0,
        total,
        heard: 0,
        began: Instant::now(),
        told: 0,
    };
    let mut before = Vec::new();
    let mut last = None;
    inventory.log.iter().take(1).for_each(|first| first.file.read_ahead());
    for (place, file) in inventory.log.iter().enumerate() {
        match inventory.log.get(place + 1) {
            Some(successor) => {
                successor.file.read_ahead();
                let bytes = replay.ended_file(file, successor)?;
                before.push(Ended { last_seq: SeqNo(replay.position.next_seq.0 - 1), bytes });
            }
            None => last = Some(replay.last_file(file)?),
        }
        replay.done += file.bytes;
    }
    replay.tell(0, true);
    Ok(End { begins: start.next_seq, position: replay.position, before, last })
}

/// Where the oldest file begins: at the first record, or where the log was trimmed.
pub(super) fn start(inventory: &Inventory, flushed: SeqNo) -> Result<LogPosition, OpenError> {
    let Some((file_no, oldest)) = inventory.trimmed.zip(inventory.log.first()) else { return Ok(LogPosition::START) };
    let missing = |found: String| {
        let expected = format!("file {file_no} before it, or a first record of at most {}", flushed.plus(1));
        Err(corrupt(oldest.path(), 64, Mismatch::new(expected, found)))
    };
    let mut reader = FrameReader::new(&oldest.file, oldest.header.nonce, oldest.header.chain(), oldest.bytes);
    let header = match reader.next() {
        Ok(Some(frame)) => frame.header,
        Ok(None) => return missing("no record".into()),
        Err(ReadError::Invalid { mismatch, .. }) => return missing(mismatch.found),
        Err(ReadError::Disk(error)) => return Err(error.into()),
    };
    if header.first_seq > flushed.plus(1) {
        return missing(header.first_seq.to_string());
    }
    let before = if header.kind == FrameType::EpochStart { header.epoch.0.saturating_sub(1) } else { header.epoch.0 };
    Ok(LogPosition { epoch: Epoch(before), next_seq: header.first_seq })
}

struct Replay<'a, 'b> {
    position: LogPosition,
    /// Segments hold everything up to here.
    flushed: SeqNo,
    on_batch: &'a mut OnBatch<'b>,
    progress: &'a dyn Fn(u64, u64),
    /// Bytes of the files already read.
    done: u64,
    total: u64,
    /// What was reported last.
    heard: u64,
    began: Instant,
    /// How many times progress was logged.
    told: u32,
}

impl Replay<'_, '_> {
    /// A file whose end its successor states: anything else than exactly that is damage. Answers its bytes of frames.
    fn ended_file(&mut self, file: &LogFile, successor: &LogFile) -> Result<u64, OpenError> {
        let stated = successor.previous().expect("the log was put in order by these links");
        if stated.length > file.bytes {
            let mismatch = Mismatch::new(format!("a file of {} bytes", stated.length), format!("{}", file.bytes));
            return Err(corrupt(file.path(), file.bytes, mismatch));
        }
        let mut reader = FrameReader::new(&file.file, file.header.nonce, file.header.chain(), stated.length);
        let last = self.frames(file, &mut reader)?;
        if let Some(mismatch) = last.mismatch {
            return Err(corrupt(file.path(), last.offset, mismatch));
        }
        if (last.offset, reader.chain()) != (stated.length, stated.chain) {
            let expected = format!("the end of the log's part with chain {:08x} at {}", stated.chain, stated.length);
            return Err(corrupt(file.path(), last.offset, Mismatch::new(expected, format!("{:08x}", reader.chain()))));
        }
        if last.sealed_for.is_some_and(|named| named > successor.header.file_no) {
            let found = format!("file {}", successor.header.file_no);
            let expected = "no file before the one that its SEAL names";
            return Err(corrupt(file.path(), last.offset, Mismatch::new(expected, found)));
        }
        Ok(last.offset - FILE_HEADER_BYTES as u64)
    }

    /// The last file: its good frames, however it ends.
    fn last_file(&mut self, file: &LogFile) -> Result<LastFile, OpenError> {
        let mut reader = FrameReader::new(&file.file, file.header.nonce, file.header.chain(), file.bytes);
        self.frames(file, &mut reader)
    }

    /// Hands on all good frames up to where there is no next one.
    fn frames(&mut self, file: &LogFile, reader: &mut FrameReader<'_>) -> Result<LastFile, OpenError> {
        let mut last = LastFile { offset: reader.offset(), proven: 0, mismatch: None, sealed_for: None };
        loop {
            match reader.next() {
                Ok(Some(frame)) => {
                    last.proven = last.proven.max(frame.header.synced_upto);
                    last.sealed_for = self.frame(&frame).map_err(|error| corrupt(file.path(), frame.offset, error))?;
                    last.offset = reader.offset();
                    self.tell(last.offset, false);
                }
                Ok(None) => return Ok(last),
                Err(ReadError::Invalid { mismatch, .. }) => return Ok(LastFile { mismatch: Some(mismatch), ..last }),
                Err(ReadError::Disk(error)) => return Err(error.into()),
            }
        }
    }

    /// Hands one frame on. All its checksums hold, so whatever is wrong with it is no interrupted write. Answers the
    /// successor that a SEAL names.
    fn frame(&mut self, frame: &Frame<'_>) -> Result<Option<FileNo>, Mismatch> {
        let first_seq = frame.header.first_seq;
        if frame.header.commit >= first_seq {
            return Err(Mismatch::new(
                format!("a commit position before {first_seq}"),
                frame.header.commit.to_string(),
            ));
        }
        match frame.header.kind {
            FrameType::Data => {
                let records = records_of(frame)?;
                if records > 0 && first_seq.plus(records - 1) <= self.flushed {
                    advance(&mut self.position, &frame.header, records)?;
                    return Ok(None);
                }
                let batch = batch_of(frame)?;
                advance(&mut self.position, &frame.header, batch.records.len() as u64)?;
                (self.on_batch)(frame.header.epoch, first_seq, batch);
                Ok(None)
            }
            FrameType::EpochStart => self.bare(frame, 1),
            FrameType::Pad => self.bare(frame, 0),
            FrameType::Seal => {
                advance(&mut self.position, &frame.header, 0)?;
                sealed_for(frame.payload).map(Some)
            }
        }
    }

    fn bare(&mut self, frame: &Frame<'_>, records: u64) -> Result<Option<FileNo>, Mismatch> {
        if !frame.payload.is_empty() || frame.header.compressed {
            let found = format!("{} bytes", frame.payload.len());
            return Err(Mismatch::new(format!("no payload of {:?}", frame.header.kind), found));
        }
        advance(&mut self.position, &frame.header, records)?;
        Ok(None)
    }

    fn tell(&mut self, offset: u64, finished: bool) {
        let done = self.done + offset;
        if !finished && done < self.heard + HEAR_EVERY_BYTES {
            return;
        }
        self.heard = done;
        (self.progress)(done, self.total);
        if finished || self.began.elapsed() >= TELL_EVERY * (self.told + 1) {
            self.told += 1;
            let SeqNo(next_seq) = self.position.next_seq;
            let seconds = self.began.elapsed().as_secs_f64();
            tracing::info!(
                bytes_done = done,
                bytes_in_all = self.total,
                records = next_seq - 1,
                seconds,
                finished,
                "replayed the log"
            );
        }
    }
}

/// How many records a DATA frame says that it has.
fn records_of(frame: &Frame<'_>) -> Result<u64, Mismatch> {
    if frame.header.compressed {
        return Ok(batch_of(frame)?.records.len() as u64);
    }
    let count = frame.payload.first_chunk().ok_or_else(|| Mismatch::new("a batch", "less than its count"))?;
    Ok(u64::from(u32::from_le_bytes(*count)))
}

/// The batch of a DATA frame.
fn batch_of(frame: &Frame<'_>) -> Result<Batch, Mismatch> {
    let plain;
    let payload = if frame.header.compressed {
        plain = zstd::bulk::decompress(frame.payload, PAYLOAD_BYTES_MAX)
            .map_err(|error| Mismatch::new("a zstd payload of at most 16 MiB", error.to_string()))?;
        &plain
    } else {
        frame.payload
    };
    decode_payload(payload).map_err(|error| Mismatch::new("a batch", error.to_string()))
}

fn sealed_for(payload: &[u8]) -> Result<FileNo, Mismatch> {
    let [_epoch, file_no] = payload.as_chunks::<8>().0 else {
        return Err(Mismatch::new("16 bytes that name a successor", format!("{} bytes", payload.len())));
    };
    Ok(FileNo(u64::from_le_bytes(*file_no)))
}

//! What stands behind the header of a log file: frames, and stretches that are none.
//!
//! Where nothing that could be a frame stands, the next header with a good checksum and the nonce of the file is looked
//! for. Whether what is wrong is damage is told as recovery tells it: a later frame that knows the place as durable, or
//! a later file that begins behind it, leaves no other explanation.

use grepzilla_model::{Batch, Epoch, SeqNo};

use super::{Check, FILE_HEADER_BYTES, Fault, LogFile};
use crate::disk::DiskError;
use crate::wal::frame::{
    ALIGNMENT, FRAME_HEADER_BYTES, FrameHeader, FrameType, Mismatch, PAYLOAD_BYTES_MAX, frame_bytes,
};
use crate::wal::payload::decode_payload;
use crate::wal::reader::{LogPosition, advance};

/// A piece of a file.
#[derive(Debug)]
pub enum Part {
    /// Its header is good, and of this file.
    Frame(Box<Frame>),
    /// No frame.
    Stretch(Stretch),
}

/// A frame.
#[derive(Debug)]
pub struct Frame {
    /// Where it starts.
    pub offset: u64,
    /// Its length with header and padding.
    pub bytes: u64,
    /// What it is.
    pub kind: FrameType,
    /// Whether its payload is packed with zstd.
    pub compressed: bool,
    /// Of its first record, or of the next one if it has none.
    pub first_seq: SeqNo,
    /// The epoch of its records.
    pub epoch: Epoch,
    /// How long its payload is as it lies there.
    pub payload_bytes: u32,
    /// Up to where the file was durable when it was written.
    pub synced_upto: u64,
    /// How far records were committed, as the writer knew.
    pub commit: SeqNo,
    /// The checksum of the header before, as it says.
    pub chain: u32,
    /// Whether the header before is known, so that its chain was checked.
    pub chain_checked: bool,
    /// What its payload holds; `Unreadable` if there is a fault in it.
    pub content: Content,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// What a payload holds.
#[derive(Debug)]
pub enum Content {
    /// The records of a DATA frame.
    Batch(Batch),
    /// The file after, as a SEAL names it.
    Successor {
        /// The epoch in which it was prepared.
        epoch: Epoch,
        /// Its number.
        file_no: u64,
    },
    /// Nothing, as it must be.
    Nothing,
    /// It cannot be read.
    Unreadable,
}

/// Bytes that are no frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Where it starts.
    pub from: u64,
    /// Where it ends: at a frame, or at the end of the file.
    pub to: u64,
    /// What it is.
    pub kind: StretchKind,
}

/// What a stretch is.
#[derive(Debug, PartialEq, Eq)]
pub enum StretchKind {
    /// Room for frames to come: zeros up to the end of the file.
    Room,
    /// Behind the end of the file's part of the log; it was written again to a later file.
    Copied,
    /// What should not be there.
    Fault(Fault),
}

/// Where a log stands between two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position(LogPosition);

/// The parts of a file, read as they are asked for.
#[derive(Debug)]
pub struct Parts<'a> {
    file: &'a LogFile,
    offset: u64,
    /// `None` behind something that is no frame.
    chain: Option<u32>,
    position: Option<LogPosition>,
    sealed: bool,
    ended: bool,
    /// The frame that knows most as durable, and how much. `None`: not looked for yet.
    proof: Option<Option<(u64, u64)>>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(file: &'a LogFile, after: Option<Position>) -> Parts<'a> {
        let chain = file.header.as_ref().ok().map(|header| header.chain);
        Parts {
            file,
            offset: FILE_HEADER_BYTES as u64,
            chain,
            position: after.map(|Position(position)| position),
            sealed: false,
            ended: chain.is_none(),
            proof: None,
        }
    }

    /// Where the log stands behind what was read so far. `None` if nothing was that tells it.
    pub fn position(&self) -> Option<Position> {
        self.position.map(Position)
    }

    fn next_part(&mut self) -> Result<Option<Part>, DiskError> {
        let end = self.file.stated_end.filter(|end| end.length <= self.offset);
        if let Some(end) = end {
            return self.behind_the_stated_end(end.length, end.chain);
        }
        if self.offset >= self.file.bytes {
            self.ended = true;
            return Ok(None);
        }
        if self.sealed {
            return self.no_frame(Mismatch::new("nothing behind the SEAL", "bytes that are not zero"));
        }
        match self.file.frame_header(self.offset)? {
            Ok((header, chain)) => self.frame(&header, chain).map(|frame| Some(Part::Frame(Box::new(frame)))),
            Err(mismatch) => self.no_frame(mismatch),
        }
    }

    /// The file after this one has said what the end is.
    fn behind_the_stated_end(&mut self, length: u64, chain: u32) -> Result<Option<Part>, DiskError> {
        self.ended = true;
        let from = self.offset;
        let stretch = |to, kind| Ok(Some(Part::Stretch(Stretch { from, to, kind })));
        if from > length || self.chain.is_some_and(|found| found != chain) {
            let expected = format!("the end at {length} with chain {chain:08x}, which the next file states");
            let found = self.chain.map_or_else(String::new, |chain| format!(" with chain {chain:08x}"));
            let mismatch = Mismatch::new(expected, format!("the end of a frame at {from}{found}"));
            return stretch(from, StretchKind::Fault(Fault::new(Check::Link, from, mismatch, true)));
        }
        if self.file.is_empty_from(from)? { Ok(None) } else { stretch(self.file.bytes, StretchKind::Copied) }
    }

    /// What starts at the offset is no frame: goes on to the next one.
    fn no_frame(&mut self, mismatch: Mismatch) -> Result<Option<Part>, DiskError> {
        let from = self.offset;
        let next = if self.sealed { None } else { self.file.next_frame(from + ALIGNMENT as u64)? };
        let limit = self.file.stated_end.map_or(self.file.bytes, |end| end.length).min(self.file.bytes);
        let to = next.unwrap_or(limit).max(from);
        self.ended = next.is_none() && self.file.stated_end.is_none();
        let kind = if next.is_none() && self.file.stated_end.is_none() && self.file.is_empty_from(from)? {
            self.ended = true;
            StretchKind::Room
        } else {
            StretchKind::Fault(self.judge(Check::FrameHeader, from, mismatch)?)
        };
        // A file that is shorter than its successor says has no more to give.
        self.ended |= to == from;
        (self.offset, self.chain, self.position) = (to, None, None);
        Ok(Some(Part::Stretch(Stretch { from, to, kind })))
    }

    fn frame(&mut self, header: &FrameHeader, chain: u32) -> Result<Frame, DiskError> {
        let offset = self.offset;
        let bytes = frame_bytes(header.payload_bytes as usize);
        let body = self.file.read(offset + FRAME_HEADER_BYTES as u64, bytes as usize - FRAME_HEADER_BYTES)?;
        let mut found = Vec::new();
        if let Some(expected) = self.chain.filter(|expected| *expected != header.chain) {
            let mismatch = Mismatch::new(format!("chain {expected:08x}"), format!("{:08x}", header.chain));
            found.push((Check::Chain, mismatch));
        }
        found.extend(check_positions(header, offset));
        let content = match check_body(header, &body, bytes) {
            Ok(()) => content(header, &body[..header.payload_bytes as usize]).unwrap_or_else(|mismatch| {
                found.push((Check::Content, mismatch));
                Content::Unreadable
            }),
            Err(fault) => {
                found.push(fault);
                Content::Unreadable
            }
        };
        found.extend(self.follow(header, &content).map(|mismatch| (Check::Order, mismatch)));
        if !self.file.header.as_ref().is_ok_and(|header| header.begun) {
            found.push((Check::State, Mismatch::new("no frame in a file that was never begun", "a frame")));
        }
        let mut faults = Vec::new();
        for (check, mismatch) in found {
            faults.push(self.judge(check, offset, mismatch)?);
        }
        let chain_checked = self.chain.is_some();
        (self.offset, self.chain, self.sealed) = (offset + bytes, Some(chain), header.kind == FrameType::Seal);
        let FrameHeader { payload_bytes, kind, compressed, first_seq, epoch, synced_upto, commit, chain, .. } = *header;
        Ok(Frame {
            offset,
            bytes,
            kind,
            compressed,
            first_seq,
            epoch,
            payload_bytes,
            synced_upto,
            commit,
            chain,
            chain_checked,
            content,
            faults,
        })
    }

    /// Moves the position behind a frame; what cannot be counted leaves it unknown.
    fn follow(&mut self, header: &FrameHeader, content: &Content) -> Option<Mismatch> {
        let records = match content {
            Content::Batch(batch) => Some(batch.records.len() as u64),
            Content::Successor { .. } => Some(0),
            Content::Nothing => Some(u64::from(header.kind == FrameType::EpochStart)),
            Content::Unreadable => None,
        };
        let behind = |records: u64| {
            let next_seq = SeqNo(header.first_seq.0.saturating_add(records));
            LogPosition { epoch: header.epoch, next_seq }
        };
        let before = self.position.replace(behind(records.unwrap_or_default()));
        let mismatch = before.and_then(|mut position| advance(&mut position, header, 0).err());
        if records.is_none() {
            self.position = None;
        }
        mismatch
    }

    /// Says whether a fault is damage.
    fn judge(&mut self, check: Check, offset: u64, mut mismatch: Mismatch) -> Result<Fault, DiskError> {
        let durable_from = match check {
            // All checksums hold, so it was written like this.
            Check::FileHeader | Check::Name | Check::Link | Check::Commit | Check::Order | Check::Content => {
                return Ok(Fault::new(check, offset, mismatch, true));
            }
            // The first frames are synced together with the header that allows them.
            Check::State => 0,
            Check::FrameHeader | Check::Chain | Check::SyncedUpto | Check::Payload | Check::Padding => offset,
        };
        if self.proof.is_none() {
            self.proof = Some(self.file.proof(offset)?);
        }
        let proof = self.proof.flatten().filter(|(_, synced_upto)| *synced_upto > durable_from);
        let stated = self.file.stated_end.filter(|end| end.length > offset);
        if let Some((at, synced_upto)) = proof {
            mismatch.expected += &format!(", because the frame at {at} knows {synced_upto} as durable");
        } else if let Some(end) = stated {
            mismatch.expected += &format!(", because file {} knows {} as durable", end.file_no, end.length);
        }
        Ok(Fault::new(check, offset, mismatch, proof.is_some() || stated.is_some()))
    }
}

impl Iterator for Parts<'_> {
    type Item = Result<Part, DiskError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let part = self.next_part().transpose();
        self.ended |= part.as_ref().is_none_or(Result::is_err);
        part
    }
}

fn check_positions(header: &FrameHeader, offset: u64) -> Vec<(Check, Mismatch)> {
    let mut found = Vec::new();
    if header.synced_upto > offset {
        let expected = format!("synced_upto of at most {offset}");
        found.push((Check::SyncedUpto, Mismatch::new(expected, header.synced_upto.to_string())));
    }
    if header.commit >= header.first_seq {
        let expected = format!("a commit position before {}", header.first_seq);
        found.push((Check::Commit, Mismatch::new(expected, header.commit.to_string())));
    }
    found
}

fn check_body(header: &FrameHeader, body: &[u8], frame_bytes: u64) -> Result<(), (Check, Mismatch)> {
    let Some((payload, padding)) = body.split_at_checked(header.payload_bytes as usize) else {
        let found = format!("{} bytes", body.len() + FRAME_HEADER_BYTES);
        return Err((Check::Payload, Mismatch::new(format!("{frame_bytes} bytes of a frame"), found)));
    };
    let crc = crc32fast::hash(payload);
    if crc != header.payload_crc {
        let mismatch = Mismatch::new(format!("payload crc {:08x}", header.payload_crc), format!("{crc:08x}"));
        return Err((Check::Payload, mismatch));
    }
    if padding.iter().any(|byte| *byte != 0) {
        return Err((Check::Padding, Mismatch::new("zeros behind the payload", format!("{padding:02x?}"))));
    }
    Ok(())
}

fn content(header: &FrameHeader, payload: &[u8]) -> Result<Content, Mismatch> {
    match header.kind {
        FrameType::Data => {
            let plain;
            let payload = if header.compressed {
                plain = zstd::bulk::decompress(payload, PAYLOAD_BYTES_MAX)
                    .map_err(|error| Mismatch::new("a zstd payload of at most 16 MiB", error.to_string()))?;
                &plain
            } else {
                payload
            };
            let batch = decode_payload(payload).map_err(|error| Mismatch::new("a batch", error.to_string()))?;
            Ok(Content::Batch(batch))
        }
        FrameType::Seal => {
            let [epoch, file_no] = payload.as_chunks::<8>().0 else {
                return Err(Mismatch::new("16 bytes that name a successor", format!("{} bytes", payload.len())));
            };
            Ok(Content::Successor { epoch: Epoch(u64::from_le_bytes(*epoch)), file_no: u64::from_le_bytes(*file_no) })
        }
        FrameType::EpochStart | FrameType::Pad if payload.is_empty() => Ok(Content::Nothing),
        FrameType::EpochStart | FrameType::Pad => {
            Err(Mismatch::new(format!("no payload of {}", header.kind), format!("{} bytes", payload.len())))
        }
    }
}

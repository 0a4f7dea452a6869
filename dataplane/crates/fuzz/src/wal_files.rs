//! The files of a log taken apart into frames, and put together again with every checksum and link as it must be.
//!
//! What is drawn in `grepzilla_storage::wal` is written down here a second time, from the drawing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::choices::Choices;
use crate::edits::rewrite;

/// A replica's folder.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

const FILE_HEADER_BYTES: usize = 4096;
const FRAME_HEADER_BYTES: usize = 64;
const FRAME_MAGIC: [u8; 4] = *b"GZFR";
const BEGUN: u8 = 2;

/// Fields of a frame's header that are not computed: offset and width.
const FRAME_FIELDS: [(usize, usize); 9] =
    [(0, 4), (12, 1), (13, 1), (14, 2), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)];

/// Fields of a file's header that are not computed.
const FILE_FIELDS: [(usize, usize); 11] =
    [(0, 8), (8, 2), (10, 2), (16, 8), (32, 8), (40, 8), (48, 8), (56, 8), (64, 8), (84, 4), (88, 4)];

/// A file of the log.
#[derive(Debug, Clone)]
struct LogFile {
    header: Vec<u8>,
    frames: Vec<Frame>,
    /// What stands behind the frames.
    rest: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Frame {
    header: [u8; FRAME_HEADER_BYTES],
    payload: Vec<u8>,
    /// How many positions it takes.
    positions: u64,
}

/// What is put right beside the checksums.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repairs {
    /// Each frame carries the checksum of the frame before, each file the end of the file before.
    pub(crate) links: bool,
    /// Frames say that what stands before them is durable, and not more.
    pub(crate) synced: bool,
    /// Positions follow each other without gaps.
    pub(crate) positions: bool,
}

/// Whether a path is that of a file of the log.
pub(crate) fn is_log(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wal")
}

/// Gives every file of the log the checksums of what it holds.
pub(crate) fn reseal(files: &mut Files, repairs: Repairs) {
    let mut before = None;
    let mut position = None;
    for (_, bytes) in files.iter_mut().filter(|(path, _)| is_log(path)) {
        let mut file = LogFile::of(bytes);
        let end = file.seal(repairs, before, &mut position);
        if file.header.get(88) == Some(&BEGUN) {
            before = Some(end);
        }
        *bytes = file.into_bytes();
    }
}

/// Rewrites one file of the log: a field, a payload, or which frames there are.
pub(crate) fn rewrite_log(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let mut file = LogFile::of(bytes);
    let count = file.frames.len().max(1);
    let (one, other) = (choices.one_of(count), choices.one_of(count));
    match choices.u8() % 8 {
        0 => set_field(&mut file.header, &FILE_FIELDS, choices),
        1 => {
            if let Some(frame) = file.frames.get_mut(one) {
                set_field(&mut frame.header, &FRAME_FIELDS, choices);
            }
        }
        2 | 3 => {
            if let Some(frame) = file.frames.get_mut(one) {
                rewrite(&mut frame.payload, choices);
            }
        }
        4 => {
            if let Some(frame) = file.frames.get(one).cloned() {
                file.frames.insert(other, frame);
            }
        }
        5 => {
            if one < file.frames.len() {
                file.frames.remove(one);
            }
        }
        6 => {
            if one.max(other) < file.frames.len() {
                file.frames.swap(one, other);
            }
        }
        _ => {
            if let Some(frame) = file.frames.get_mut(one) {
                frame.header[13] = 1;
                frame.payload = zstd::bulk::compress(&frame.payload, 1).expect("there is memory");
            }
        }
    }
    *bytes = file.into_bytes();
}

/// Puts a constant where the nonce and the incarnation stand, which are drawn by lot: an input then means the same each time.
pub(crate) fn settle_lots(files: &mut Files, incarnation: u64) {
    for (number, (_, bytes)) in files.iter_mut().filter(|(path, _)| is_log(path)).enumerate() {
        let mut file = LogFile::of(bytes);
        let nonce = (0x5EED_u64 + number as u64).to_le_bytes();
        file.header[32..40].copy_from_slice(&incarnation.to_le_bytes());
        file.header[56..64].copy_from_slice(&nonce);
        file.frames.iter_mut().for_each(|frame| frame.header[32..40].copy_from_slice(&nonce));
        *bytes = file.into_bytes();
    }
    reseal(files, Repairs { links: true, synced: false, positions: false });
}

fn set_field(header: &mut [u8], fields: &[(usize, usize)], choices: &mut Choices<'_>) {
    let (at, width) = fields[choices.one_of(fields.len())];
    let value = choices.u64();
    // Near to what was there, half of the time: a number that is only a little wrong gets further.
    let mut old = [0; 8];
    old[..width].copy_from_slice(&header[at..at + width]);
    let value = if choices.flag() { u64::from_le_bytes(old).wrapping_add(value as i8 as u64) } else { value };
    header[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl LogFile {
    /// What of the bytes looks like frames; checksums are not looked at.
    fn of(bytes: &[u8]) -> LogFile {
        let mut header = bytes[..bytes.len().min(FILE_HEADER_BYTES)].to_vec();
        header.resize(FILE_HEADER_BYTES, 0);
        let (mut frames, mut rest) = (Vec::new(), bytes.get(FILE_HEADER_BYTES..).unwrap_or_default());
        while let Some((frame, behind)) = Frame::first_of(rest) {
            frames.push(frame);
            rest = behind;
        }
        for place in 1..frames.len() {
            let positions = u64_at(&frames[place].header, 16).wrapping_sub(u64_at(&frames[place - 1].header, 16));
            frames[place - 1].positions = positions;
        }
        LogFile { header, frames, rest: rest.to_vec() }
    }

    /// Computes what can be computed. Answers number, length and chain of its end.
    fn seal(
        &mut self,
        repairs: Repairs,
        before: Option<(u64, u64, u32)>,
        position: &mut Option<u64>,
    ) -> (u64, u64, u32) {
        if let (true, Some((file_no, length, chain))) = (repairs.links, before)
            && self.header[88] == BEGUN
        {
            self.header[64..72].copy_from_slice(&file_no.to_le_bytes());
            self.header[72..80].copy_from_slice(&length.to_le_bytes());
            self.header[80..84].copy_from_slice(&chain.to_le_bytes());
        }
        let mut chain = crc32fast::hash(&[&self.header[..12], &self.header[16..]].concat());
        self.header[12..16].copy_from_slice(&chain.to_le_bytes());
        let mut offset = FILE_HEADER_BYTES as u64;
        for frame in &mut self.frames {
            if repairs.links {
                frame.header[60..64].copy_from_slice(&chain.to_le_bytes());
            }
            if repairs.synced {
                let synced = u64_at(&frame.header, 40).min(offset);
                frame.header[40..48].copy_from_slice(&synced.to_le_bytes());
            }
            if repairs.positions {
                let first = *position.get_or_insert(u64_at(&frame.header, 16));
                frame.header[16..24].copy_from_slice(&first.to_le_bytes());
                *position = Some(first.wrapping_add(frame.positions));
            }
            chain = frame.seal();
            offset += frame.bytes() as u64;
        }
        (u64_at(&self.header, 48), offset, chain)
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.header;
        for mut frame in self.frames {
            let padded = bytes.len() + frame.bytes();
            frame.header[8..12].copy_from_slice(&(frame.payload.len() as u32).to_le_bytes());
            bytes.extend(frame.header);
            bytes.extend(frame.payload);
            bytes.resize(padded, 0);
        }
        bytes.extend(self.rest);
        bytes
    }
}

impl Frame {
    fn first_of(bytes: &[u8]) -> Option<(Frame, &[u8])> {
        let (header, behind) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>()?;
        if header[..4] != FRAME_MAGIC {
            return None;
        }
        let length = u32::from_le_bytes(header[8..12].try_into().expect("four bytes")) as usize;
        let payload = behind.get(..length)?;
        let rest = behind.get(length.next_multiple_of(8)..)?;
        // Until the next frame is known: what its kind takes, a batch being one of one record.
        let positions = u64::from(header[12] <= 2);
        Some((Frame { header: *header, payload: payload.to_vec(), positions }, rest))
    }

    fn bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.payload.len().next_multiple_of(8)
    }

    /// Answers what the next frame carries as its chain.
    fn seal(&mut self) -> u32 {
        self.header[8..12].copy_from_slice(&(self.payload.len() as u32).to_le_bytes());
        self.header[56..60].copy_from_slice(&crc32fast::hash(&self.payload).to_le_bytes());
        let crc = crc32fast::hash(&self.header[8..]);
        self.header[4..8].copy_from_slice(&crc.to_le_bytes());
        crc
    }
}

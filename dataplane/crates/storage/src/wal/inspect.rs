//! A log as people look at it: everything that is there, good or not.
//!
//! It promises to change nothing, to take no lock, and to go on behind whatever is wrong. So a folder in use can be
//! looked at, and so can one that recovery refuses. Of a log in use, the frames that are being written at that moment
//! may show as an interrupted write. What is to be done about damage is left to recovery.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use grepzilla_model::{ClusterUuid, Epoch, Incarnation, ShardId};

use super::file_header::{FILE_HEADER_BYTES, FORMAT, FileHeader, FileState, HeaderError};
use super::frame::Mismatch;
use super::name::{FileNo, Name, parse};
use crate::disk::{DiskError, DiskFile, Verb};

pub use super::frame::FrameType;
pub use parts::{Content, Frame, Part, Parts, Position, Stretch, StretchKind};

mod bytes;
mod parts;
#[cfg(test)]
mod tests;

/// The log's files in a folder.
#[derive(Debug)]
pub struct Folder {
    /// In order of their numbers.
    pub files: Vec<LogFile>,
    /// Files whose preparation is under way, or did not end.
    pub temporary: Vec<PathBuf>,
}

/// One file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    header: Result<Header, Fault>,
    /// What is wrong with the file as a whole although its header is good.
    faults: Vec<Fault>,
    role: Role,
    stated_end: Option<StatedEnd>,
}

/// What a file's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The format it was written in.
    pub format: u16,
    /// Whose it is.
    pub cluster: ClusterUuid,
    /// The shard of that cluster.
    pub shard: ShardId,
    /// The replica of that shard.
    pub incarnation: Incarnation,
    /// When it was prepared.
    pub epoch: Epoch,
    /// Its number in the folder.
    pub file_no: u64,
    /// What its frames carry.
    pub nonce: u64,
    /// Whether it was begun; if not, it holds no part of the log.
    pub begun: bool,
    /// The end of the file before. `None`: it is the first, or not begun.
    pub previous: Option<StatedEnd>,
    /// What its first frame carries as its chain.
    chain: u32,
}

/// Where the part of the log that a file holds ends, as the file after it states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatedEnd {
    /// In the header of a file: the file before. Of a file: the file after.
    pub file_no: u64,
    /// The offset behind the last frame.
    pub length: u64,
    /// The checksum of the last frame's header.
    pub chain: u32,
}

/// What a file is to the log of its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Part of it.
    Log,
    /// Ready to be begun.
    Prepared,
    /// Begun, but copied to a later file since.
    Replaced,
    /// It was looked at by itself, or its header cannot be read.
    Unknown,
}

/// Something that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What was checked.
    pub check: Check,
    /// Where in the file.
    pub offset: u64,
    /// What must be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// Whether it is damage. If not, an interrupted write explains it, as far as this file tells.
    pub is_damage: bool,
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The file's header.
    FileHeader,
    /// The epoch and number in the file's name.
    Name,
    /// The end as the next file states it.
    Link,
    /// Whether there may be frames at all.
    State,
    /// A frame's header: magic, checksum, nonce.
    FrameHeader,
    /// The checksum of the header before.
    Chain,
    /// `synced_upto`, which lies before the frame.
    SyncedUpto,
    /// The commit position, which lies before the frame.
    Commit,
    /// Sequence number and epoch, which go on from the frame before.
    Order,
    /// The payload's checksum.
    Payload,
    /// The zeros behind the payload.
    Padding,
    /// What the payload holds.
    Content,
}

impl Check {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Check::FileHeader => "file_header",
            Check::Name => "name",
            Check::Link => "link",
            Check::State => "state",
            Check::FrameHeader => "frame_header",
            Check::Chain => "chain",
            Check::SyncedUpto => "synced_upto",
            Check::Commit => "commit",
            Check::Order => "order",
            Check::Payload => "payload",
            Check::Padding => "padding",
            Check::Content => "content",
        }
    }
}

impl Fault {
    fn new(check: Check, offset: u64, mismatch: Mismatch, is_damage: bool) -> Fault {
        Fault { check, offset, expected: mismatch.expected, found: mismatch.found, is_damage }
    }
}

impl Folder {
    /// Reads the headers of all files and follows the links between them.
    pub fn open(dir: &Path) -> Result<Folder, DiskError> {
        let at = |error: io::Error| DiskError::at(Verb::List, dir)(error);
        let mut folder = Folder { files: vec![], temporary: vec![] };
        let mut numbered = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(at)? {
            let path = entry.map_err(at)?.path();
            match parse(&path.file_name().unwrap_or_default().to_string_lossy()) {
                Name::File(_, file_no) => numbered.push((file_no, path)),
                Name::Temporary(_) => folder.temporary.push(path),
                Name::Other => {}
            }
        }
        numbered.sort();
        folder.temporary.sort();
        for (_, path) in numbered {
            match LogFile::open(&path) {
                Ok(file) => folder.files.push(file),
                // The shard is in use, and has trimmed its log since the names were read.
                Err(error) if error.source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        folder.follow();
        Ok(folder)
    }

    /// Goes from the newest begun file to the first, as recovery does.
    fn follow(&mut self) {
        // The end of the file before, and who states it. `Some(None)`: the first file was found.
        let mut wanted: Option<Option<(StatedEnd, u64)>> = None;
        for file in self.files.iter_mut().rev() {
            // Behind a header that cannot be read nothing tells the log from what was replaced.
            let Ok(header) = &file.header else { break };
            file.role = match (header.begun, wanted) {
                (false, _) => Role::Prepared,
                (true, None) => Role::Log,
                (true, Some(None)) => Role::Replaced,
                (true, Some(Some((end, _)))) if end.file_no == header.file_no => Role::Log,
                (true, Some(Some((end, _)))) if end.file_no < header.file_no => Role::Replaced,
                (true, Some(Some(_))) => Role::Unknown,
            };
            if file.role == Role::Log {
                file.stated_end = wanted.flatten().map(|(end, by)| StatedEnd { file_no: by, ..end });
                wanted = Some(header.previous.map(|end| (end, header.file_no)));
            }
        }
    }
}

impl LogFile {
    /// Reads the header of a file.
    pub fn open(path: &Path) -> Result<LogFile, DiskError> {
        let file = File::open(path).map_err(DiskError::at(Verb::Open, path))?;
        let bytes = file.length().map_err(DiskError::at(Verb::Read, path))?;
        let mut start = [0; FILE_HEADER_BYTES];
        let count = file.read_at(&mut start, 0).map_err(DiskError::at(Verb::Read, path))?;
        let header = if count < FILE_HEADER_BYTES {
            let mismatch =
                Mismatch::new(format!("a file header of {FILE_HEADER_BYTES} bytes"), format!("{count} bytes"));
            Err(Fault::new(Check::FileHeader, 0, mismatch, true))
        } else {
            Header::read(&start)
        };
        let mut file = LogFile {
            path: path.to_owned(),
            file,
            bytes,
            header,
            faults: vec![],
            role: Role::Unknown,
            stated_end: None,
        };
        file.faults.extend(file.check_name());
        Ok(file)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What its header says, or why that cannot be read; then it has no parts.
    pub fn header(&self) -> Result<&Header, &Fault> {
        self.header.as_ref()
    }

    /// What is wrong with it although its header is good.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What it is to the log.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where its part of the log ends, if a file after it says so.
    pub fn stated_end(&self) -> Option<StatedEnd> {
        self.stated_end
    }

    /// Everything behind the header, in order. `after` is where the file before ended, if it is known.
    pub fn parts(&self, after: Option<Position>) -> Parts<'_> {
        Parts::new(self, after)
    }

    fn check_name(&self) -> Option<Fault> {
        let header = self.header.as_ref().ok()?;
        let Name::File(epoch, file_no) = parse(&self.path.file_name()?.to_string_lossy()) else { return None };
        if (epoch, file_no) == (header.epoch, FileNo(header.file_no)) {
            return None;
        }
        let found = format!("epoch {}, file {}", header.epoch, header.file_no);
        let expected = format!("epoch {epoch}, file {file_no}, as its name says");
        Some(Fault::new(Check::Name, 40, Mismatch::new(expected, found), true))
    }
}

impl Header {
    fn read(bytes: &[u8; FILE_HEADER_BYTES]) -> Result<Header, Fault> {
        let fault = |mismatch| Fault::new(Check::FileHeader, 0, mismatch, true);
        let header = FileHeader::decode(bytes).map_err(|error| match error {
            HeaderError::Damaged(mismatch) => fault(mismatch),
            HeaderError::Newer { format, min_reader } => fault(Mismatch::new(
                format!("a format that a program of format {FORMAT} can read"),
                format!("format {format}, to be read from format {min_reader} on"),
            )),
        })?;
        let previous = match header.state {
            FileState::Prepared => None,
            FileState::Begun(previous) => previous,
        };
        Ok(Header {
            format: u16::from_le_bytes([bytes[8], bytes[9]]),
            cluster: header.owner.cluster,
            shard: header.owner.shard,
            incarnation: header.owner.incarnation,
            epoch: header.epoch,
            file_no: header.file_no.0,
            nonce: header.nonce,
            begun: header.state != FileState::Prepared,
            previous: previous.map(|end| StatedEnd { file_no: end.file_no.0, length: end.length, chain: end.chain }),
            chain: header.chain(),
        })
    }
}

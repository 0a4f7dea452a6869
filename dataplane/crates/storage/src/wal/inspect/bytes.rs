//! The bytes of a log file that is looked at: read as they are, and searched for headers of frames.

use super::LogFile;
use crate::disk::{DiskError, DiskFile, Verb};
use crate::wal::frame::{ALIGNMENT, FRAME_HEADER_BYTES, FrameHeader, MAGIC, Mismatch};

/// How much is looked through at once.
const WINDOW_BYTES: usize = 1 << 20;

impl LogFile {
    /// The header of the frame at an offset, if it is one of this file, and its checksum.
    pub(super) fn frame_header(&self, offset: u64) -> Result<Result<(FrameHeader, u32), Mismatch>, DiskError> {
        let bytes = self.read(offset, FRAME_HEADER_BYTES)?;
        let Ok(bytes) = <&[u8; FRAME_HEADER_BYTES]>::try_from(bytes.as_slice()) else {
            let expected = format!("{FRAME_HEADER_BYTES} bytes of a frame");
            return Ok(Err(Mismatch::new(expected, format!("{} bytes", bytes.len()))));
        };
        Ok(FrameHeader::decode(bytes).and_then(|header| match &self.header {
            Ok(file) if file.nonce != header.nonce => {
                Err(Mismatch::new(format!("nonce {:016x}", file.nonce), format!("{:016x}", header.nonce)))
            }
            _ => Ok((header, FrameHeader::chain_of(bytes))),
        }))
    }

    /// Where the next frame of this file starts, at `from` or behind it.
    pub(super) fn next_frame(&self, from: u64) -> Result<Option<u64>, DiskError> {
        self.find_header(from, |at, _| Some(at))
    }

    /// The frame at `from` or behind it that knows most as durable, and how much.
    pub(super) fn proof(&self, from: u64) -> Result<Option<(u64, u64)>, DiskError> {
        let mut proof: Option<(u64, u64)> = None;
        self.find_header::<()>(from, |at, header| {
            if proof.is_none_or(|(_, synced_upto)| header.synced_upto > synced_upto) {
                proof = Some((at, header.synced_upto));
            }
            None
        })?;
        Ok(proof)
    }

    /// Whether there is nothing but zeros from `from` on.
    pub(super) fn is_empty_from(&self, from: u64) -> Result<bool, DiskError> {
        let found = self.scan(from, |window, _| Ok(window.iter().any(|byte| *byte != 0).then_some(())))?;
        Ok(found.is_none())
    }

    /// Bytes of the file; fewer where it ends.
    pub(super) fn read(&self, offset: u64, count: usize) -> Result<Vec<u8>, DiskError> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; count.min(left)];
        let count = self.file.read_at(&mut bytes, offset).map_err(DiskError::at(Verb::Read, &self.path))?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Hands on the headers of frames from `from` on, until `look` answers something.
    fn find_header<T>(
        &self,
        from: u64,
        mut look: impl FnMut(u64, &FrameHeader) -> Option<T>,
    ) -> Result<Option<T>, DiskError> {
        self.scan(from, |window, offset| {
            for at in (0..window.len()).step_by(ALIGNMENT).filter(|at| window[*at..].starts_with(&MAGIC)) {
                let at = offset + at as u64;
                if let Some(found) = self.frame_header(at)?.ok().and_then(|(header, _)| look(at, &header)) {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }

    /// Hands on the bytes from `from` on, with their offset, until `look` answers something.
    fn scan<T>(
        &self,
        from: u64,
        mut look: impl FnMut(&[u8], u64) -> Result<Option<T>, DiskError>,
    ) -> Result<Option<T>, DiskError> {
        let mut offset = from;
        loop {
            let window = self.read(offset, WINDOW_BYTES)?;
            if window.is_empty() {
                return Ok(None);
            }
            if let Some(found) = look(&window, offset)? {
                return Ok(Some(found));
            }
            offset += window.len() as u64;
        }
    }
}

//! The files of a log before the one that is written to, and which of them may go.
//!
//! The oldest file that stays tells recovery where the log begins, so it must hold a record: frames without records are
//! not copied when a file is replaced. So a file goes only if a later one holds a durable record.

use std::collections::VecDeque;
use std::path::PathBuf;

use grepzilla_model::SeqNo;

/// A file that is not written to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SealedFile {
    pub(super) path: PathBuf,
    /// The last record of the log at its end.
    pub(super) last_seq: SeqNo,
    /// The bytes of its frames.
    pub(super) bytes: u64,
}

/// Those of one log, oldest first.
#[derive(Debug, Default)]
pub(super) struct SealedFiles {
    files: VecDeque<SealedFile>,
    bytes: u64,
}

impl SealedFiles {
    pub(super) fn push(&mut self, file: SealedFile) {
        self.bytes += file.bytes;
        self.files.push_back(file);
    }

    pub(super) fn len(&self) -> u64 {
        self.files.len() as u64
    }

    /// The bytes of all their frames.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes out the oldest files as far as they hold nothing behind `upto`. The file that is written to ends with the
    /// record `durable`, and all of it is durable.
    pub(super) fn take_upto(&mut self, upto: SeqNo, durable: SeqNo) -> Vec<SealedFile> {
        let mut count = 0;
        for (place, file) in self.files.iter().enumerate().take_while(|(_, file)| file.last_seq <= upto) {
            let next = self.files.get(place + 1).map_or(durable, |next| next.last_seq);
            if next > file.last_seq {
                count = place + 1;
            }
        }
        let taken: Vec<SealedFile> = self.files.drain(..count).collect();
        self.bytes -= taken.iter().map(|file| file.bytes).sum::<u64>();
        taken
    }
}

impl FromIterator<SealedFile> for SealedFiles {
    fn from_iter<I: IntoIterator<Item = SealedFile>>(files: I) -> SealedFiles {
        let mut sealed = SealedFiles::default();
        files.into_iter().for_each(|file| sealed.push(file));
        sealed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_file_that_stays_holds_a_record() {
        let taken = |ends: &[u64], upto, durable| {
            let file = |end: &u64| SealedFile { path: PathBuf::new(), last_seq: SeqNo(*end), bytes: 10 };
            let mut sealed: SealedFiles = ends.iter().map(file).collect();
            let taken = sealed.take_upto(SeqNo(upto), SeqNo(durable)).len();
            assert_eq!((sealed.len(), sealed.bytes()), ((ends.len() - taken) as u64, 10 * (ends.len() - taken) as u64));
            taken
        };
        assert_eq!(taken(&[5, 9, 12], 8, 20), 1);
        assert_eq!(taken(&[5, 9, 12], 9, 20), 2);
        assert_eq!(taken(&[5, 9, 12], 30, 30), 3);
        assert_eq!(taken(&[5, 9, 12], 12, 12), 2, "the file that is written to is empty");
        assert_eq!(taken(&[5, 9, 9], 9, 9), 1, "so is the one before");
        assert_eq!(taken(&[5, 9, 9], 9, 10), 3);
        assert_eq!(taken(&[], 9, 10), 0);
    }
}

//! How large log files are made.

/// Where the files of a log start.
const FIRST_BYTES: u64 = 4 << 20;

/// The smallest file: a header and some room. So little is asked for only in tests.
const LEAST_BYTES: u64 = 5 << 10;

/// The sizes of a log's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogSizes {
    max: u64,
}

impl LogSizes {
    pub(crate) fn new(bytes_max: u64) -> LogSizes {
        LogSizes { max: bytes_max.max(LEAST_BYTES) }
    }

    /// The first file after a start.
    pub(super) fn first(self) -> u64 {
        FIRST_BYTES.min(self.max)
    }

    /// The file after one of `bytes`.
    pub(super) fn after(self, bytes: u64) -> u64 {
        (bytes * 2).clamp(self.first(), self.max)
    }

    /// From how many proven bytes of frames on the last file is kept at a start. One with less is copied and replaced,
    /// so that starting again and again does not fill a folder with small files.
    pub(super) fn kept_from(self) -> u64 {
        self.first() / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_double_from_four_mebibytes_to_the_largest() {
        let sizes = LogSizes::new(20 << 20);
        let mut found = vec![sizes.first()];
        for _ in 0..4 {
            found.push(sizes.after(found[found.len() - 1]));
        }
        assert_eq!(found.into_iter().map(|bytes| bytes >> 20).collect::<Vec<_>>(), [4, 8, 16, 20, 20]);
        assert_eq!(LogSizes::new(1 << 20).first(), 1 << 20);
    }
}

//! Names of log files.

use grepzilla_model::Epoch;

/// What a name in a shard's folder means to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// A file of the log, begun or prepared.
    File(Epoch, FileNo),
    /// One whose preparation did not end.
    Temporary(FileNo),
    /// Not the log's.
    Other,
}

/// A log file's number: from 1, rising along the log, never used twice in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileNo(pub(super) u64);

impl std::fmt::Display for FileNo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a file that was prepared in `epoch`.
pub(super) fn file_name(epoch: Epoch, file_no: FileNo) -> String {
    format!("{:016x}-{:016x}.wal", epoch.0, file_no.0)
}

pub(super) fn parse(name: &str) -> Name {
    let parsed = |stem: &str| {
        let (epoch, file_no) = stem.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let (epoch, file_no) = (Epoch(number(epoch)?), FileNo(number(file_no)?));
        // Only what `file_name` makes: one number has one name.
        (file_name(epoch, file_no).strip_suffix(".wal") == Some(stem)).then_some((epoch, file_no))
    };
    if let Some((epoch, file_no)) = name.strip_suffix(".wal").and_then(parsed) {
        return Name::File(epoch, file_no);
    }
    match name.strip_suffix(".wal.tmp").and_then(parsed) {
        Some((_, file_no)) => Name::Temporary(file_no),
        None => Name::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_made_and_nothing_else_is() {
        let name = file_name(Epoch(0x1f), FileNo(u64::MAX));
        assert_eq!(name, "000000000000001f-ffffffffffffffff.wal");
        assert_eq!(parse(&name), Name::File(Epoch(0x1f), FileNo(u64::MAX)));
        assert_eq!(parse(&format!("{name}.tmp")), Name::Temporary(FileNo(u64::MAX)));
        for other in ["replica.json", "1f-1.wal", "000000000000001F-0000000000000001.wal", "x.wal", &name[1..]] {
            assert_eq!(parse(other), Name::Other, "{other}");
        }
    }
}

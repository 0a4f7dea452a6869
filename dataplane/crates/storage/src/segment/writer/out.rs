//! The file being written, section by section.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, GrowingFile, WriteError};
use crate::segment::layout::{Checked, HEADER_BYTES, Section};

/// Appends to the running section and keeps account of it.
#[derive(Debug)]
pub(super) struct SectionWriter {
    file: GrowingFile,
    /// Those that have ended.
    sections: Vec<Checked>,
    /// Where the running one begins.
    start: u64,
    crc: crc32fast::Hasher,
}

impl SectionWriter {
    pub(super) fn create(
        disk: &Arc<dyn Disk>,
        temporary: &Path,
        header: &[u8; HEADER_BYTES],
    ) -> Result<SectionWriter, WriteError> {
        let mut file = GrowingFile::create(disk, temporary)?;
        file.append(header)?;
        let start = file.length();
        Ok(SectionWriter { file, sections: Vec::new(), start, crc: crc32fast::Hasher::new() })
    }

    pub(super) fn length(&self) -> u64 {
        self.file.length()
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.crc.update(bytes);
        self.file.append(bytes)
    }

    /// Ends the running section, which is this one.
    pub(super) fn end(&mut self, section: Section) {
        assert_eq!(self.sections.len(), section as usize, "sections are written in order");
        let crc = std::mem::take(&mut self.crc).finalize();
        let length = self.file.length() - self.start;
        self.sections.push(Checked { offset: self.start, length, crc });
        self.start = self.file.length();
    }

    /// Writes a whole section.
    pub(super) fn section(&mut self, section: Section, bytes: &[u8]) -> Result<(), WriteError> {
        self.append(bytes)?;
        self.end(section);
        Ok(())
    }

    /// All sections, when all have been written.
    pub(super) fn sections(&self) -> [Checked; Section::ALL.len()] {
        self.sections.as_slice().try_into().expect("every section is written before the footer")
    }

    /// Appends the footer and gives the file its name; gives its length.
    pub(super) fn finish(mut self, footer: &[u8], name: &Path) -> Result<u64, WriteError> {
        self.file.append(footer)?;
        let length = self.file.length();
        self.file.finish(name)?;
        Ok(length)
    }
}

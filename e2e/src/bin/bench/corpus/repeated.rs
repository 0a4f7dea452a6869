//! A corpus that is too small made as large as is asked for: written again and again, each time with the dates of another
//! year and with other ids, so that the copies come one after the other in time and do not pack to nothing.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use regex::{Captures, Regex};
use tempfile::NamedTempFile;

use super::{BUFFER_BYTES, Corpus, PlainFile};

/// A corpus of at least `bytes`, oldest copy first; its last copy, if it is whole, is the corpus as it is.
pub(crate) fn repeated(corpus: &Corpus, bytes: u64) -> Result<Corpus> {
    let copies = bytes.div_ceil(corpus.bytes).max(1);
    let plain = NamedTempFile::with_suffix(".jsonl")?;
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, plain.as_file());
    for years_ago in (0..copies).rev() {
        copy(corpus.path(), years_ago, &mut writer)?;
    }
    writer.flush()?;
    drop(writer);
    let name = format!("{} times {}", copies, corpus.name);
    Corpus::of_file(name, corpus.kind, PlainFile::Made(plain.into_temp_path()))
}

fn copy(path: &Path, years_ago: u64, writer: &mut impl Write) -> Result<()> {
    let altered = Altered::new(years_ago)?;
    for line in BufReader::with_capacity(BUFFER_BYTES, std::fs::File::open(path)?).lines() {
        writeln!(writer, "{}", altered.document(&line?))?;
    }
    Ok(())
}

/// How a copy differs.
struct Altered {
    years_ago: u64,
    /// A date, the last part of a GUID, or the number of a record.
    parts: Regex,
}

impl Altered {
    fn new(years_ago: u64) -> Result<Altered> {
        let parts = concat!(
            r"(?-u)\b(?P<year>20\d\d)(?P<day>-[01]\d-[0-3]\d)",
            r"|(?P<head>\b[0-9A-Fa-f]{4}-)(?P<tail>[0-9A-Fa-f]{12})\b",
            r#"|(?P<record>"RecordNumber":)(?P<number>\d{1,12})\b"#
        );
        Ok(Altered { years_ago, parts: Regex::new(parts)? })
    }

    fn document(&self, line: &str) -> String {
        if self.years_ago == 0 {
            return line.to_owned();
        }
        self.parts.replace_all(line, |found: &Captures<'_>| self.part(found)).into_owned()
    }

    fn part(&self, found: &Captures<'_>) -> String {
        let text = |name| found.name(name).map_or("", |part| part.as_str());
        if let Ok(year) = text("year").parse::<u64>() {
            // Not every year has this day.
            let day = text("day").replace("-02-29", "-02-28");
            format!("{:04}{day}", year.saturating_sub(self.years_ago))
        } else if let Ok(tail) = u64::from_str_radix(text("tail"), 16) {
            format!("{}{:012x}", text("head"), (tail ^ (self.years_ago << 40)) & 0xffff_ffff_ffff)
        } else {
            let number: u64 = text("number").parse().unwrap_or_default();
            format!("{}{}", text("record"), number + self.years_ago * 1_000_000_000_000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_differ_in_dates_and_ids_and_in_nothing_else() {
        let line = r#"{"@timestamp":"2020-02-29T01:02:03Z","g":"{fddc55f3-4301-5f91-1406-000000000400}","RecordNumber":7,"port":2020}"#;
        let altered = |years_ago| Altered::new(years_ago).expect("a valid expression").document(line);
        assert_eq!(altered(0), line);
        assert_eq!(
            altered(3),
            r#"{"@timestamp":"2017-02-28T01:02:03Z","g":"{fddc55f3-4301-5f91-1406-030000000400}","RecordNumber":3000000000007,"port":2020}"#
        );
    }
}

//! Small JSON files that check themselves.
//!
//! ```text
//! {"magic":"grepzilla replica.json","format":1,"min_reader":1,"crc32":"0a1b2c3d","body":{...}}\n
//! ```
//!
//! The checksum is over the text of the other fields. A value has one text, so every byte that differs is noticed.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Corruption, OpenError};

/// The format that this program writes, and the newest it reads. Versions: 1, the first.
const FORMAT: u16 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    magic: String,
    format: u16,
    min_reader: u16,
    crc32: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The text of a file named `name`.
pub(super) fn encode<T: Serialize>(name: &str, value: &T) -> Vec<u8> {
    let body = serde_json::value::to_raw_value(value).expect("plain values become JSON");
    seal(name, FORMAT, FORMAT, &body)
}

fn seal(name: &str, format: u16, min_reader: u16, body: &RawValue) -> Vec<u8> {
    let magic = format!("grepzilla {name}");
    let crc32 = format!("{:08x}", crc32fast::hash(format!("{magic} {format} {min_reader} {body}").as_bytes()));
    let envelope = Envelope { magic, format, min_reader, crc32, body };
    let mut bytes = serde_json::to_vec(&envelope).expect("plain values become JSON");
    bytes.push(b'\n');
    bytes
}

/// The value in the text of a file named `name`.
pub(super) fn decode<T: Serialize + for<'de> Deserialize<'de>>(
    name: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<T, OpenError> {
    let corrupt = |offset: usize, expected: &str, found: String| {
        let (path, expected) = (path.to_owned(), expected.to_owned());
        OpenError::Corrupt(Corruption { path, offset: offset as u64, expected, found })
    };
    let envelope: Envelope<'_> =
        serde_json::from_slice(bytes).map_err(|error| corrupt(error.column(), "a metadata file", error.to_string()))?;
    let written = seal(name, envelope.format, envelope.min_reader, envelope.body);
    if written != bytes {
        let same = written.iter().zip(bytes).take_while(|(left, right)| left == right).count();
        return Err(corrupt(same, "the text that has this checksum", "another".into()));
    }
    if envelope.min_reader > FORMAT {
        return Err(OpenError::NewerFormat {
            path: path.to_owned(),
            format: envelope.format,
            min_reader: envelope.min_reader,
            supported: FORMAT,
        });
    }
    serde_json::from_str(envelope.body.get()).map_err(|error| corrupt(error.column(), "its fields", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_as_drawn_and_gives_the_value_back() {
        let bytes = encode("x.json", &(7, "seven"));
        let text = String::from_utf8(bytes.clone()).expect("JSON");
        let drawn = concat!(
            r#"{"magic":"grepzilla x.json","format":1,"min_reader":1,"crc32":"b24fc7dc","body":[7,"seven"]}"#,
            "\n"
        );
        assert_eq!(text, drawn);
        let value: (i32, String) = decode("x.json", Path::new("x.json"), &bytes).expect("as written");
        assert_eq!(value, (7, "seven".to_owned()));
    }

    #[test]
    fn a_newer_format_and_a_file_under_another_name_are_refused() {
        let path = Path::new("x.json");
        let body = serde_json::value::to_raw_value(&7).expect("JSON");
        let newer = decode::<i32>("x.json", path, &seal("x.json", 9, 2, &body));
        assert!(matches!(newer, Err(OpenError::NewerFormat { format: 9, min_reader: 2, supported: 1, .. })));
        assert_eq!(decode::<i32>("x.json", path, &seal("x.json", 9, 1, &body)).ok(), Some(7));
        let renamed = decode::<i32>("x.json", path, &encode("y.json", &7));
        assert!(matches!(renamed, Err(OpenError::Corrupt(_))), "{renamed:?}");
    }
}

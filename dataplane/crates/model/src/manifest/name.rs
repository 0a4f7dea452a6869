//! Names of a segment's files. A name says which positions the file covers and what its bytes hash to, so no two
//! contents ever have one name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidId;
use crate::{Epoch, Generation, SeqNo};

/// `{epoch:016x}-{first:016x}-{last:016x}-{hash:016x}`; the file is called so with `.seg` behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SegmentName {
    /// The epoch in which it was written.
    pub epoch: Epoch,
    /// The first position that it covers.
    pub first: SeqNo,
    /// The last position that it covers.
    pub last: SeqNo,
    /// Hash of its footer.
    pub hash: u64,
}

/// `{segment}.{generation:016x}`; the file is called so with `.del` behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeletesName {
    /// Whose documents it names.
    pub segment: SegmentName,
    /// Raised with each such file of the segment.
    pub generation: Generation,
}

impl SegmentName {
    /// The name of the file.
    pub fn file_name(&self) -> String {
        format!("{self}.seg")
    }

    /// The name that a file's name states; `None` if it is no segment's.
    pub fn of_file(file_name: &str) -> Option<SegmentName> {
        file_name.strip_suffix(".seg")?.parse().ok()
    }
}

impl DeletesName {
    /// The name of the file.
    pub fn file_name(&self) -> String {
        format!("{}.{:016x}.del", self.segment, self.generation.0)
    }

    /// The name that a file's name states; `None` if it names no deletes.
    pub fn of_file(file_name: &str) -> Option<DeletesName> {
        let (segment, generation) = file_name.strip_suffix(".del")?.split_once('.')?;
        let name = DeletesName { segment: segment.parse().ok()?, generation: Generation(number(generation)?) };
        Some(name)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}-{:016x}-{:016x}", self.epoch.0, self.first.0, self.last.0, self.hash)
    }
}

impl FromStr for SegmentName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<SegmentName, InvalidId> {
        let numbers: Option<Vec<u64>> = text.split('-').map(number).collect();
        match numbers.as_deref() {
            Some(&[epoch, first, last, hash]) if first <= last => {
                Ok(SegmentName { epoch: Epoch(epoch), first: SeqNo(first), last: SeqNo(last), hash })
            }
            _ => Err(InvalidId {
                what: "segment name",
                expected: "four numbers of 16 hexadecimal digits, the third not less than the second",
                found: text.chars().take(80).collect(),
            }),
        }
    }
}

impl From<SegmentName> for String {
    fn from(name: SegmentName) -> String {
        name.to_string()
    }
}

impl TryFrom<String> for SegmentName {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<SegmentName, InvalidId> {
        text.parse()
    }
}

/// One number has one text: 16 lower-case digits.
fn number(text: &str) -> Option<u64> {
    let plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// A u64 as 16 hexadecimal digits, because JSON readers elsewhere lose digits of it.
pub(super) mod hash_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(in crate::manifest) fn serialize<S: Serializer>(hash: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{hash:016x}"))
    }

    pub(in crate::manifest) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::number(&text).ok_or_else(|| D::Error::custom("a hash has 16 hexadecimal digits"))
    }
}

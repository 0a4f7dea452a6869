//! `<root>-manifests/<id>`: which generation of a shard's manifest counts. Changed only by compare-and-swap, by the shard's
//! leader, in the transaction that creates the generation's list.

use std::fmt;

use grepzilla_model::{Epoch, Generation, Manifest, SeqNo};
use serde::{Deserialize, Serialize};

use super::{Nonce, Value};

/// The newest generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestHead {
    /// Rises by one with each publish.
    pub generation: Generation,
    /// The epoch of whoever published it.
    pub epoch: Epoch,
    /// The last position that its segments cover.
    pub flushed: SeqNo,
    /// What its list hashes to.
    pub list: ListHash,
    /// The mark of this very publish.
    pub writer: Nonce,
}

/// Hash of a list of segments. Written as 16 hexadecimal digits, because JSON readers elsewhere lose digits of a u64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListHash(pub u64);

impl ManifestHead {
    /// The head that a manifest is published with.
    pub fn of(manifest: &Manifest, writer: Nonce) -> ManifestHead {
        ManifestHead {
            generation: manifest.generation,
            epoch: manifest.epoch,
            flushed: manifest.flushed,
            list: ListHash(manifest.list_hash()),
            writer,
        }
    }

    /// Whether it speaks of this manifest, whoever wrote it.
    pub fn names(&self, manifest: &Manifest) -> bool {
        *self == ManifestHead::of(manifest, self.writer)
    }
}

impl Value for ManifestHead {
    const KIND: &'static str = "manifest head";
}

impl fmt::Display for ListHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<ListHash> for String {
    fn from(hash: ListHash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for ListHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<ListHash, &'static str> {
        let plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let hash = plain.then(|| u64::from_str_radix(&text, 16).ok()).flatten();
        hash.map(ListHash).ok_or("a hash has 16 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::super::ValueError;
    use super::super::value::testing::assert_round_trip;
    use super::*;

    const JSON: &str = concat!(
        r#"{"v":1,"value":{"generation":7,"epoch":3,"flushed":41,"#,
        r#""list":"00000000000000ab","writer":"00000000000000ff"}}"#
    );

    fn sample() -> ManifestHead {
        ManifestHead {
            generation: Generation(7),
            epoch: Epoch(3),
            flushed: SeqNo(41),
            list: ListHash(0xab),
            writer: serde_json::from_str(r#""00000000000000ff""#).unwrap(),
        }
    }

    #[test]
    fn round_trip_and_damage() {
        assert_round_trip(&sample(), JSON);
    }

    #[test]
    fn a_hash_has_one_text() {
        for other in ["ab", "00000000000000AB", "+0000000000000ab"] {
            let damaged = JSON.replace("00000000000000ab", other);
            let error = ManifestHead::decode("/m", damaged.as_bytes()).unwrap_err();
            assert!(matches!(error, ValueError::Damaged { .. }), "{other} was taken");
        }
    }
}

//! Identifiers and positions, each a type of its own.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A shard of one cluster. Never reused.
    ShardId(u32)
}
number! {
    /// A node's place in the ring: the ordinal of its pod.
    NodeIndex(u32)
}
number! {
    /// A leader's term in one shard. 0 means that there never was a leader.
    Epoch(u64)
}
number! {
    /// A record's position in its shard's log: from 1, without gaps. 0 means before the first.
    SeqNo(u64)
}
number! {
    /// A version of a shard's manifest: each publish raises it by one. 0 means that nothing was published yet.
    Generation(u64)
}
number! {
    /// Where a record belongs in the space that the ring divides among the shards.
    Bucket(u16)
}

impl Epoch {
    /// The epoch after this one.
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl Generation {
    /// The generation after this one.
    pub fn next(self) -> Generation {
        Generation(self.0 + 1)
    }
}

impl SeqNo {
    /// The position `count` records further on.
    pub fn plus(self, count: u64) -> SeqNo {
        SeqNo(self.0 + count)
    }
}

/// One life of a replica's folder: drawn at random when the folder is made, so a wiped disk is another replica.
/// Written as 16 hexadecimal digits, because JSON readers elsewhere lose digits of a u64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation({self})")
    }
}

impl From<Incarnation> for String {
    fn from(value: Incarnation) -> String {
        value.to_string()
    }
}

impl TryFrom<String> for Incarnation {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Incarnation, InvalidId> {
        let well_formed = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        well_formed.then(|| u64::from_str_radix(&text, 16).ok()).flatten().map(Incarnation).ok_or(InvalidId {
            what: "incarnation",
            expected: "16 hexadecimal digits",
            found: text,
        })
    }
}

/// A cluster's identity. A node whose disk carries another one refuses to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterUuid(pub Uuid);

impl fmt::Display for ClusterUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A node's name: its pod's name under Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeName(pub Arc<str>);

impl From<&str> for NodeName {
    fn from(name: &str) -> NodeName {
        NodeName(name.into())
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an index: 1 to 64 characters of `a-z A-Z 0-9 . _ -`, the first one a letter, a digit or `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IndexName(Arc<str>);

impl IndexName {
    /// The longest name, in bytes (which are characters here).
    pub const LENGTH_MAX: usize = 64;

    /// Checks a name.
    pub fn new(name: &str) -> Result<IndexName, InvalidId> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let first_is_plain = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if first_is_plain && name.len() <= Self::LENGTH_MAX && name.bytes().all(plain) {
            return Ok(IndexName(name.into()));
        }
        Err(InvalidId {
            what: "index",
            expected: "1 to 64 characters of a-z A-Z 0-9 . _ -, not beginning with . or -",
            found: name.chars().take(80).collect(),
        })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for IndexName {
    /// `main`, the index of documents that name none.
    fn default() -> IndexName {
        IndexName("main".into())
    }
}

impl fmt::Display for IndexName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<IndexName> for String {
    fn from(value: IndexName) -> String {
        value.as_str().to_owned()
    }
}

impl TryFrom<String> for IndexName {
    type Error = InvalidId;

    fn try_from(name: String) -> Result<IndexName, InvalidId> {
        IndexName::new(&name)
    }
}

/// Text that is not the identifier it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {expected}, but is {found:?}")]
pub struct InvalidId {
    /// Which identifier.
    pub what: &'static str,
    /// What it must look like.
    pub expected: &'static str,
    /// What was there.
    pub found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnation_survives_its_text_and_refuses_anything_else() {
        let incarnation = Incarnation(0x00ab_cdef_0123_4567);
        assert_eq!(Incarnation::try_from(incarnation.to_string()), Ok(incarnation));
        for bad in ["", "12", "+0abcdef01234567", "zzzzzzzzzzzzzzzz", "00000000000000000"] {
            assert!(Incarnation::try_from(bad.to_owned()).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn index_name_is_limited_in_length_and_characters() {
        for good in ["main", "a", "_x", "9.log-2026", &"x".repeat(64)] {
            assert!(IndexName::new(good).is_ok(), "{good:?} was refused");
        }
        for bad in ["", ".", "-a", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(IndexName::new(bad).is_err(), "{bad:?} was taken");
        }
    }
}

//! The form of every value: `{"v": 1, "value": ...}`.

use grepzilla_model::Incarnation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The newest form that this program writes and reads.
pub const VALUE_VERSION: u64 = 1;

/// Something that stands under a key.
pub trait Value: Serialize + DeserializeOwned {
    /// What it is, for errors.
    const KIND: &'static str;

    /// Whether it keeps what its readers rely on.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// The bytes that stand in the store.
    fn encode(&self) -> Vec<u8> {
        let envelope = Envelope { v: VALUE_VERSION, value: self };
        serde_json::to_vec(&envelope).expect("values have only text as keys of their maps")
    }

    /// Reads what stands in the store under `key`.
    fn decode(key: &str, bytes: &[u8]) -> Result<Self, ValueError> {
        let damaged = |reason: String| ValueError::Damaged { key: key.to_owned(), kind: Self::KIND, reason };
        // The version is read by itself first: the rest of a newer form is nothing that this program understands.
        let version: Version = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if version.v > VALUE_VERSION {
            return Err(ValueError::Newer { key: key.to_owned(), found: version.v, known: VALUE_VERSION });
        }
        if version.v == 0 {
            return Err(damaged("version 0 never existed".to_owned()));
        }
        let envelope: Envelope<Self> = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        envelope.value.check().map_err(damaged)?;
        Ok(envelope.value)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<V> {
    v: u64,
    value: V,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A newer program wrote it.
    #[error("{key} has version {found}, but this program knows versions up to {known}: upgrade it")]
    Newer {
        /// The key.
        key: String,
        /// Its version.
        found: u64,
        /// The newest version that can be read.
        known: u64,
    },
    /// It is not what it should be.
    #[error("{key} is not a {kind}: {reason}")]
    Damaged {
        /// The key.
        key: String,
        /// What it should be.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// A writer's own mark: drawn at random, so that after a transaction with unknown outcome it can tell its own value
/// from everybody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(
    // The same 16 hexadecimal digits on the wire, for the same reason.
    Incarnation,
);

impl Nonce {
    /// A new mark.
    pub fn random() -> Nonce {
        Nonce(Incarnation(rand::random()))
    }
}

/// What each kind's tests have in common.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A value is read as it was written, and only so.
    pub(in super::super) fn assert_round_trip<V: Value + PartialEq + std::fmt::Debug>(value: &V, json: &str) {
        let bytes = value.encode();
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), json, "the stored form is a contract");
        assert_eq!(V::decode("/k", &bytes).unwrap(), *value);

        let newer = json.replacen("\"v\":1", "\"v\":2", 1);
        let error = V::decode("/k", newer.as_bytes()).unwrap_err();
        assert_eq!(error, ValueError::Newer { key: "/k".to_owned(), found: 2, known: 1 });

        let unknown_field = json.replacen("\"value\":{", "\"value\":{\"surprise\":1,", 1);
        let zero = json.replacen("\"v\":1", "\"v\":0", 1);
        let more = format!("{json}x");
        for damaged in [&unknown_field, &zero, &more, "", "{}", "null", "{\"v\":1}", "{\"v\":1,\"value\":{}}"] {
            let error = V::decode("/k", damaged.as_bytes()).unwrap_err();
            assert!(matches!(error, ValueError::Damaged { .. }), "{damaged}: {error}");
        }
        for length in 0..bytes.len() {
            assert!(V::decode("/k", &bytes[..length]).is_err(), "a value cut at {length} was taken");
        }
    }
}

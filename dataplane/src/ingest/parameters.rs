//! What a request to `/ingest` asks for beside its documents: query parameters and the Idempotency-Key.

use axum::extract::Query;
use grepzilla_api::config::IngestConfig;
use grepzilla_api::ingest::{IDEMPOTENCY_KEY, IngestParameters};
use grepzilla_model::IndexName;
use http::{HeaderMap, Uri};

use crate::server::answer::Failure;

/// Bytes of an Idempotency-Key.
pub(super) const KEY_BYTES_MAX: usize = 512;
/// Milliseconds that a request may wait for its acknowledgement.
const TIMEOUT_MS_MAX: u64 = 600_000;

/// Checked parameters. `ack` is checked and then of no account: with one replica its levels are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) index: IndexName,
    pub(super) atomic: bool,
    pub(super) timeout_ms: u64,
    pub(super) key: Option<String>,
}

impl Parameters {
    /// Reads and checks them.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap, config: &IngestConfig) -> Result<Parameters, Failure> {
        let Query(sent) = Query::<IngestParameters>::try_from_uri(uri).map_err(|rejection| {
            let reason = std::error::Error::source(&rejection).map_or(rejection.to_string(), ToString::to_string);
            Failure::bad_request("bad_parameter", format!("query parameters: {reason}"))
        })?;
        let index = sent.index.as_deref().map_or(Ok(IndexName::default()), IndexName::new);
        let index = index.map_err(|error| Failure::bad_request("bad_index", error.to_string()))?;
        let timeout_ms = check_timeout(sent.timeout_ms.unwrap_or(config.timeout_ms))?;
        Ok(Parameters { index, atomic: sent.atomic.unwrap_or(false), timeout_ms, key: key_of(headers)? })
    }
}

/// Checks how long a request wants to wait, in milliseconds.
pub(crate) fn check_timeout(timeout_ms: u64) -> Result<u64, Failure> {
    if (1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
        return Ok(timeout_ms);
    }
    let message = format!("timeout_ms is {timeout_ms}, but must be from 1 to {TIMEOUT_MS_MAX}");
    Err(Failure::bad_request("bad_parameter", message))
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (first, second) = (values.next(), values.next());
    let Some(value) = first else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).ok().filter(|_| second.is_none());
    let text =
        text.ok_or_else(|| Failure::bad_request("bad_key", "one Idempotency-Key is allowed, and it must be UTF-8"))?;
    check_key(text).map(Some)
}

/// Checks a key from wherever it came.
pub(super) fn check_key(key: &str) -> Result<String, Failure> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(key.to_owned());
    }
    let message = format!("an Idempotency-Key has 1 to {KEY_BYTES_MAX} bytes, not {}", key.len());
    Err(Failure::bad_request("bad_key", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Parameters, Failure> {
        let uri = format!("http://node/ingest?{query}").parse().expect("a URI");
        Parameters::read(&uri, &HeaderMap::new(), &IngestConfig::default())
    }

    #[test]
    fn absent_parameters_have_the_defaults_of_the_cluster() {
        let read = read("").expect("nothing is required");
        assert_eq!(read, Parameters { index: IndexName::default(), atomic: false, timeout_ms: 10_000, key: None });
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        for (query, named) in [
            ("indx=a", "indx"),
            ("index=-a", "index"),
            ("ack=some", "some"),
            ("timeout_ms=0", "timeout_ms"),
            ("timeout_ms=600001", "timeout_ms"),
            ("atomic=maybe", "atomic"),
        ] {
            let failure = read(query).expect_err("refused");
            assert!(failure.message.contains(named), "{query}: {}", failure.message);
        }
        for query in ["ack=leader", "ack=quorum", "ack=all", "atomic=true", "index=web-1&timeout_ms=5"] {
            assert!(read(query).is_ok(), "{query}");
        }
    }

    #[test]
    fn a_key_has_bounds() {
        assert!(check_key("").is_err());
        assert!(check_key(&"k".repeat(512)).is_ok());
        assert!(check_key(&"k".repeat(513)).is_err());
    }
}

//! The border of the node, as the fuzz target of requests reaches it: everything that reads what a stranger sends, without a
//! node behind it.
//!
//! Promise that is checked: a request is taken or refused with a 4xx that says why, whatever it is; it never is a panic or
//! a fault of ours.

use axum::extract::{Path, Query};
use grepzilla_api::config::IngestConfig;
use grepzilla_api::manifest::ManifestParameters;
use grepzilla_api::tail::decode_positions;
use grepzilla_storage::wal::{decode_payload, encode_payload};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::document::address::Address;
use crate::server::answer::Failure;
use crate::{ingest, search};

/// A request as it is written down: a line with the target, a line for each header, an empty line, the body.
pub(crate) struct Written<'a> {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Takes a request, written down as above. What no server would hand to a route is let go.
pub fn request(data: &[u8]) {
    let Some(written) = Written::of(data) else { return };
    match written.uri.path() {
        "/ingest" => ingest::fuzzing::ingest(&written),
        "/search" => search::fuzzing::search(written.body),
        "/tail" => search::fuzzing::tail(&written.uri),
        "/cursor" => search::fuzzing::cursor(written.body),
        "/peer/search" => search::fuzzing::leaf(written.body),
        "/peer/append" => append(written.body),
        "/manifest" => drop(Query::<ManifestParameters>::try_from_uri(&written.uri)),
        "/events" => drop(std::str::from_utf8(written.body).ok().and_then(decode_positions)),
        path => document(path, &written.uri),
    }
}

/// Checks that a refusal blames the request.
pub(crate) fn expect_refusal(failure: &Failure) {
    assert!(failure.status.is_client_error(), "{} {}: {}", failure.status, failure.code, failure.message);
    assert!(!failure.message.is_empty() && !failure.code.is_empty());
}

fn append(body: &[u8]) {
    if let Ok(batch) = decode_payload(body) {
        assert_eq!(encode_payload(&batch), body, "a batch has one encoding");
    }
}

fn document(id: &str, uri: &Uri) {
    match Address::read(Ok(Path(id.to_owned())), uri, &IngestConfig::default()) {
        Ok((address, _)) => {
            let place = address.place();
            assert!(place.is_none_or(|place| place.text() == id), "{id} is no place");
        }
        Err(failure) => expect_refusal(&failure),
    }
}

impl<'a> Written<'a> {
    fn of(data: &'a [u8]) -> Option<Written<'a>> {
        let (target, mut rest) = line(data);
        let uri = Uri::try_from(target).ok()?;
        let mut headers = HeaderMap::new();
        loop {
            let (header, behind) = line(rest);
            rest = behind;
            let Some(colon) = header.iter().position(|byte| *byte == b':') else { break };
            let name = HeaderName::from_bytes(&header[..colon]).ok()?;
            headers.try_append(name, HeaderValue::from_bytes(header[colon + 1..].trim_ascii()).ok()?).ok()?;
        }
        Some(Written { uri, headers, body: rest })
    }
}

/// The bytes up to the end of the line, and those behind it.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

//! From a body to checked documents: hash, UTF-8, the three forms, and the rules of their index.
//!
//! Large bodies are read on threads that may be busy, as many at once as there are processors.

use grepzilla_api::ingest::{DocumentError, IngestResponse};
use grepzilla_model::document::body::{self, BodyError};
use grepzilla_model::document::{Amended, Document, DocumentRules, Refusal};
use grepzilla_model::{BodyHash, IndexName, KeyHash, SharedText};
use http::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use tracing::Span;

use crate::ingest::parameters::{Parameters, check_key};
use crate::server::answer::Failure;
use crate::server::app::App;
use crate::server::body::{BodyShare, DecodedBody};

/// Up to here a body is read at once where its request is handled: it takes less than handing it over and back.
const SMALL_BODY_BYTES: usize = 64 << 10;
/// Documents of one request. It bounds what the pieces of a body weigh beside their bytes.
const DOCUMENTS_MAX: usize = 200_000;

/// A body, read.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The valid documents, each with its place in the request.
    pub(super) documents: Vec<(usize, Document)>,
    /// The others.
    pub(super) refused: Refused,
    /// Of the whole body, decompressed and as text; nothing without a key.
    pub(super) body_hash: BodyHash,
    /// The Idempotency-Key, from the header or the body.
    pub(super) key: Option<String>,
    /// Bytes, decompressed.
    pub(super) body_bytes: usize,
    /// Sequences that became U+FFFD.
    pub(super) replaced: usize,
    /// Values that were changed as the index's rules say.
    pub(super) amended: Amended,
}

/// Documents that did not enter, and why: the first ones in full, the rest by number.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Refused {
    pub(super) errors: Vec<DocumentError>,
    /// Documents without an entry in `errors`.
    pub(super) omitted: u64,
    /// All of them.
    pub(super) documents: u64,
}

impl Refused {
    /// Adds one document with all that is wrong with it.
    pub(super) fn push(&mut self, errors: impl IntoIterator<Item = DocumentError>) {
        self.documents += 1;
        let room = IngestResponse::ERRORS_MAX - self.errors.len();
        self.omitted += u64::from(room == 0);
        self.errors.extend(errors.into_iter().take(room));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.documents == 0
    }
}

/// Reads a body. Its documents hold its share of the room for bodies as long as the caller keeps it.
pub(super) async fn prepare(
    app: &App,
    mut body: DecodedBody,
    parameters: &Parameters,
) -> Result<(Prepared, BodyShare), Failure> {
    let rules = app.indexes.of(&parameters.index).rules.clone();
    let key = parameters.key.clone();
    if body.bytes.len() <= SMALL_BODY_BYTES {
        let bytes = std::mem::take(&mut body.bytes);
        return Ok((read(bytes, key, &rules)?, body.into_share()));
    }
    let permit = app.parsers.clone().acquire_owned().await.expect("nobody closes the semaphore");
    let span = Span::current();
    let work = move || {
        let _permit = permit;
        let bytes = std::mem::take(&mut body.bytes);
        let prepared = span.in_scope(|| read(bytes, key, &rules))?;
        Ok((prepared, body.into_share()))
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading a body panicked");
        Err(Failure::internal("the node hit a bug while it read this body; its log has this trace id"))
    })
}

pub(super) fn read(bytes: Vec<u8>, key: Option<String>, rules: &DocumentRules) -> Result<Prepared, Failure> {
    let body_bytes = bytes.len();
    let (text, invalid) = to_text(bytes);
    let taken = body::records(&text).map_err(|error| of_body(&error))?;
    if taken.records.len() > DOCUMENTS_MAX {
        let message =
            format!("the body has {} documents, at most {DOCUMENTS_MAX} are taken at once", taken.records.len());
        let failure = Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_documents", message);
        return Err(failure.details(json!({ "limit_documents": DOCUMENTS_MAX })));
    }
    let key = one_key(key, taken.ingest_id)?;
    let (mut documents, mut refused, mut replaced) =
        (Vec::with_capacity(taken.records.len()), Refused::default(), invalid);
    let mut amended = Amended::default();
    for (position, range) in taken.records.into_iter().enumerate() {
        let record = text.part(range);
        match rules.check(&record) {
            Ok((document, changed)) => {
                amended.add(changed);
                replaced += document.lone_surrogates();
                documents.push((position, document));
            }
            Err(error) if taken.form.is_one_json_text() && error.code() == "syntax" => {
                return Err(unprocessable("malformed_body", format!("document {position}: {error}")));
            }
            Err(_) => refused.push(entries(position, rules.refusal(&record))),
        }
    }
    // Only a key makes anybody ask whether it is the same body.
    let body_hash =
        key.as_ref().map_or(BodyHash::default(), |_| BodyHash(first_half(&Sha256::digest(text.as_bytes()))));
    Ok(Prepared { documents, refused, body_hash, key, body_bytes, replaced, amended })
}

/// What the sender of a refused document is told.
fn entries(index: usize, refusal: Refusal) -> impl Iterator<Item = DocumentError> {
    let Refusal { id, faults } = refusal;
    faults.into_iter().map(move |fault| DocumentError {
        index,
        id: id.as_deref().map(str::to_owned),
        field: fault.field().map(str::to_owned),
        code: fault.code().to_owned(),
        message: fault.to_string(),
    })
}

/// The body as text, and how many sequences of it were not.
fn to_text(mut bytes: Vec<u8>) -> (SharedText, usize) {
    // Documents keep the body in memory until they are in a block.
    if bytes.capacity() - bytes.len() > bytes.len() / 4 {
        bytes.shrink_to_fit();
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text.into(), 0),
        Err(error) => {
            let bytes = error.as_bytes();
            let invalid = bytes.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
            (String::from_utf8_lossy(bytes).into_owned().into(), invalid)
        }
    }
}

fn one_key(header: Option<String>, ingest_id: Option<String>) -> Result<Option<String>, Failure> {
    let ingest_id = ingest_id.map(|id| check_key(&id)).transpose()?;
    match (header, ingest_id) {
        (Some(header), Some(ingest_id)) if header != ingest_id => {
            Err(Failure::bad_request("bad_key", "the Idempotency-Key and the body's `ingest_id` differ"))
        }
        (header, ingest_id) => Ok(header.or(ingest_id)),
    }
}

fn of_body(error: &BodyError) -> Failure {
    let message = error.to_string();
    match error {
        BodyError::Empty => Failure::bad_request("empty_body", message),
        BodyError::UnknownKey { .. } => Failure::bad_request("unknown_field", message),
        BodyError::Syntax { .. } | BodyError::DuplicateKey { .. } | BodyError::WrongType { .. } => {
            unprocessable("malformed_body", message)
        }
    }
}

fn unprocessable(code: &'static str, message: String) -> Failure {
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}

/// The hash under which the log remembers a key. Each index has keys of its own: the same body sent to two of them is not
/// a repeat.
pub(super) fn hash_of_key(index: &IndexName, key: Option<&str>) -> KeyHash {
    let Some(key) = key else { return KeyHash::default() };
    let hasher = Sha256::new().chain_update(index.as_str()).chain_update([0]).chain_update(key);
    KeyHash(first_half(&hasher.finalize()))
}

fn first_half(digest: &[u8]) -> [u8; 16] {
    digest.first_chunk().copied().expect("a SHA-256 digest has 32 bytes")
}

#[cfg(test)]
mod tests {
    use grepzilla_model::document::{DocumentLimits, OnExceeded};

    use super::*;

    fn rules() -> DocumentRules {
        DocumentRules::new(DocumentLimits::default(), OnExceeded::Reject)
    }

    fn prepared(body: &str) -> Result<Prepared, Failure> {
        read(body.as_bytes().to_vec(), None, &rules())
    }

    fn status(body: &str) -> u16 {
        prepared(body).expect_err("refused as a whole").status.as_u16()
    }

    #[test]
    fn the_three_forms_of_a_body_hold_the_same_documents() {
        for body in ["[{\"a\":1},{\"a\":2}]", "{\"records\":[{\"a\":1},{\"a\":2}]}", "{\"a\":1}\n{\"a\":2}\n"] {
            let prepared = prepared(body).expect("read");
            let sources: Vec<_> = prepared.documents.iter().map(|(at, document)| (*at, document.source())).collect();
            assert_eq!(sources, [(0, "{\"a\":1}"), (1, "{\"a\":2}")], "{body}");
        }
    }

    #[test]
    fn a_document_that_is_wrong_leaves_its_neighbours_alone() {
        let body = "{\"a\":1}\n{\"a\":\n{\"a\":1,\"a\":2}\n[1]\n{\"_id\":\"\"}\n{\"b\":2}";
        let prepared = prepared(body).expect("read");
        assert_eq!(prepared.documents.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 5]);
        let codes: Vec<_> = prepared.refused.errors.iter().map(|error| (error.index, error.code.as_str())).collect();
        assert_eq!(codes, [(1, "syntax"), (2, "duplicate_key"), (3, "not_an_object"), (4, "invalid_id")]);
        assert_eq!(prepared.refused.errors[1].field.as_deref(), Some("a"));
    }

    #[test]
    fn a_body_that_is_no_body_is_refused_as_a_whole() {
        assert_eq!(status(""), 400);
        assert_eq!(status(" \n "), 400);
        assert_eq!(status("[{\"a\":1},"), 422);
        assert_eq!(status("[{\"a\":1},{\"a\":}]"), 422);
        assert_eq!(status("{\"records\":{}}"), 422);
        let failure = prepared("{\"records\":[],\"recrods\":[]}").expect_err("refused");
        assert_eq!(failure.status.as_u16(), 400);
        assert!(failure.message.contains("recrods"), "{}", failure.message);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced_and_counted() {
        let prepared = read(b"{\"a\":\"x\xffy\xc3\"}\n{\"b\":\"\\ud800\"}".to_vec(), None, &rules()).expect("read");
        assert_eq!(prepared.documents[0].1.source(), "{\"a\":\"x\u{fffd}y\u{fffd}\"}");
        assert_eq!(prepared.replaced, 3);
    }

    #[test]
    fn more_documents_than_the_limit_are_a_413() {
        assert_eq!(status(&"{}\n".repeat(DOCUMENTS_MAX + 1)), 413);
        assert_eq!(prepared(&"{}\n".repeat(1_001)).expect("read").documents.len(), 1_001);
    }

    #[test]
    fn errors_beyond_the_bound_are_counted() {
        let prepared = prepared(&"1\n".repeat(IngestResponse::ERRORS_MAX + 5)).expect("read");
        assert_eq!((prepared.refused.errors.len(), prepared.refused.omitted), (IngestResponse::ERRORS_MAX, 5));
        assert_eq!(prepared.refused.documents, IngestResponse::ERRORS_MAX as u64 + 5);
    }

    #[test]
    fn every_error_of_a_document_is_told_with_its_id_and_the_document_counts_once() {
        let body = r#"{"a":1}
{"_id":"x-1","a":1,"a":2,"b":{"c":1,"c":2}}
{"b":2}"#;
        let Prepared { refused, documents, .. } = prepared(body).expect("read");
        let told: Vec<_> = refused
            .errors
            .iter()
            .map(|error| (error.index, error.id.as_deref(), &*error.code, error.field.as_deref()))
            .collect();
        let twice = |field| (1, Some("x-1"), "duplicate_key", Some(field));
        assert_eq!(told, [twice("a"), twice("b.c")]);
        assert_eq!((refused.documents, refused.omitted, documents.len()), (1, 0, 2));
    }

    #[test]
    fn the_key_of_the_body_counts_like_that_of_the_header() {
        let body = "{\"ingest_id\":\"k\",\"records\":[{}]}";
        assert_eq!(prepared(body).expect("read").key.as_deref(), Some("k"));
        let rules = rules();
        assert!(read(body.into(), Some("k".to_owned()), &rules).is_ok());
        assert!(read(body.into(), Some("l".to_owned()), &rules).is_err());
        let (one, other) = (IndexName::default(), IndexName::new("other").expect("valid"));
        assert_ne!(hash_of_key(&one, Some("k")), hash_of_key(&one, Some("l")));
        assert_ne!(hash_of_key(&one, Some("k")), hash_of_key(&other, Some("k")));
        assert_eq!(hash_of_key(&one, None), KeyHash([0; 16]));
    }
}

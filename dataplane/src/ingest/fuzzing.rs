//! Bodies and parameters of `/ingest`, as they are fuzzed.
//!
//! A header `x-packed` packs the body before it is read, so that what is packed can be reached at all; `x-rules` chooses
//! the rules of the index.

use std::sync::LazyLock;

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use axum::body::Body;
use grepzilla_api::config::IngestConfig;
use grepzilla_model::document::{Document, DocumentLimits, DocumentRules, FieldType, OnExceeded, body};
use grepzilla_model::{Bucket, Epoch, IndexName, SeqNo, TimeNs};
use grepzilla_storage::block::{BlockBuilder, Stamp, UnitLayout};
use http::HeaderMap;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};

use super::documents;
use super::parameters::Parameters;
use crate::fuzzing::{Written, expect_refusal};
use crate::server::body::{BodyBudget, read, require_json};

/// What an input may unpack to.
const BODY_BYTES_MAX: usize = 256 << 10;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread().enable_time().build().expect("this machine runs threads and timers")
});

/// Reads a request, and looks at the documents that it brings.
pub(crate) fn ingest(written: &Written<'_>) {
    let Written { uri, headers, body } = written;
    if let Err(failure) = require_json(headers, true) {
        expect_refusal(&failure);
    }
    let key = match Parameters::read(uri, headers, &IngestConfig::default()) {
        Ok(parameters) => parameters.key,
        Err(failure) => return expect_refusal(&failure),
    };
    let bytes = match RUNTIME.block_on(unpacked(headers, body)) {
        Some(bytes) => bytes,
        None => return,
    };
    let rules = rules(headers);
    check_syntax(&bytes, &rules);
    match documents::read(bytes, key, &rules) {
        Ok(prepared) => prepared.documents.iter().for_each(|(_, document)| check_document(document, &rules)),
        Err(failure) => expect_refusal(&failure),
    }
}

async fn unpacked(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    let packed = match headers.get("x-packed").map(|value| value.as_bytes()) {
        Some(b"gzip") => {
            let mut encoder = GzipEncoder::new(Vec::new());
            encoder.write_all(body).await.expect("memory takes it");
            encoder.shutdown().await.expect("memory takes it");
            encoder.into_inner()
        }
        Some(b"zstd") => {
            let mut encoder = ZstdEncoder::new(Vec::new());
            encoder.write_all(body).await.expect("memory takes it");
            encoder.shutdown().await.expect("memory takes it");
            encoder.into_inner()
        }
        _ => body.to_vec(),
    };
    match read(headers, Body::from(packed), BODY_BYTES_MAX, &BodyBudget::new(4 * BODY_BYTES_MAX)).await {
        Ok(decoded) => {
            assert!(decoded.bytes.len() <= BODY_BYTES_MAX, "{} bytes were taken", decoded.bytes.len());
            Some(decoded.bytes)
        }
        Err(failure) => {
            expect_refusal(&failure);
            None
        }
    }
}

fn rules(headers: &HeaderMap) -> DocumentRules {
    const CHECKED: &str = "fixed rules hold";
    let small = DocumentLimits {
        value_bytes_max: 16,
        depth_max: 4,
        leaves_max: 8,
        path_bytes_max: 24,
        document_bytes_max: 200,
    };
    let mut rules = match headers.get("x-rules").map(|value| value.as_bytes()) {
        Some(b"drop" | b"drop fields") => DocumentRules::new(small, OnExceeded::Drop),
        Some(b"trim" | b"trim fields") => DocumentRules::new(small, OnExceeded::Trim),
        Some(b"reject") => DocumentRules::new(small, OnExceeded::Reject),
        _ => DocumentRules::new(DocumentLimits::default(), OnExceeded::Reject),
    };
    if headers.get("x-rules").is_some_and(|value| value.as_bytes().ends_with(b"fields")) {
        rules.require("a").expect(CHECKED);
        rules.expect_type("b.c", FieldType::Number).expect(CHECKED);
        rules.limit_field("d", 5).expect(CHECKED);
        rules.add_default("e.f", "\"x\"").expect(CHECKED);
    }
    rules
}

/// What another reader knows as JSON is not called malformed.
fn check_syntax(bytes: &[u8], rules: &DocumentRules) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(taken) = body::records(&text) else { return };
    for record in taken.records.into_iter().map(|range| &text[range]) {
        if let Err(error) = rules.read(record.as_bytes())
            && error.code() == "syntax"
        {
            let is_json = serde_json::from_str::<IgnoredAny>(record).is_ok();
            assert!(!is_json, "{record:?} is called malformed: {error}");
        }
    }
}

/// A document that was taken is JSON, keeps every rule as it is stored, and comes out of a block as it went in.
fn check_document(document: &Document, rules: &DocumentRules) {
    let source = document.source();
    assert!(serde_json::from_str::<IgnoredAny>(source).is_ok(), "{source:?} is no JSON");
    let (again, amended) = rules.read(source.as_bytes()).unwrap_or_else(|error| panic!("{source:?}: {error}"));
    assert!(amended.is_nothing() && again.source() == source, "{source:?} is changed again: {:?}", again.source());
    let stored = through_a_block(source);
    assert_eq!(through_a_block(&stored), stored, "{source:?} is not settled");
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    assert_eq!(value(&stored), value(source), "{source:?} comes out as {stored:?}");
}

fn through_a_block(source: &str) -> String {
    let mut builder = BlockBuilder::new(UnitLayout::One);
    let stamp = Stamp { time: TimeNs(0), seq: SeqNo(1), epoch: Epoch(1) };
    builder.add(source, stamp, Bucket(0), TimeNs(0));
    let block = builder.finish(&IndexName::default());
    block.sources().expect("in memory").source(0)
}

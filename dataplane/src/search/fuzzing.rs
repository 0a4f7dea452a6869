//! Bodies and parameters of searches, and cursors, as they are fuzzed.

use std::time::Duration;

use grepzilla_api::config::SearchConfig;
use grepzilla_api::peer::{LeafQuery, LeafSearchRequest};
use grepzilla_api::search::Cursor;
use http::Uri;

use super::convert;
use super::cursor::PageEnd;
use super::request::Search;
use super::tail::request;
use crate::fuzzing::expect_refusal;

/// Longer than any cursor is old.
const TTL: Duration = Duration::from_secs(u64::MAX);

/// A body of `/search`.
pub(crate) fn search(body: &[u8]) {
    match Search::read(body, &SearchConfig::default()) {
        Ok(search) => {
            compile(&search.query);
            let sent = serde_json::to_vec(&search.query).expect("plain values become JSON");
            assert_eq!(serde_json::from_slice::<LeafQuery>(&sent).ok(), Some(search.query), "peers read what is sent");
        }
        Err(failure) => expect_refusal(&failure),
    }
}

/// The parameters of `/tail`, which become a search.
pub(crate) fn tail(uri: &Uri) {
    match request(uri) {
        Ok(sent) => search(&serde_json::to_vec(&sent).expect("plain values become JSON")),
        Err(failure) => expect_refusal(&failure),
    }
}

/// What another node asks.
pub(crate) fn leaf(body: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<LeafSearchRequest>(body) {
        compile(&request.query);
    }
}

/// The bytes of a cursor without their checksum; and the same bytes as the text of one.
pub(crate) fn cursor(body: &[u8]) {
    let query = body.get(1..17).and_then(|hash| hash.try_into().ok()).unwrap_or_default();
    let sealed = [body, &crc32fast::hash(body).to_le_bytes()].concat();
    let text: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Ok(page) = PageEnd::decode(&Cursor(text.clone()), &query, 0, TTL) {
        assert_eq!(PageEnd::decode(&page.encode(), &query, 0, TTL).as_ref(), Ok(&page));
        assert_eq!(page.encode().0.len(), text.len());
    }
    drop(PageEnd::decode(&Cursor(String::from_utf8_lossy(body).into_owned()), &query, 0, TTL));
}

fn compile(query: &LeafQuery) {
    match convert::query(query) {
        Ok(query) => {
            if let Err(error) = grepzilla_query::compile(query) {
                expect_refusal(&convert::refusal(&error));
            }
        }
        Err(failure) => expect_refusal(&failure),
    }
}

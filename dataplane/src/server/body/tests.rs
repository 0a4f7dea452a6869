use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use http::HeaderValue;
use tokio::io::AsyncWriteExt;

use super::*;

const LIMIT: usize = 200_000;

fn headers(encoding: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(encoding))])
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.expect("writes to memory");
    encoder.shutdown().await.expect("writes to memory");
    encoder.into_inner()
}

async fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(bytes).await.expect("writes to memory");
    encoder.shutdown().await.expect("writes to memory");
    encoder.into_inner()
}

async fn read_with_budget(encoding: &'static str, bytes: Vec<u8>, budget: usize) -> Result<Vec<u8>, Failure> {
    let budget = BodyBudget::new(budget);
    let used = budget.used_bytes();
    let body = read(&headers(encoding), Body::from(bytes), LIMIT, &budget).await.map(|body| body.bytes);
    assert_eq!(budget.used_bytes(), used, "the budget is given back");
    body
}

async fn read_all(encoding: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    read_with_budget(encoding, bytes, 8 << 20).await
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| b"grepzilla "[at % 10]).collect()
}

#[tokio::test]
async fn every_encoding_and_every_member_of_a_stream_is_read() {
    for length in [0, 1, 65_535, 65_536, LIMIT] {
        let plain = text(length);
        assert_eq!(read_all("identity", plain.clone()).await.expect("identity"), plain);
        assert_eq!(read_all("gzip", gzip(&plain).await).await.expect("gzip"), plain);
        assert_eq!(read_all("zstd", zstd(&plain).await).await.expect("zstd"), plain);
    }
    let (one, two) = (text(70_000), text(50_000));
    let both = [one.clone(), two.clone()].concat();
    assert_eq!(read_all("gzip", [gzip(&one).await, gzip(&two).await].concat()).await.expect("gzip"), both);
    assert_eq!(read_all("zstd", [zstd(&one).await, zstd(&two).await].concat()).await.expect("zstd"), both);
}

#[tokio::test]
async fn one_byte_over_the_limit_is_refused_in_every_encoding_and_so_is_a_bomb() {
    let over = text(LIMIT + 1);
    let bomb = vec![b' '; 50 << 20];
    for (encoding, bytes) in [
        ("identity", over.clone()),
        ("gzip", gzip(&over).await),
        ("zstd", zstd(&over).await),
        ("gzip", gzip(&bomb).await),
        ("zstd", zstd(&bomb).await),
    ] {
        let failure = read_all(encoding, bytes).await.expect_err("too large");
        assert_eq!(failure.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(failure.details, json!({ "limit_bytes": LIMIT }));
    }
}

#[tokio::test]
async fn a_damaged_or_cut_stream_is_a_400_and_never_a_shorter_body() {
    let plain = text(100_000);
    for (encoding, packed) in [("gzip", gzip(&plain).await), ("zstd", zstd(&plain).await)] {
        for cut in 1..packed.len() {
            let failure = read_all(encoding, packed[..cut].to_vec()).await.expect_err("cut");
            assert_eq!(
                (failure.status, failure.code.as_ref()),
                (StatusCode::BAD_REQUEST, "body_corrupt"),
                "cut at {cut}"
            );
        }
        let garbage = [packed.clone(), b"garbage".to_vec()].concat();
        assert!(read_all(encoding, garbage).await.is_err(), "{encoding} with something behind it");
    }
    assert!(read_all("gzip", plain).await.is_err(), "plain text is not gzip");
}

#[tokio::test]
async fn an_unknown_encoding_is_a_415_that_names_it() {
    for encoding in ["br", "gzip, zstd", "deflate"] {
        let failure = read_all(encoding, text(10)).await.expect_err("unknown");
        assert_eq!(failure.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(failure.message.contains(encoding), "{}", failure.message);
    }
}

#[tokio::test]
async fn bodies_beyond_the_budget_are_told_to_come_again() {
    let failure = read_with_budget("identity", text(150_000), 100_000).await.expect_err("no room");
    assert_eq!((failure.status, failure.retry_after_seconds), (StatusCode::SERVICE_UNAVAILABLE, Some(1)));
    assert!(read_with_budget("identity", text(60_000), 100_000).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let stalled = Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, io::Error>>());
    let failure = read(&HeaderMap::new(), stalled, LIMIT, &BodyBudget::new(1 << 20)).await.expect_err("stalled");
    assert_eq!(failure.status, StatusCode::REQUEST_TIMEOUT);
}

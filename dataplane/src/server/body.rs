//! Takes in a request's body: its type, its encoding, its size after decompression, and the time it may take.
//!
//! Promise: never more than the limit and one read buffer of a body is held, whatever it claims or unpacks to, and all
//! bodies of a node together stay within one budget.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::Body;
use futures::TryStreamExt;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::io::StreamReader;

use crate::server::answer::Failure;

pub(crate) use crate::server::body::media::require_json;

mod media;

/// What a client may pause between two pieces of a body.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// What a whole body may take.
const TOTAL_MAX: Duration = Duration::from_secs(60);
/// How much of a body that is refused is still read, so that its sender gets to see the answer, and for how long.
const DISCARD_BYTES_MAX: u64 = 64 << 20;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);
/// The window a zstd frame may ask for, as a power of two: 16 MiB, more than the largest body that is taken.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;
/// The unit of the budget.
const BUDGET_UNIT: usize = 16 << 10;
/// The step in which a buffer grows.
const READ_BYTES: usize = 64 << 10;
/// What a buffer begins with at most, however much its sender announces.
const FIRST_BYTES_MAX: usize = 1 << 20;

/// Bytes that the bodies of all requests in flight may hold together.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudget {
    free: Arc<Semaphore>,
    units: usize,
}

impl BodyBudget {
    /// A budget of about that many bytes.
    pub(crate) fn new(bytes: usize) -> BodyBudget {
        let units = (bytes / BUDGET_UNIT).clamp(1, Semaphore::MAX_PERMITS);
        BodyBudget { free: Arc::new(Semaphore::new(units)), units }
    }

    /// Whether a body of so many bytes would find room now.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.free.available_permits() >= bytes.div_ceil(BUDGET_UNIT).clamp(1, self.units)
    }

    /// The bytes that are held now.
    pub(crate) fn used_bytes(&self) -> usize {
        (self.units - self.free.available_permits()) * BUDGET_UNIT
    }

    /// The bytes that can be held.
    pub(crate) fn bytes_max(&self) -> usize {
        self.units * BUDGET_UNIT
    }

    /// Takes another part, or none: waiting here would let bodies that are half read block each other.
    fn take(&self, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), BodyError> {
        let units = u32::try_from(bytes.div_ceil(BUDGET_UNIT)).map_err(|_| BodyError::Crowded)?;
        let more = self.free.clone().try_acquire_many_owned(units).map_err(|_| BodyError::Crowded)?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// A body as its sender wrote it. Its part of the budget is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct DecodedBody {
    /// Decompressed.
    pub(crate) bytes: Vec<u8>,
    held: Option<OwnedSemaphorePermit>,
}

impl DecodedBody {
    /// Lets go of the bytes, but not of their part of the budget, for as long as what was made of them lives.
    pub(crate) fn into_share(self) -> BodyShare {
        BodyShare { _held: self.held }
    }
}

/// A part of the budget. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct BodyShare {
    _held: Option<OwnedSemaphorePermit>,
}

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("the body is larger than {limit} bytes after decompression")]
    TooLarge { limit: usize },
    #[error("the body did not arrive in time: at most {} s may pass between two pieces and {} s in all", PAUSE_MAX.as_secs(), TOTAL_MAX.as_secs())]
    Slow,
    #[error("the connection broke before the body was complete")]
    Broken,
    #[error("the body is not valid {encoding}: {reason}")]
    Corrupt { encoding: &'static str, reason: String },
    #[error("content-encoding {found:?} is not supported: send gzip, zstd or identity")]
    Encoding { found: String },
    #[error("too many bytes of requests are being read at once")]
    Crowded,
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// Reads a whole body, decompressed, of at most `limit` bytes.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    budget: &BodyBudget,
) -> Result<DecodedBody, Failure> {
    let mut raw = StreamReader::new(body.into_data_stream().map_err(|error| io::Error::other(BrokenBody(error))));
    let outcome = decode(headers, &mut raw, limit, budget).await;
    // A client that waits for "100 Continue" has sent nothing yet, and reading would ask it to.
    if let (Err(BodyError::TooLarge { .. } | BodyError::Encoding { .. }), false) =
        (&outcome, headers.contains_key(EXPECT))
    {
        discard(&mut raw).await;
    }
    outcome.map_err(|error| error.into_failure())
}

/// How many bytes a body will have at least, as far as its sender says so, and at most `limit`: 0 where it does not say.
pub(crate) fn announced_bytes(headers: &HeaderMap, limit: usize) -> usize {
    announced_length(headers).map_or(0, |length| usize::try_from(length).unwrap_or(limit).min(limit))
}

/// Reads past a body that nobody looks at, within bounds, so that its sender gets to see why.
pub(crate) async fn discard_unread(headers: &HeaderMap, body: Body) {
    if !headers.contains_key(EXPECT) {
        discard(&mut StreamReader::new(body.into_data_stream().map_err(io::Error::other))).await;
    }
}

async fn decode<R>(
    headers: &HeaderMap,
    raw: &mut R,
    limit: usize,
    budget: &BodyBudget,
) -> Result<DecodedBody, BodyError>
where
    R: tokio::io::AsyncBufRead + Unpin,
{
    match encoding(headers)? {
        Encoding::Identity => {
            let announced = announced_length(headers);
            if announced.is_some_and(|length| length > limit as u64) {
                return Err(BodyError::TooLarge { limit });
            }
            // A byte more than was announced, so that the end is seen without growing.
            let first = announced.map_or(READ_BYTES, |length| usize::try_from(length).unwrap_or(limit) + 1);
            fill(raw, "identity", first, limit, budget).await
        }
        Encoding::Gzip => {
            let mut decoder = GzipDecoder::new(raw);
            decoder.multiple_members(true);
            fill(&mut decoder, "gzip", READ_BYTES, limit, budget).await
        }
        Encoding::Zstd => {
            let mut decoder = ZstdDecoder::with_params(raw, &[DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)]);
            decoder.multiple_members(true);
            fill(&mut decoder, "zstd", READ_BYTES, limit, budget).await
        }
    }
}

async fn fill<R>(
    reader: &mut R,
    encoding: &'static str,
    first: usize,
    limit: usize,
    budget: &BodyBudget,
) -> Result<DecodedBody, BodyError>
where
    R: AsyncRead + Unpin,
{
    let end = Instant::now() + TOTAL_MAX;
    let mut body = DecodedBody { bytes: Vec::new(), held: None };
    loop {
        if body.bytes.len() == body.bytes.capacity() {
            // Doubling, so that a large body is copied a few times only.
            let wanted =
                if body.bytes.is_empty() { first.min(FIRST_BYTES_MAX) } else { body.bytes.len().max(READ_BYTES) };
            let more = wanted.min(limit + 1 - body.bytes.len());
            budget.take(&mut body.held, more)?;
            body.bytes.reserve_exact(more);
        }
        let pause_end = end.min(Instant::now() + PAUSE_MAX);
        let read = timeout_at(pause_end, reader.read_buf(&mut body.bytes)).await.map_err(|_| BodyError::Slow)?;
        match read.map_err(|error| BodyError::of_read(error, encoding))? {
            0 => return Ok(body),
            _ if body.bytes.len() > limit => return Err(BodyError::TooLarge { limit }),
            _ => {}
        }
    }
}

/// Reads on without keeping anything, within bounds: an answer sent while the client still writes is often lost in the
/// reset of the connection.
async fn discard<R: AsyncRead + Unpin>(raw: &mut R) {
    let mut rest = raw.take(DISCARD_BYTES_MAX);
    // Whether the rest came is of no interest: the answer stands already.
    let _ = timeout(DISCARD_TIME_MAX, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, BodyError> {
    let values: Vec<_> = headers.get_all(CONTENT_ENCODING).iter().collect();
    let text = match values.as_slice() {
        [] => return Ok(Encoding::Identity),
        [one] => String::from_utf8_lossy(one.as_bytes()).trim().to_ascii_lowercase(),
        _ => return Err(BodyError::Encoding { found: "several".to_owned() }),
    };
    match text.as_str() {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        _ => Err(BodyError::Encoding { found: text.chars().take(80).collect() }),
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Marks an error of the connection among the errors of the decoders.
#[derive(Debug, thiserror::Error)]
#[error("the request's body broke off")]
struct BrokenBody(#[source] axum::Error);

impl BodyError {
    fn of_read(error: io::Error, encoding: &'static str) -> BodyError {
        let broken = error.get_ref().is_some_and(|inner| inner.is::<BrokenBody>());
        if broken { BodyError::Broken } else { BodyError::Corrupt { encoding, reason: error.to_string() } }
    }

    fn into_failure(self) -> Failure {
        let message = self.to_string();
        match self {
            BodyError::TooLarge { limit } => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
                .details(json!({ "limit_bytes": limit })),
            BodyError::Slow => Failure::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message),
            BodyError::Broken => Failure::bad_request("body_incomplete", message),
            BodyError::Corrupt { encoding, .. } => {
                Failure::bad_request("body_corrupt", message).details(json!({ "encoding": encoding }))
            }
            BodyError::Encoding { .. } => {
                Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", message)
            }
            BodyError::Crowded => Failure::unavailable("overloaded", message),
        }
    }
}

#[cfg(test)]
mod tests;

//! A client of the HTTP API: typed requests, typed answers, typed errors.
//!
//! It promises that a batch it reports as acknowledged was acknowledged, and that it never makes a batch be there twice: a
//! batch with an `Idempotency-Key` is sent again after an unknown outcome, because nodes know a repeat by its key; one
//! without is only sent again if the attempt before certainly had no effect ([`ClientError::nothing_was_done`]). A batch
//! whose answer was lost in the end may or may not be there: that is [`ClientError::Unanswered`], and what to do about it
//! is left to the caller.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use reqwest::Url;
use serde::de::DeserializeOwned;

use crate::contract;
use crate::error::ErrorResponse;
use crate::ingest::{Ack, IDEMPOTENCY_KEY, IngestParameters, IngestResponse};
use crate::search::{SearchRequest, SearchResponse};
use crate::status::{ClusterStatus, Readiness};

pub use error::ClientError;
pub use retry::Retry;
pub use tail::{Tail, TailEvent};

mod error;
mod named;
mod retry;
mod tail;

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much longer than the node itself the client waits, so that the node's own word on a timeout arrives.
const GRACE: Duration = Duration::from_secs(10);
/// The longest wait for an answer that has no bound of its own.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A node or a Service of nodes, at one address. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    retry: Retry,
}

/// A body of documents for [`Client::ingest`].
#[derive(Debug, Clone)]
pub struct Documents {
    /// The bytes as they are sent.
    pub body: Bytes,
    /// What the bytes are once decompressed.
    pub format: Format,
    /// How the bytes are compressed.
    pub encoding: Encoding,
    /// The batch's name; the same for every attempt to send it.
    pub idempotency_key: Option<String>,
}

/// The form of a body of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One document a line.
    Ndjson,
    /// An array of documents, or `{"records": [...]}`.
    Json,
}

/// The compression of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// None.
    Identity,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Client {
    /// A client of `address`: a URL, or `host:port` for plain HTTP. A path in it is kept as a prefix of every route.
    /// Nothing is asked yet.
    pub fn new(address: &str) -> Result<Client, ClientError> {
        let base = base_url(address)?;
        let mut builder =
            reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if base.scheme() == "http" {
            // Plain HTTP must not depend on the machine having certificates.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|source| ClientError::Setup { source })?;
        Ok(Client { http, base, retry: Retry::default() })
    }

    /// The same client with another idea of when to try again.
    pub fn with_retry(self, retry: Retry) -> Client {
        Client { retry, ..self }
    }

    /// The address, as a URL that ends with `/`.
    pub fn address(&self) -> &Url {
        &self.base
    }

    /// Sends documents. `Ok` holds for every answer that speaks of documents: all taken, some refused, none valid, or some
    /// not taken because their shard could not; look at `ok`, `appended` and `errors`.
    pub async fn ingest(
        &self,
        documents: &Documents,
        parameters: &IngestParameters,
    ) -> Result<IngestResponse, ClientError> {
        let mut url = self.route("/ingest");
        append_query(&mut url, parameters);
        let request = Request {
            method: Method::POST,
            url,
            headers: documents.headers()?,
            body: documents.body.clone(),
            timeout: parameters.timeout_ms.map_or(ANSWER_TIMEOUT, |ms| Duration::from_millis(ms) + GRACE),
        };
        let is_known_again = documents.idempotency_key.is_some();
        let retryable = |error: &ClientError| error.may_pass() && (is_known_again || error.nothing_was_done());
        let mut in_part = None;
        let outcome = self.retry.run(retryable, async || {
            let answer = self.send(&request).await?;
            // Whatever the status: an answer of this form speaks of documents, any other of the request as a whole.
            let response: IngestResponse = answer.parse().map_err(|_| answer.refusal())?;
            if is_known_again && response.error.is_some() && answer.refusal().may_pass() {
                // Some shards took their part and answer a repeat as they did before, the others may take theirs.
                in_part = Some(response);
                return Err(answer.refusal());
            }
            Ok(response)
        });
        match outcome.await {
            Err(_) if in_part.is_some() => Ok(in_part.expect("just seen")),
            outcome => outcome,
        }
    }

    /// Searches.
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchResponse, ClientError> {
        let body = serde_json::to_vec(request).expect("a request has string keys only");
        let request = Request {
            method: Method::POST,
            url: self.route("/search"),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            body: body.into(),
            timeout: Duration::from_millis(request.limits.deadline_ms) + GRACE,
        };
        self.ask(&request).await
    }

    /// What the node knows of the cluster.
    pub async fn cluster(&self) -> Result<ClusterStatus, ClientError> {
        self.ask(&self.get("/cluster")).await
    }

    /// Whether the node is ready, asked once: a node that is not has an answer too.
    pub async fn readyz(&self) -> Result<Readiness, ClientError> {
        let answer = self.send(&self.get(contract::READYZ)).await?;
        match answer.status {
            StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => answer.parse(),
            _ => Err(answer.refusal()),
        }
    }

    /// Sends a request that changes nothing, so that every failure that may pass is tried again.
    async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        self.retry
            .run(ClientError::may_pass, async || {
                let answer = self.send(request).await?;
                if answer.status == StatusCode::OK { answer.parse() } else { Err(answer.refusal()) }
            })
            .await
    }

    fn get(&self, route: &str) -> Request {
        let url = self.route(route);
        Request { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), timeout: ANSWER_TIMEOUT }
    }

    fn route(&self, route: &str) -> Url {
        self.base.join(route.trim_start_matches('/')).expect("a route is a relative path")
    }

    async fn send(&self, request: &Request) -> Result<Answer, ClientError> {
        let Request { method, url, headers, body, timeout } = request;
        let sent = self
            .http
            .request(method.clone(), url.clone())
            .headers(headers.clone())
            .body(body.clone())
            .timeout(*timeout)
            .send()
            .await
            .map_err(|source| ClientError::of_transport(&self.base, source))?;
        let status = sent.status();
        let retry_after = retry_after(sent.headers());
        let body = sent.bytes().await.map_err(|source| ClientError::of_transport(&self.base, source))?;
        Ok(Answer { status, retry_after, body })
    }
}

/// What is sent, the same for each attempt.
struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
}

/// What came back, not looked into yet.
struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Bytes,
}

impl Answer {
    fn parse<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ClientError::Malformed { status: self.status, reason: error.to_string() })
    }

    fn refusal(&self) -> ClientError {
        let retry_after = self.retry_after;
        match serde_json::from_slice::<ErrorResponse>(&self.body) {
            Ok(ErrorResponse { error, trace_id }) => {
                ClientError::Refused { status: self.status, error, retry_after, trace_id }
            }
            Err(error) => ClientError::Malformed { status: self.status, reason: error.to_string() },
        }
    }
}

impl Documents {
    /// Lines of documents, not compressed.
    pub fn ndjson(body: impl Into<Bytes>) -> Documents {
        Documents { body: body.into(), format: Format::Ndjson, encoding: Encoding::Identity, idempotency_key: None }
    }

    /// The same documents under a name.
    pub fn with_key(self, key: impl Into<String>) -> Documents {
        Documents { idempotency_key: Some(key.into()), ..self }
    }

    fn headers(&self) -> Result<HeaderMap, ClientError> {
        let mut headers = HeaderMap::new();
        let format = match self.format {
            Format::Ndjson => "application/x-ndjson",
            Format::Json => "application/json",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(format));
        match self.encoding {
            Encoding::Identity => None,
            Encoding::Gzip => headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip")),
            Encoding::Zstd => headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd")),
        };
        if let Some(key) = &self.idempotency_key {
            let value = HeaderValue::from_str(key).map_err(|_| ClientError::Key { key: key.clone() })?;
            headers.insert(HeaderName::from_static(IDEMPOTENCY_KEY), value);
        }
        Ok(headers)
    }
}

fn base_url(address: &str) -> Result<Url, ClientError> {
    let malformed = |reason: String| ClientError::Address { address: address.to_owned(), reason };
    let text = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let mut url = Url::parse(&text).map_err(|error| malformed(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(malformed(format!("{} is neither http nor https", url.scheme())));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(malformed("it has a query or a fragment".to_owned()));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// A proxy for the outside world never leads back to this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn append_query(url: &mut Url, parameters: &IngestParameters) {
    let IngestParameters { index, ack, atomic, timeout_ms } = parameters;
    let ack = ack.map(|ack| match ack {
        Ack::Leader => "leader",
        Ack::Quorum => "quorum",
        Ack::All => "all",
    });
    let given = [
        ("index", index.clone()),
        ("ack", ack.map(str::to_owned)),
        ("atomic", atomic.map(|atomic| atomic.to_string())),
        ("timeout_ms", timeout_ms.map(|ms| ms.to_string())),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, &value);
        }
    }
}

/// Seconds to wait; the other form of the header, a date, is not used by nodes.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;

//! The client against a socket that answers what a test wrote down, so that every failure can be had at will.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What the socket does with a request.
enum Reply {
    /// Answers with a status, a further header and a body.
    Answer(u16, &'static str, serde_json::Value),
    /// Reads the request and closes the connection.
    HangUp,
}

struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Gives one reply to each request, in this order, on a connection of its own.
    async fn replying(replies: Vec<Reply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for reply in replies {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let request = read_request(&mut stream).await;
                seen.lock().expect("no panic").push(request);
                if let Reply::Answer(status, header, body) = reply {
                    let body = body.to_string();
                    let answer = format!(
                        "HTTP/1.1 {status} x\r\nconnection: close\r\n{header}content-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(answer.as_bytes()).await.expect("the client listens");
                }
            }
        });
        Server { address, requests }
    }

    fn client(&self) -> Client {
        let hurried =
            Retry { attempts_max: 3, first_pause: Duration::from_millis(1), pause_max: Duration::from_millis(2) };
        Client::new(&self.address).expect("an address").with_retry(hurried)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

/// Head and body of one request whose length is announced.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a number")) {
                return text;
            }
        }
        assert!(stream.read_buf(&mut bytes).await.expect("readable") > 0, "half a request: {text}");
    }
}

fn taken() -> Reply {
    let body =
        json!({"ok": true, "appended": 1, "hot_added": 1, "idempotent": false, "segment": "0-1-1", "trace_id": "t"});
    Reply::Answer(200, "", body)
}

fn refused(status: u16, code: &str) -> Reply {
    Reply::Answer(status, "retry-after: 7\r\n", json!({"error": {"code": code, "message": "no"}, "trace_id": "t"}))
}

fn batch() -> Documents {
    Documents::ndjson("{\"a\":1}").with_key("k-1")
}

async fn ingest(server: &Server) -> Result<IngestResponse, ClientError> {
    server.client().ingest(&batch(), &IngestParameters::default()).await
}

async fn ingest_without_key(server: &Server) -> Result<IngestResponse, ClientError> {
    server.client().ingest(&Documents::ndjson("{\"a\":1}"), &IngestParameters::default()).await
}

#[tokio::test]
async fn a_batch_travels_with_its_key_type_index_and_ack() {
    let server = Server::replying(vec![taken()]).await;
    let parameters = IngestParameters { index: Some("a b".into()), ack: Some(Ack::All), ..Default::default() };
    server.client().ingest(&batch(), &parameters).await.expect("taken");
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /ingest?index=a+b&ack=all HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-ndjson\r\n"), "{request}");
    assert!(request.contains("idempotency-key: k-1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
}

#[tokio::test]
async fn a_batch_that_was_certainly_not_written_is_sent_again_under_the_same_key() {
    let server = Server::replying(vec![refused(429, "rate_limited"), refused(503, "no_leader"), taken()]).await;
    assert_eq!(ingest(&server).await.expect("taken in the end").appended, 1);
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.contains("idempotency-key: k-1\r\n")));
}

#[tokio::test]
async fn a_batch_with_a_key_is_sent_again_whatever_became_of_it() {
    let server = Server::replying(vec![Reply::HangUp, refused(503, "unknown_outcome"), taken()]).await;
    assert_eq!(ingest(&server).await.expect("taken in the end").appended, 1);
    assert!(server.requests().iter().all(|request| request.contains("idempotency-key: k-1\r\n")));
}

#[tokio::test]
async fn a_batch_that_only_some_shards_took_is_sent_again_to_reach_the_others() {
    let in_part = |appended: u64| {
        let error = json!({"code": "queue_full", "message": "full"});
        let body = json!({"ok": false, "appended": appended, "hot_added": appended, "idempotent": false, "segment": null,
                          "errors": [], "error": error, "trace_id": "t"});
        Reply::Answer(503, "", body)
    };
    let server = Server::replying(vec![in_part(1), taken()]).await;
    assert!(ingest(&server).await.expect("taken in the end").ok);
    assert_eq!(server.requests().len(), 2);
    // The last that was heard of documents counts, whatever came after it.
    let server = Server::replying(vec![in_part(1), in_part(2), refused(503, "starting")]).await;
    let answer = ingest(&server).await.expect("an answer that speaks of documents");
    assert_eq!((answer.ok, answer.appended), (false, 2));
    // Without a key the shards that took their part would take it twice.
    let server = Server::replying(vec![in_part(1), taken()]).await;
    assert!(!ingest_without_key(&server).await.expect("an answer").ok);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_batch_without_a_key_whose_answer_is_lost_is_not_sent_again() {
    let server = Server::replying(vec![Reply::HangUp, taken()]).await;
    let error = ingest_without_key(&server).await.expect_err("no answer");
    assert!(matches!(error, ClientError::Unanswered { .. }) && !error.nothing_was_done(), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_503_that_does_not_say_that_nothing_was_written_is_not_answered_by_sending_again() {
    let server = Server::replying(vec![refused(503, "unknown_outcome"), taken()]).await;
    let error = ingest_without_key(&server).await.expect_err("refused");
    assert_eq!((error.nothing_was_done(), error.retry_after()), (false, Some(Duration::from_secs(7))));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_search_is_asked_again_until_the_attempts_are_used_up() {
    let server = Server::replying(vec![Reply::HangUp, refused(503, "no_leader"), refused(503, "no_leader")]).await;
    let error = server.client().search(&SearchRequest::default()).await.expect_err("three failures");
    assert_eq!(error.to_string(), "no (503 Service Unavailable, no_leader)");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn whatever_speaks_of_documents_is_an_answer_and_anything_else_is_an_error() {
    let partial = |status: u16, appended: u64, code: &str| {
        let body = json!({"ok": false, "appended": appended, "hot_added": appended, "idempotent": false, "segment": null,
                          "errors": [{"index": 0, "code": code, "message": "no"}], "trace_id": "t",
                          "error": {"code": code, "message": "no"}});
        Reply::Answer(status, "", body)
    };
    let replies = vec![partial(400, 0, "depth"), partial(503, 1, "no_leader"), refused(400, "malformed_body")];
    let server = Server::replying(replies).await;
    assert_eq!(ingest(&server).await.expect("none is valid").errors[0].code, "depth");
    let answer = ingest_without_key(&server).await.expect("one of two shards took its part");
    assert_eq!((answer.appended, answer.errors[0].code.as_str()), (1, "no_leader"));
    let error = ingest(&server).await.expect_err("refused as a whole");
    assert!(matches!(&error, ClientError::Refused { error, .. } if error.code == "malformed_body"), "{error:?}");
    assert_eq!(server.requests().len(), 3, "none of these is sent again");
}

#[tokio::test]
async fn a_node_that_is_not_ready_says_why_at_once() {
    let server = Server::replying(vec![Reply::Answer(503, "", json!({"ok": false, "reasons": ["waiting"]}))]).await;
    assert_eq!(server.client().readyz().await.expect("an answer").reasons, ["waiting"]);
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable_and_something_else_there_is_malformed() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    let client = Client::new(&free.to_string()).expect("an address").with_retry(Retry::never());
    let error = client.cluster().await.expect_err("nobody");
    assert!(matches!(error, ClientError::Unreachable { .. }) && error.nothing_was_done(), "{error:?}");
    let server = Server::replying(vec![Reply::Answer(404, "", json!("not found"))]).await;
    let error = server.client().cluster().await.expect_err("not a node");
    assert!(matches!(error, ClientError::Malformed { .. }), "{error:?}");
}

#[test]
fn addresses_are_urls_or_host_and_port_and_keep_their_path() {
    let routes = ["node:7300", "http://node:7300/", "https://logs.example/gz"]
        .map(|address| Client::new(address).expect("an address").route("/search").to_string());
    assert_eq!(routes, ["http://node:7300/search", "http://node:7300/search", "https://logs.example/gz/search"]);
    for wrong in ["", "ftp://node", "http://node/?a=b", "http://"] {
        assert!(matches!(Client::new(wrong), Err(ClientError::Address { .. })), "{wrong:?}");
    }
}

#[test]
fn a_key_that_cannot_stand_in_a_header_is_refused_before_anything_is_sent() {
    let error = batch().with_key("line\nbreak").headers().expect_err("a line break");
    assert!(matches!(error, ClientError::Key { .. }), "{error:?}");
}

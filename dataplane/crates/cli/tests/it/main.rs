//! The `gz` binary as a person runs it, against a stand-in for a node that takes every document but those it is told to
//! refuse. A real node is met by `make demo` and by the stories.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};

mod inspect;
mod tail;

/// Starts a stand-in and answers its address. It lives until the test process ends.
fn stand_in() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.expect("a connection")));
        }
    });
    address
}

fn serve(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    while let Some((route, last_event_id, body)) = read_request(&mut reader) {
        if route.starts_with("GET /tail?") {
            return tail::serve(&mut stream, &route, last_event_id.as_deref());
        }
        let (status, answer) = match route.split(['?', ' ']).nth(1) {
            Some("/ingest") => ingest(&body),
            Some("/search") => (200, search(&body)),
            Some("/doc/order%2F7") if route.starts_with("DELETE /doc/order%2F7?index=audit ") => (200, deleted()),
            Some("/doc/order%2F7") if route.starts_with("GET /doc/order%2F7?index=audit ") => (200, document()),
            Some(path) if path.starts_with("/doc/none") => (404, refusal("no_such_document")),
            _ => (404, refusal("no_such_route")),
        };
        let answer = answer.to_string();
        write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).expect("a reader");
    }
}

fn refusal(code: &str) -> Value {
    json!({"error": {"code": code, "message": "no"}, "trace_id": "t"})
}

fn document() -> Value {
    json!({"id": "order/7", "index": "audit", "shard": 0, "epoch": 1, "seq": 5, "time": "2026-11-23T10:00:00Z",
           "source": {"_id": "order/7", "n": 1}, "trace_id": "t"})
}

fn deleted() -> Value {
    json!({"ok": true, "found": true, "shard": 0, "epoch": 1, "seq": 9, "token": [], "trace_id": "t"})
}

/// The first line, the header `last-event-id` and the body.
fn read_request(reader: &mut impl BufRead) -> Option<(String, Option<String>, String)> {
    let (mut first, mut last_event_id, mut length) = (String::new(), None, 0);
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().expect("a number"),
            Some(("last-event-id", value)) => last_event_id = Some(value.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first, last_event_id, String::from_utf8(body).expect("text")))
}

/// Refuses documents that contain `bad`, for two reasons each, and a whole body that contains `huge`.
fn ingest(body: &str) -> (u16, Value) {
    if body.contains("huge") {
        return (413, json!({"error": {"code": "body_too_large", "message": "too large"}, "trace_id": "t"}));
    }
    let refused: Vec<usize> =
        body.lines().enumerate().filter(|(_, line)| line.contains("bad")).map(|(at, _)| at).collect();
    let error = |at: &usize, field: &str| json!({"index": at, "field": field, "code": "wrong", "message": "it is bad"});
    let errors: Vec<Value> = refused.iter().flat_map(|at| ["a", "b"].map(|field| error(at, field))).collect();
    let taken = body.lines().count() - refused.len();
    let status = if refused.is_empty() { 200 } else { 207 };
    (
        status,
        json!({"ok": refused.is_empty(), "appended": taken, "hot_added": taken, "idempotent": false,
                    "segment": null, "errors": errors, "trace_id": "t"}),
    )
}

/// One match for `one`, none for `none`, a shard missing for anything else.
fn search(body: &str) -> Value {
    let request: Value = serde_json::from_str(body).expect("JSON");
    let (total, partial) = match request["contains"].as_str() {
        Some("tailed") => return tail::before(),
        Some("one") => (1, false),
        Some("none") => (0, false),
        _ => (0, true),
    };
    let failed =
        if partial { json!([{"shard": 4, "code": "no_leader", "message": "nobody leads it"}]) } else { json!([]) };
    json!({"hits": [], "cursor": null, "total": total, "total_relation": "eq", "token": [], "partial": partial,
           "failed_shards": failed, "stale_read": false, "metrics": {}, "trace_id": "t"})
}

/// Runs a command that speaks with a node.
fn gz(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    run(&[arguments, &["--url", &stand_in()]].concat(), input)
}

/// Answers exit code, standard output and standard error.
fn run(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gz"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("gz starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("gz reads");
    let Output { status, stdout, stderr } = child.wait_with_output().expect("gz ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn put_takes_standard_input_and_says_how_much() {
    let (code, out, err) = gz(&["put"], "{\"a\":1}\n\n{\"a\":2}\n");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("2 documents taken: 0.0 MB in "), "{out}");
}

#[test]
fn put_names_refused_documents_by_file_and_line_and_takes_the_others() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "{\"a\":1}\n\n{\"a\":\"bad\"}\n{\"a\":\"huge\"}\n{\"a\":2}\n").expect("writes");
    let path = file.path().to_str().expect("text");
    // A batch for each document, so that the one that is too large goes alone.
    let (code, out, err) = gz(&["put", "--batch-bytes", "1", "--parallel", "1", path], "");
    assert_eq!(code, Some(1));
    assert!(out.starts_with("2 documents taken, 2 refused: "), "{out}");
    assert!(err.contains(&format!("{path}:3: field a: it is bad (wrong)\n")), "{err}");
    assert!(err.contains(&format!("{path}:3: field b: it is bad (wrong)\n")), "{err}");
    assert!(err.contains(&format!("{path} line 4: too large (413 Payload Too Large, body_too_large)\n")), "{err}");
}

#[test]
fn put_ends_with_2_when_a_file_cannot_be_read_but_counts_what_was_taken() {
    let (code, out, err) = gz(&["put", "-", "/no/such/file"], "{\"a\":1}\n");
    assert_eq!(code, Some(2));
    assert!(out.starts_with("1 document taken: "), "{out}");
    assert!(err.contains("cannot open /no/such/file"), "{err}");
}

#[test]
fn delete_names_what_is_gone_and_ends_with_2_at_the_first_that_may_not_be() {
    let (code, out, err) = gz(&["delete", "--index", "audit", "order/7", "order-8"], "");
    assert_eq!((code, out.as_str()), (Some(2), "deleted audit/order/7\n"));
    assert!(err.starts_with("gz: audit/order-8 is not known to be deleted: no (404 Not Found"), "{err}");
}

#[test]
fn get_prints_documents_as_they_were_put_and_says_what_is_not_there() {
    let (code, out, err) = gz(&["get", "--index", "audit", "order/7"], "");
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "{\"_id\":\"order/7\",\"n\":1}\n", ""));
    let (code, out, err) = gz(&["get", "none"], "");
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "", "gz: there is no none\n"));
    assert_eq!(gz(&["get", "order-8"], "").0, Some(2));
}

#[test]
fn search_ends_as_grep_does() {
    assert_eq!(gz(&["search", "one", "--count"], "").0, Some(0));
    let (code, out, _) = gz(&["search", "none", "--count"], "");
    assert_eq!((code, out.as_str()), (Some(1), "0\n"));
    let (code, _, err) = gz(&["search", "anything else"], "");
    assert_eq!(code, Some(2));
    assert!(err.contains("shard 4 did not answer: nobody leads it (no_leader)"), "{err}");
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_exit_code_2() {
    let (code, _, err) = gz(&["status"], "");
    assert_eq!((code, err.lines().count()), (Some(2), 1), "{err}");
    let (code, _, err) = gz(&["search", "x", "--since", "whenever"], "");
    assert_eq!((code, err.lines().count()), (Some(2), 1), "{err}");
}

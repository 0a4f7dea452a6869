//! `gz tail` against a stand-in that knows one document from before and tells of one more on each connection.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::gz;

fn hit(number: u64) -> Value {
    json!({"doc_id": number, "shard": 0, "id": format!("0.1.{number}"), "index": "main", "time": "2026-11-23T10:00:00Z",
           "matched_field": "text", "preview": "tailed", "highlights": [[0, 6]], "source": {"n": number}})
}

/// The answer to the search for what was there before.
pub(crate) fn before() -> Value {
    json!({"hits": [hit(5)], "cursor": null, "total": 1, "total_relation": "eq", "partial": false, "failed_shards": [],
           "token": [{"shard": 0, "epoch": 1, "seq": 5}], "stale_read": false, "metrics": {}, "trace_id": "t"})
}

/// Tells of the document behind the position that is gone on from, and hangs up.
pub(crate) fn serve(stream: &mut TcpStream, route: &str, last_event_id: Option<&str>) {
    assert!(route.contains("contains=tailed") && route.contains("index=a%2Cb"), "{route}");
    let from = last_event_id.and_then(|id| id.strip_prefix("0.1.")).map_or(100, |seq| seq.parse().expect("a number"));
    let next = from + 1;
    let missing = json!([{"shard": 3, "code": "no_leader", "message": "nobody leads it"}]);
    let beat = json!({"failed_shards": if next == 6 { missing } else { json!([]) }});
    let events = format!("event: beat\ndata: {beat}\n\nid: 0.1.{next}\nevent: hit\ndata: {}\n\n", hit(next));
    let head = "HTTP/1.1 200 x\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{head}{events}").as_bytes()).expect("a reader");
}

#[test]
fn tail_shows_what_was_there_and_goes_on_where_it_was_when_a_node_hangs_up() {
    let (code, out, err) = gz(&["tail", "tailed", "-i", "a", "-i", "b", "--limit", "3", "--json"], "");
    let numbers: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("one document a line")["source"]["n"].clone())
        .collect();
    assert_eq!((code, numbers), (Some(0), vec![json!(5), json!(6), json!(7)]), "{err}");
    assert_eq!(err, "gz: shard 3 is missing for now: nobody leads it (no_leader)\ngz: shard 3 is back\n");
}

#[test]
fn tail_of_nothing_from_before_begins_with_what_comes() {
    let (code, out, _) = gz(&["tail", "tailed", "-i", "a,b", "--last", "0", "--limit", "1"], "");
    assert_eq!(code, Some(0));
    assert!(out.starts_with("2026-11-23T10:00:00Z main/0.1.101 text\n    tailed\n"), "{out}");
}

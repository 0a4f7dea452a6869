//! Server-sent events as bytes.

use axum::body::Bytes;
use grepzilla_api::ingest::TokenPart;
use grepzilla_api::search::{FailedShard, Hit};
use grepzilla_api::tail::{Beat, End, encode_positions};
use serde::Serialize;

/// Events that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Events {
    text: String,
    /// Where the last event begins.
    last: usize,
}

impl Events {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds a document.
    pub(super) fn hit(&mut self, hit: &Hit) {
        self.push("hit", hit);
    }

    /// Adds a sign of life.
    pub(super) fn beat(&mut self, failed_shards: &[FailedShard]) {
        self.push("beat", &Beat { failed_shards: failed_shards.to_vec() });
    }

    /// Adds the last event.
    pub(super) fn end(&mut self, end: &End) {
        self.push("end", end);
    }

    /// Says where to go on behind the last event.
    pub(super) fn id(&mut self, positions: &[TokenPart]) {
        // The field is there or not, but never empty: an empty one would mean that there is no id.
        if !positions.is_empty() {
            self.text.insert_str(self.last, &format!("id: {}\n", encode_positions(positions)));
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.text.into()
    }

    fn push(&mut self, name: &str, data: &impl Serialize) {
        let data = serde_json::to_string(data).expect("wire types have text keys and no failing serializer");
        // A line end in a document is white space between its tokens, and would end the data.
        let data = if data.contains(['\n', '\r']) { data.replace(['\n', '\r'], " ") } else { data };
        self.last = self.text.len();
        self.text += &format!("event: {name}\ndata: {data}\n\n");
    }
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{Epoch, SeqNo, ShardId};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_event_carries_the_id_and_no_document_can_end_its_line() {
        let mut events = Events::default();
        let end = |message: &str| End { code: "slow".into(), message: message.into() };
        events.end(&end("a"));
        events.push("hit", &serde_json::value::RawValue::from_string("{\"a\":\n1}".into()).expect("JSON"));
        events.id(&[TokenPart { shard: ShardId(3), epoch: Epoch(1), seq: SeqNo(2) }]);
        let text = String::from_utf8(events.into_bytes().to_vec()).expect("text");
        let first = json!({"code": "slow", "message": "a"});
        assert_eq!(text, format!("event: end\ndata: {first}\n\nid: 3.1.2\nevent: hit\ndata: {{\"a\": 1}}\n\n"));
    }
}

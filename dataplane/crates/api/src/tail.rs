//! `GET /tail`: documents that match a query, as they become visible, as server-sent events.
//!
//! ```text
//! event: beat   data: {"failed_shards": [...]}     at the start, when a shard fails or is back, and every few seconds
//! event: hit    data: a hit as of POST /search     one for each document
//! event: end    data: {"code", "message"}          the last one, when the node ends it
//! ```
//!
//! Every document that becomes visible after the first `beat` is told once, by time among those that came together.
//! Where all up to some positions is told, the event has them as its `id`: asked for with that as `Last-Event-ID`, any
//! node goes on from there, and nothing is missed. A document that is newer than another one of the same `_id` is a
//! document like any other; one that is superseded before it is told is not told.

use std::collections::BTreeMap;

use grepzilla_model::{Epoch, SeqNo, ShardId};
use serde::{Deserialize, Serialize};

use crate::ingest::TokenPart;
use crate::search::{FailedShard, SearchRequest};

/// The header that says where to go on.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// Query parameters: what is to be found, as in [`SearchRequest`]; with no pattern, everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TailParameters {
    /// A literal anywhere in a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// `*` any run, `?` one character, `\` escapes; anywhere in a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wildcard: Option<String>,
    /// A regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// A tree of conditions, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// A dotted path; every field if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Indexes, with commas between them; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// Whether the text is matched as written.
    #[serde(default)]
    pub case_sensitive: bool,
}

impl TailParameters {
    /// The parameters that ask for what a search asks for. What a search has beside its conditions is left out.
    pub fn of_search(request: &SearchRequest) -> TailParameters {
        let query = request.query.as_ref();
        TailParameters {
            contains: request.contains.clone(),
            exact: request.exact.clone(),
            wildcard: request.wildcard.clone(),
            regex: request.regex.clone(),
            query: query.map(|query| serde_json::to_string(query).expect("a tree of plain values")),
            field: request.field.clone(),
            index: request.index.as_ref().map(|names| names.join(",")),
            case_sensitive: request.case_sensitive,
        }
    }

    /// The search that asks for the same.
    pub fn into_search(self) -> Result<SearchRequest, serde_json::Error> {
        let TailParameters { contains, exact, mut wildcard, regex, query, field, index, case_sensitive } = self;
        if [&contains, &exact, &wildcard, &regex, &query].iter().all(|form| form.is_none()) {
            wildcard = Some("*".to_owned());
        }
        Ok(SearchRequest {
            contains,
            exact,
            wildcard,
            regex,
            query: query.as_deref().map(serde_json::from_str).transpose()?,
            field,
            index: index.map(|names| names.split(',').map(str::to_owned).collect()),
            case_sensitive,
            ..SearchRequest::default()
        })
    }
}

/// `beat`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The shards that are not told of at the moment. What they hold is told once they are back.
    pub failed_shards: Vec<FailedShard>,
}

/// `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// A fixed word: `slow` (events were not taken for too long), `draining` (the node stops), `failed`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// Positions as the `id` of an event: `shard.epoch.seq`, with commas between them.
pub fn encode_positions(positions: &[TokenPart]) -> String {
    let parts: Vec<String> =
        positions.iter().map(|TokenPart { shard, epoch, seq }| format!("{shard}.{epoch}.{seq}")).collect();
    parts.join(",")
}

/// The positions of an `id`. `None`: it is none.
pub fn decode_positions(id: &str) -> Option<Vec<TokenPart>> {
    let part = |text: &str| {
        let mut numbers = text.split('.');
        let (shard, epoch, seq) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let (shard, epoch) = (ShardId(shard.parse().ok()?), Epoch(epoch.parse().ok()?));
        numbers.next().is_none().then_some(TokenPart { shard, epoch, seq: SeqNo(seq.parse().ok()?) })
    };
    let parts = id.split(',').map(part).collect::<Option<Vec<TokenPart>>>()?;
    let different: BTreeMap<ShardId, ()> = parts.iter().map(|part| (part.shard, ())).collect();
    (different.len() == parts.len()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_were_written_and_nothing_else_is() {
        let part = |shard, epoch, seq| TokenPart { shard: ShardId(shard), epoch: Epoch(epoch), seq: SeqNo(seq) };
        let parts = vec![part(0, 1, 17), part(3, 2, 0)];
        assert_eq!(encode_positions(&parts), "0.1.17,3.2.0");
        assert_eq!(decode_positions("0.1.17,3.2.0"), Some(parts));
        for wrong in ["", "0.1", "0.1.2.3", "a.1.2", "0.1.2,", "0.1.2,0.1.3", "-1.1.1"] {
            assert_eq!(decode_positions(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parameters_ask_for_what_the_search_asks_for() {
        let request: SearchRequest = serde_json::from_str(
            r#"{"query": {"not": {"exists": "a"}}, "field": "x.y", "index": ["m", "n"], "case_sensitive": true}"#,
        )
        .expect("a search");
        assert_eq!(TailParameters::of_search(&request).into_search().expect("JSON"), request);
        let everything = TailParameters::default().into_search().expect("nothing to read");
        assert_eq!(everything.wildcard.as_deref(), Some("*"));
        assert!(TailParameters { query: Some("{".into()), ..TailParameters::default() }.into_search().is_err());
    }
}

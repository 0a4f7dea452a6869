//! Following `GET /tail`: events read off the answer as they arrive.

use http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use serde::de::DeserializeOwned;

use super::{Answer, Client, ClientError, retry_after};
use crate::search::Hit;
use crate::tail::{Beat, End, LAST_EVENT_ID, TailParameters};

/// The longest event: one document of the largest size, with room to spare.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// Events as they come.
#[derive(Debug)]
pub struct Tail {
    response: Response,
    address: Url,
    events: Events,
}

/// One event.
#[derive(Debug)]
pub enum TailEvent {
    /// The node is there.
    Beat(Beat),
    /// A document.
    Hit(Box<Hit>),
    /// The last event.
    End(End),
}

impl Client {
    /// Follows what matches, from now on or, with the id of an event, from there on. Asked once: whoever follows decides
    /// whether to go on after a failure.
    pub async fn tail(&self, parameters: &TailParameters, last_event_id: Option<&str>) -> Result<Tail, ClientError> {
        let mut url = self.route("/tail");
        let parameters = serde_json::to_value(parameters).expect("plain values");
        for (name, value) in parameters.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().append_pair(name, &text);
        }
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/event-stream"))]);
        if let Some(id) = last_event_id {
            let value = HeaderValue::from_str(id).map_err(|_| ClientError::Key { key: id.to_owned() })?;
            headers.insert(HeaderName::from_static(LAST_EVENT_ID), value);
        }
        let unanswered = |source| ClientError::of_transport(self.address(), source);
        let response = self.http.get(url).headers(headers).send().await.map_err(unanswered)?;
        if response.status().is_success() {
            return Ok(Tail { response, address: self.address().clone(), events: Events::default() });
        }
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let body = response.bytes().await.map_err(unanswered)?;
        Err(Answer { status, retry_after, body }.refusal())
    }
}

impl Tail {
    /// The next event. `None`: the answer has ended.
    pub async fn next(&mut self) -> Result<Option<TailEvent>, ClientError> {
        loop {
            if let Some((name, data)) = self.events.next() {
                let event = match name.as_str() {
                    "beat" => TailEvent::Beat(self.read(&data)?),
                    "hit" => TailEvent::Hit(Box::new(self.read(&data)?)),
                    "end" => TailEvent::End(self.read(&data)?),
                    // A node of a later version may tell of more.
                    _ => continue,
                };
                return Ok(Some(event));
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|source| ClientError::of_transport(&self.address, source))? {
                Some(bytes) if self.events.buffer.len() + bytes.len() <= EVENT_BYTES_MAX => {
                    self.events.buffer.extend_from_slice(&bytes);
                }
                Some(_) => return Err(self.malformed(format!("an event of more than {EVENT_BYTES_MAX} bytes"))),
                None => return Ok(None),
            }
        }
    }

    /// Where to go on, if the events up to here were followed.
    pub fn last_event_id(&self) -> Option<&str> {
        self.events.last_id.as_deref()
    }

    fn read<T: DeserializeOwned>(&self, data: &str) -> Result<T, ClientError> {
        serde_json::from_str(data).map_err(|error| self.malformed(error.to_string()))
    }

    fn malformed(&self, reason: String) -> ClientError {
        ClientError::Malformed { status: self.response.status(), reason }
    }
}

/// Takes events out of bytes.
#[derive(Debug, Default)]
struct Events {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were told already.
    told: usize,
    last_id: Option<String>,
}

impl Events {
    /// The next whole event: its name and its data.
    fn next(&mut self) -> Option<(String, String)> {
        loop {
            let rest = &self.buffer[self.told..];
            let Some(length) = rest.windows(2).position(|pair| pair == b"\n\n") else {
                self.buffer.drain(..std::mem::take(&mut self.told));
                return None;
            };
            let text = String::from_utf8_lossy(&rest[..length]).into_owned();
            self.told += length + 2;
            let (mut name, mut data) = (String::new(), Vec::new());
            for line in text.lines() {
                match line.split_once(": ") {
                    Some(("event", value)) => value.clone_into(&mut name),
                    Some(("data", value)) => data.push(value),
                    Some(("id", value)) => self.last_id = Some(value.to_owned()),
                    // A comment, or a field that only browsers know.
                    _ => {}
                }
            }
            if !name.is_empty() {
                return Some((name, data.join("\n")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_out_of_bytes_that_come_in_any_pieces() {
        let text = ": a comment\n\nid: 0.1.2\nevent: beat\ndata: {}\n\nevent: hit\ndata: é\ndata: 2\n\nevent: hi";
        for size in 1..text.len() {
            let (mut events, mut found) = (Events::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                events.buffer.extend_from_slice(piece);
                found.extend(std::iter::from_fn(|| events.next()));
            }
            let pairs = [("beat", "{}"), ("hit", "é\n2")].map(|(name, data)| (name.to_owned(), data.to_owned()));
            assert_eq!(found, pairs, "pieces of {size} bytes");
            assert_eq!(events.last_id.as_deref(), Some("0.1.2"));
        }
    }
}

//! Which document a request is about: an index, and an id that is an `_id` or a place in a shard's log.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query};
use grepzilla_api::config::IngestConfig;
use grepzilla_api::document::DocumentParameters;
use grepzilla_model::record::ID_BYTES_MAX;
use grepzilla_model::{Epoch, IndexName, SeqNo, ShardId};
use http::Uri;

use crate::ingest::check_timeout;
use crate::server::answer::Failure;

/// One document, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) index: IndexName,
    /// Whether the request named it.
    pub(super) index_is_given: bool,
    /// What a document with this `_id` would have.
    pub(super) id: Arc<str>,
}

/// The place that an id of the form `<shard>.<epoch>.<seq>` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) shard: ShardId,
    pub(super) epoch: Epoch,
    pub(super) seq: SeqNo,
}

impl Place {
    /// Its text, as a search shows it.
    pub(crate) fn text(self) -> String {
        format!("{}.{}.{}", self.shard, self.epoch, self.seq)
    }
}

impl Address {
    /// Reads a request: the document, and how long the answer may take.
    pub(crate) fn read(
        id: Result<Path<String>, PathRejection>,
        uri: &Uri,
        config: &IngestConfig,
    ) -> Result<(Address, Duration), Failure> {
        let Path(id) = id.map_err(|rejection| Failure::bad_request("bad_id", rejection.body_text()))?;
        if !(1..=ID_BYTES_MAX).contains(&id.len()) {
            let message = format!("an id has 1 to {ID_BYTES_MAX} bytes, not {}", id.len());
            return Err(Failure::bad_request("bad_id", message));
        }
        let Query(sent) = Query::<DocumentParameters>::try_from_uri(uri).map_err(|rejection| {
            let reason = std::error::Error::source(&rejection).map_or(rejection.to_string(), ToString::to_string);
            Failure::bad_request("bad_parameter", format!("query parameters: {reason}"))
        })?;
        let index_is_given = sent.index.is_some();
        let index = sent.index.as_deref().map_or(Ok(IndexName::default()), IndexName::new);
        let index = index.map_err(|error| Failure::bad_request("bad_index", error.to_string()))?;
        let timeout_ms = check_timeout(sent.timeout_ms.unwrap_or(config.timeout_ms))?;
        Ok((Address { index, index_is_given, id: id.into() }, Duration::from_millis(timeout_ms)))
    }

    /// The place that the id names, if it has that form. A document may have such an `_id` all the same.
    pub(crate) fn place(&self) -> Option<Place> {
        let mut numbers = self.id.split('.');
        let (shard, epoch, seq) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let place = Place {
            shard: ShardId(shard.parse().ok()?),
            epoch: Epoch(epoch.parse().ok()?),
            seq: SeqNo(seq.parse().ok()?),
        };
        // `07` and `+7` are numbers too, but not how a place is written.
        (place.text() == *self.id).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: &str, query: &str) -> Result<(Address, Duration), Failure> {
        let uri = format!("http://node/doc/x?{query}").parse().expect("a URI");
        Address::read(Ok(Path(id.to_owned())), &uri, &IngestConfig::default())
    }

    #[test]
    fn an_id_has_bounds_and_every_wrong_parameter_is_named() {
        let (address, time_max) = read("a", "").expect("nothing else is required");
        assert_eq!((address.index, time_max), (IndexName::default(), Duration::from_secs(10)));
        assert!(read(&"x".repeat(ID_BYTES_MAX), "").is_ok());
        assert_eq!(read(&"x".repeat(ID_BYTES_MAX + 1), "").expect_err("too long").code, "bad_id");
        for (query, code) in [("indx=a", "bad_parameter"), ("index=-a", "bad_index"), ("timeout_ms=0", "bad_parameter")]
        {
            assert_eq!(read("a", query).expect_err("refused").code, code, "{query}");
        }
    }

    #[test]
    fn only_what_a_search_shows_is_a_place() {
        let place = |id: &str| Address { index: IndexName::default(), index_is_given: false, id: id.into() }.place();
        assert_eq!(place("3.1.77"), Some(Place { shard: ShardId(3), epoch: Epoch(1), seq: SeqNo(77) }));
        for other in ["3.1", "3.1.77.0", "3.1.077", "+3.1.77", "3.1.x", "3..77", "4294967296.1.1", "abc"] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}

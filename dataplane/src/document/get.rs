//! Reading one document: the newest committed version, from the shard's leader.

use grepzilla_api::document::DocumentResponse;
use grepzilla_api::peer::{LogPosition, LookedUp};
use grepzilla_model::ShardId;
use grepzilla_model::routing::bucket_of_id;
use http::StatusCode;

use crate::document::Asked;
use crate::document::address::Place;
use crate::server::answer::Failure;

/// Finds the document with an `_id` first, because a document may have an `_id` of the form of a place.
pub(super) async fn run(asked: &Asked<'_>) -> Result<DocumentResponse, Failure> {
    let ring = asked.app.node.topology().ring.clone();
    let shard = ring.shard_of(bucket_of_id(&asked.address.index, &asked.address.id));
    if let Some(found) = asked.by_id(shard).await? {
        return Ok(respond(asked, shard, found));
    }
    if let Some(Place { shard, epoch, seq }) =
        asked.address.place().filter(|place| ring.targets.contains_key(&place.shard))
        && let Some(found) = asked.by_place(shard, LogPosition { epoch, seq }).await?
    {
        return Ok(respond(asked, shard, found));
    }
    let message = format!("there is no document {:?} in index {}", asked.address.id, asked.address.index);
    Err(Failure::new(StatusCode::NOT_FOUND, "no_such_document", message))
}

fn respond(asked: &Asked<'_>, shard: ShardId, found: LookedUp) -> DocumentResponse {
    let LookedUp { index, epoch, seq, time, source, .. } = found;
    let (id, trace_id) = (asked.address.id.to_string(), asked.trace.to_string());
    DocumentResponse { id, index: index.into(), shard, epoch, seq, time: time.to_string(), source, trace_id }
}

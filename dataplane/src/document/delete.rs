//! Deleting: a tombstone in the log of the id's shard, as durable and as soon visible as any write.

use std::time::SystemTime;

use grepzilla_api::document::DeleteResponse;
use grepzilla_api::ingest::TokenPart;
use grepzilla_api::peer::AppendAnswer;
use grepzilla_model::routing::bucket_of_id;
use grepzilla_model::{Batch, BodyHash, KeyHash, Record, RecordKind, TimeNs};
use tokio::time::Instant;

use crate::document::address::Address;
use crate::ingest::deliver;
use crate::server::answer::Failure;
use crate::server::app::App;
use crate::server::trace::TraceId;

/// Deletes the document with an `_id`. Doing it again is harmless: there is nothing left to delete.
pub(super) async fn run(
    app: &App,
    trace: TraceId,
    address: &Address,
    deadline: Instant,
) -> Result<DeleteResponse, Failure> {
    if address.place().is_some() {
        return Err(no_tombstone(address));
    }
    let bucket = bucket_of_id(&address.index, &address.id);
    let shard = app.node.topology().ring.shard_of(bucket);
    let received = TimeNs::from_system(SystemTime::now());
    let tombstone = Record {
        kind: RecordKind::Tombstone,
        bucket,
        index: address.index.clone(),
        id: Some(address.id.clone()),
        time: received,
        source: [].into(),
    };
    let batch = Batch { key: KeyHash::default(), body: BodyHash::default(), received, records: vec![tombstone] };
    let appended = deliver(app, trace, shard, batch, deadline).await;
    let AppendAnswer { epoch, last_seq: seq, .. } = appended.map_err(|failure| failure.into_failure(shard))?;
    let token = vec![TokenPart { shard, epoch, seq }];
    Ok(DeleteResponse { ok: true, shard, epoch, seq, token, trace_id: trace.to_string() })
}

/// A tombstone names its document by `_id`, and a document without one can have none.
fn no_tombstone(address: &Address) -> Failure {
    let message = format!(
        "{} is the place of a document without an _id, and only documents with an _id can be deleted one by one",
        address.id
    );
    Failure::bad_request("no_explicit_id", message)
}

//! Deleting: a tombstone in the log of the id's shard, as durable and as soon visible as any write.

use std::time::SystemTime;

use grepzilla_api::document::DeleteResponse;
use grepzilla_api::ingest::TokenPart;
use grepzilla_api::peer::AppendAnswer;
use grepzilla_model::routing::bucket_of_id;
use grepzilla_model::{Batch, BodyHash, Bucket, KeyHash, Record, RecordKind, SharedText, TimeNs};

use crate::document::Asked;
use crate::document::address::Address;
use crate::ingest::deliver;
use crate::server::answer::Failure;

/// Deletes the document with an `_id`. Doing it again is harmless: there is nothing left to delete.
pub(super) async fn run(asked: &Asked<'_>) -> Result<DeleteResponse, Failure> {
    let address = &asked.address;
    let bucket = bucket_of_id(&address.index, &address.id);
    let shard = asked.app.node.topology().ring.shard_of(bucket);
    let found = asked.by_id(shard).await?.is_some();
    if !found && address.place().is_some() {
        return Err(no_tombstone(address));
    }
    let appended = deliver(asked.app, asked.trace, shard, tombstone(address, bucket), asked.deadline).await;
    let AppendAnswer { epoch, last_seq: seq, .. } = appended.map_err(|failure| failure.into_failure(shard))?;
    let token = vec![TokenPart { shard, epoch, seq }];
    Ok(DeleteResponse { ok: true, found, shard, epoch, seq, token, trace_id: asked.trace.to_string() })
}

fn tombstone(address: &Address, bucket: Bucket) -> Batch {
    let received = TimeNs::from_system(SystemTime::now());
    let record = Record {
        kind: RecordKind::Tombstone,
        bucket,
        index: address.index.clone(),
        id: Some(address.id.clone()),
        time: received,
        source: SharedText::default(),
    };
    Batch { key: KeyHash::default(), body: BodyHash::default(), received, records: vec![record] }
}

/// A tombstone names its document by `_id`, and a document without one can have none.
fn no_tombstone(address: &Address) -> Failure {
    let message = format!(
        "{} is the place of a document without an _id, and only documents with an _id can be deleted one by one",
        address.id
    );
    Failure::bad_request("no_explicit_id", message)
}

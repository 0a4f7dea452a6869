//! Finding one document: on this node, or through the peer port of its shard's leader.

use std::time::{Duration, SystemTime};

use grepzilla_api::peer::{LogPosition, LookUp, LookUpAnswer, LookedUp, NOT_LEADER};
use grepzilla_model::{ShardId, TimeNs};
use grepzilla_storage::StoredDocument;
use http::StatusCode;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use crate::document::Asked;
use crate::metrics::peers::{PeerOperation, PeerOutcome};
use crate::node::{Leader, LeaderShard};
use crate::peers::PeerFailure;
use crate::server::answer::Failure;
use crate::shards::table::lacks;

/// What a node that was taken for the leader by mistake gives the news to arrive before it is looked up again.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

impl Asked<'_> {
    /// The newest version of the document with the `_id` asked for.
    pub(super) async fn by_id(&self, shard: ShardId) -> Result<Option<LookedUp>, Failure> {
        let wanted = LookUp::Id { index: self.address.index.clone(), id: self.address.id.to_string() };
        self.look_up(shard, wanted).await
    }

    /// The document at the place asked for: one without an `_id`, for others are named by theirs.
    pub(super) async fn by_place(&self, shard: ShardId, place: LogPosition) -> Result<Option<LookedUp>, Failure> {
        let found = self.look_up(shard, LookUp::Place(place)).await?;
        let is_meant = |found: &LookedUp| !self.address.index_is_given || found.index == self.address.index;
        Ok(found.filter(|found| found.id.is_none() && is_meant(found)))
    }

    async fn look_up(&self, shard: ShardId, wanted: LookUp) -> Result<Option<LookedUp>, Failure> {
        match self.look_up_once(shard, &wanted).await {
            Err(NotLookedUp::Moved) => {}
            Err(NotLookedUp::Failed(failure)) => return Err(failure),
            Ok(answer) => return Ok(answer.document),
        }
        // Leadership has just moved: look again once.
        sleep(REFRESH_PAUSE).await;
        match self.look_up_once(shard, &wanted).await {
            Ok(answer) => Ok(answer.document),
            Err(NotLookedUp::Failed(failure)) => Err(failure),
            Err(NotLookedUp::Moved) => {
                let message = format!("the leadership of shard {shard} is moving: try again");
                Err(Failure::unavailable("no_leader", message))
            }
        }
    }

    async fn look_up_once(&self, shard: ShardId, wanted: &LookUp) -> Result<LookUpAnswer, NotLookedUp> {
        let peer = match self.app.node.leader_of(shard) {
            Leader::Here(held) | Leader::ReadOnlyHere { shard: held, .. } => {
                return Ok(look_up_here(&held, wanted.clone()).await?);
            }
            Leader::At { peer, .. } => peer,
            Leader::Nobody { reason } => {
                return Err(Failure::unavailable("no_leader", format!("shard {shard}: {reason}")).into());
            }
        };
        let time_max = self.deadline.saturating_duration_since(Instant::now());
        let outcome = self.app.peers.look_up(&peer, shard, wanted, self.trace, time_max).await;
        let word = outcome.as_ref().map_or_else(PeerFailure::outcome, |_| PeerOutcome::Done);
        self.app.metrics.peers.ended(PeerOperation::LookUp, word);
        outcome.map_err(|failure| of_peer(shard, failure))
    }
}

/// Why a shard was not asked.
enum NotLookedUp {
    /// The node that was asked does not lead it.
    Moved,
    Failed(Failure),
}

impl From<Failure> for NotLookedUp {
    fn from(failure: Failure) -> NotLookedUp {
        NotLookedUp::Failed(failure)
    }
}

fn of_peer(shard: ShardId, failure: PeerFailure) -> NotLookedUp {
    let message = format!("shard {shard}: {failure}");
    match failure {
        PeerFailure::Refused { code, .. } if code == NOT_LEADER => NotLookedUp::Moved,
        PeerFailure::Refused { status: StatusCode::SERVICE_UNAVAILABLE, code, .. } => {
            Failure::unavailable(code, message).into()
        }
        PeerFailure::Refused { .. } | PeerFailure::Unreachable { .. } | PeerFailure::NoAnswer { .. } => {
            Failure::unavailable("unreachable", message).into()
        }
    }
}

/// Looks a document up in a shard that this node holds, on a thread that may wait for the disk.
pub(crate) async fn look_up_here(held: &LeaderShard, wanted: LookUp) -> Result<LookUpAnswer, Failure> {
    let (log, shard) = (held.log.clone(), held.shard);
    let find = move || match wanted {
        LookUp::Id { index, id } => log.get(&index, &id),
        LookUp::Place(LogPosition { epoch, seq }) => log.get_at(epoch, seq),
    };
    let found = tokio::task::spawn_blocking(find).await.map_err(|error| {
        tracing::error!(%shard, %error, "a look-up panicked");
        Failure::internal("the node hit a bug while it looked for this document; its log has this trace id")
    })?;
    let found = found.map_err(|error| {
        tracing::error!(%shard, %error, "a segment could not be read while a document was looked up");
        Failure::internal("the node could not read the document; its log has this trace id")
    })?;
    let now = TimeNs::from_system(SystemTime::now());
    let found = found.filter(|found| !held.log.hides(found, now));
    if let (None, Some(damage)) = (&found, lacks(shard, &held.log.damage())) {
        return Err(Failure::unavailable(
            "damaged",
            format!("the document may be among those that are missing: {damage}"),
        ));
    }
    Ok(LookUpAnswer { document: found.map(|found| looked_up(shard, found)).transpose()? })
}

fn looked_up(shard: ShardId, found: StoredDocument) -> Result<LookedUp, Failure> {
    let StoredDocument { index, stamp, id, source, .. } = found;
    let source = RawValue::from_string(source).map_err(|error| {
        tracing::error!(%shard, seq = %stamp.seq, %error, "a stored document is not JSON");
        Failure::internal(format!("the document at position {} of shard {shard} is not JSON", stamp.seq))
    })?;
    let id = id.map(|id| id.to_string());
    Ok(LookedUp { index, id, epoch: stamp.epoch, seq: stamp.seq, time: stamp.time, source })
}

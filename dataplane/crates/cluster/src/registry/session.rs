//! One lease and what stands under it.

use std::collections::BTreeMap;
use std::time::Duration;

use grepzilla_model::{Epoch, NodeName, ShardId};

use super::{Desired, RegistrationState};
use crate::keyspace::{Key, Keys, LeaderRecord, NodeRecord, Value};
use crate::store::{Entry, LeaseId, Outcome, Revision, SharedStore, StoreError, Transaction};

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// On purpose; its keys are deleted, or will be when the lease expires.
    Cancelled,
    /// The store has let the lease expire.
    LeaseGone,
}

/// A lease, and what is known to stand under it. What is not known is written again.
#[derive(Debug)]
pub(super) struct Session {
    store: SharedStore,
    keys: Keys,
    lease: LeaseId,
    presence: Presence,
    leading: BTreeMap<ShardId, (Epoch, Revision)>,
}

/// What is known of the node's own key.
#[derive(Debug)]
enum Presence {
    /// The process starts: whatever stands there is from an older one.
    TakeOver,
    /// Another process may have come meanwhile.
    OnlyIfFree,
    /// Ours.
    Written(NodeRecord, Revision),
    /// Another process's.
    Taken(Option<LeaseId>),
}

impl Session {
    pub(super) fn new(store: SharedStore, keys: Keys, lease: LeaseId, first: bool) -> Session {
        let presence = if first { Presence::TakeOver } else { Presence::OnlyIfFree };
        Session { store, keys, lease, presence, leading: BTreeMap::new() }
    }

    pub(super) fn is_registered(&self) -> bool {
        matches!(self.presence, Presence::Written(..))
    }

    pub(super) fn state(&self) -> RegistrationState {
        match &self.presence {
            Presence::Written(..) => RegistrationState::Registered(self.lease),
            Presence::Taken(lease) => RegistrationState::NameTaken { lease: *lease },
            Presence::TakeOver | Presence::OnlyIfFree => {
                RegistrationState::Absent { reason: "the record is not written yet".to_owned() }
            }
        }
    }

    /// Gives word once. Its deadline is its own, because a lost lease may yield no answer at all.
    pub(super) async fn keep_alive(&self, deadline: Duration) -> Result<(), StoreError> {
        match tokio::time::timeout(deadline, self.store.keep_alive(self.lease)).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unavailable { reason: format!("no answer to a keep-alive in {deadline:?}") }),
        }
    }

    /// Takes everything away. What cannot be reached in time expires.
    pub(super) async fn leave(&self, deadline: Duration) -> Ended {
        match tokio::time::timeout(deadline, self.store.revoke(self.lease)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!(%error, "the registration could not be taken away; it expires"),
            Err(_) => tracing::info!("the registration could not be taken away in time; it expires"),
        }
        Ended::Cancelled
    }

    /// Writes what is desired and not known to stand there. What was cut off by the deadline is looked at next time.
    pub(super) async fn publish(&mut self, desired: &Desired, deadline: Duration) -> Result<(), StoreError> {
        match tokio::time::timeout(deadline, self.write(desired)).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unknown { reason: format!("no answer to the registration in {deadline:?}") }),
        }
    }

    async fn write(&mut self, desired: &Desired) -> Result<(), StoreError> {
        self.publish_record(&desired.record).await?;
        let node = &desired.record.name;
        let withdrawn: Vec<ShardId> =
            self.leading.keys().filter(|shard| !desired.leading.contains_key(shard)).copied().collect();
        for shard in withdrawn {
            self.withdraw(shard).await?;
        }
        for (&shard, &epoch) in &desired.leading {
            if self.leading.get(&shard).is_none_or(|(announced, _)| *announced != epoch) {
                self.announce(node, shard, epoch).await?;
            }
        }
        Ok(())
    }

    async fn publish_record(&mut self, record: &NodeRecord) -> Result<(), StoreError> {
        let key = self.keys.text(&Key::Node(record.name.clone()));
        let guard = match &self.presence {
            Presence::Written(written, _) if written == record => return Ok(()),
            Presence::Written(_, revision) => Transaction::new().unchanged(&key, *revision),
            Presence::TakeOver => Transaction::new(),
            Presence::OnlyIfFree | Presence::Taken(_) => Transaction::new().absent(&key),
        };
        match self.store.commit(guard.put_leased(&key, record.encode(), self.lease)).await? {
            Outcome::Committed(revision) => self.presence = Presence::Written(record.clone(), revision),
            Outcome::Conflict => self.presence = self.look_again(&key).await?,
        }
        Ok(())
    }

    /// Our own earlier attempt, whose answer was lost, or another process.
    async fn look_again(&self, key: &str) -> Result<Presence, StoreError> {
        let Some(entry) = self.store.get(key).await? else { return Ok(Presence::OnlyIfFree) };
        match (entry.lease == Some(self.lease), NodeRecord::decode(key, &entry.value)) {
            (true, Ok(record)) => Ok(Presence::Written(record, entry.mod_revision)),
            _ => Ok(Presence::Taken(entry.lease)),
        }
    }

    async fn announce(&mut self, node: &NodeName, shard: ShardId, epoch: Epoch) -> Result<(), StoreError> {
        let key = self.keys.text(&Key::ShardLeader(shard));
        let entry = self.store.get(&key).await?;
        if announced_epoch(entry.as_ref()).is_some_and(|announced| announced > epoch) {
            return Ok(());
        }
        let revision = entry.map_or(Revision(0), |entry| entry.mod_revision);
        let value = LeaderRecord { node: node.clone(), epoch }.encode();
        let transaction = Transaction::new().unchanged(&key, revision).put_leased(&key, value, self.lease);
        // A conflict is looked at in the next round.
        if let Outcome::Committed(revision) = self.store.commit(transaction).await? {
            self.leading.insert(shard, (epoch, revision));
        }
        Ok(())
    }

    async fn withdraw(&mut self, shard: ShardId) -> Result<(), StoreError> {
        let Some(&(_, revision)) = self.leading.get(&shard) else { return Ok(()) };
        let key = self.keys.text(&Key::ShardLeader(shard));
        // A conflict means that another leader is announced already, which is as good.
        self.store.commit(Transaction::new().unchanged(&key, revision).delete(&key)).await?;
        self.leading.remove(&shard);
        Ok(())
    }
}

/// The epoch of the leader that is announced; `None` if there is none or it cannot be read.
fn announced_epoch(entry: Option<&Entry>) -> Option<Epoch> {
    let entry = entry?;
    LeaderRecord::decode(&entry.key, &entry.value).ok().map(|record| record.epoch)
}

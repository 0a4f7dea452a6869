//! The metadata store in memory: the twin of etcd for tests and simulations.
//!
//! It holds the same contract as the other homes. Its clock is tokio's, so a test that pauses time moves leases by
//! hand. It starts no task: leases expire when somebody looks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;

use super::local::{Expiry, Local, Plan};
use super::{Changes, Entry, LeaseId, Listing, MetadataStore, Outcome, Revision, StoreError, Transaction};

/// A store that dies with the process.
#[derive(Debug)]
pub struct MemoryStore {
    local: Arc<Local>,
}

impl MemoryStore {
    /// An empty store. Its first revision is 1, as in etcd.
    pub fn new() -> MemoryStore {
        MemoryStore { local: Arc::new(Local::new(BTreeMap::new(), Revision(1), Expiry::ByLooking)) }
    }

    /// Forgets the history below `revision`, as etcd does from time to time.
    pub fn compact(&self, revision: Revision) {
        self.local.look(|state| state.compact(revision));
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl MetadataStore for MemoryStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        async move { Ok(self.local.look(|state| state.get(key))) }.boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Listing, StoreError>> {
        async move { Ok(self.local.look(|state| state.list(prefix))) }.boxed()
    }

    fn watch(&self, prefix: &str, from: Revision) -> BoxStream<'static, Result<Changes, StoreError>> {
        self.local.watch(prefix, from)
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        let work = move || {
            self.local.look(|state| match state.plan(&transaction)? {
                Plan::Conflict => Ok(Outcome::Conflict),
                Plan::Nothing(revision) => Ok(Outcome::Committed(revision)),
                Plan::Change(changes) => {
                    let revision = changes.revision;
                    state.apply(changes);
                    Ok(Outcome::Committed(revision))
                }
            })
        };
        async move { work() }.boxed()
    }

    fn grant(&self, ttl: Duration) -> BoxFuture<'_, Result<(LeaseId, Duration), StoreError>> {
        async move {
            let lease = self.local.look(|state| state.grant(ttl))?;
            self.local.ring();
            Ok((lease, ttl))
        }
        .boxed()
    }

    fn keep_alive(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.local.look(|state| state.keep_alive(lease)) }.boxed()
    }

    fn revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.local.look(|state| state.end(lease));
            Ok(())
        }
        .boxed()
    }
}

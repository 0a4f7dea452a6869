//! A metadata store whose network is bad: it goes away, loses requests, loses answers, and delivers requests late.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, unfold};
use grepzilla_cluster::store::{
    Changes, Entry, LeaseId, Listing, MetadataStore, Outcome, Revision, SharedStore, StoreError, Transaction,
};
use parking_lot::Mutex;
use tokio::sync::watch;

/// What happens to one transaction.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is done, and nobody learns it.
    LoseAnswer,
    /// It is not done, and nobody learns it.
    LoseRequest,
    /// Nobody learns of it, and it is done just before the next transaction.
    DeliverLate,
    /// This one is done just before it.
    Interlope(Transaction),
}

/// Another store, seen through a bad network.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: SharedStore,
    away: watch::Sender<bool>,
    faults: Mutex<VecDeque<Fault>>,
    late: Mutex<Vec<Transaction>>,
}

impl FaultyStore {
    pub(crate) fn new(inner: SharedStore) -> Arc<FaultyStore> {
        Arc::new(FaultyStore {
            inner,
            away: watch::Sender::new(false),
            faults: Mutex::default(),
            late: Mutex::default(),
        })
    }

    /// Cuts the store off, or brings it back. Watches fall silent meanwhile.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.send_replace(away);
    }

    /// What happens to the next transactions, in order.
    pub(crate) fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().extend(faults);
    }

    async fn try_commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        self.reach()?;
        let unknown = || StoreError::Unknown { reason: "the network lost it".to_owned() };
        let late = std::mem::take(&mut *self.late.lock());
        for transaction in late {
            self.inner.commit(transaction).await?;
        }
        let fault = self.faults.lock().pop_front();
        match fault {
            None => self.inner.commit(transaction).await,
            Some(Fault::LoseRequest) => Err(unknown()),
            Some(Fault::LoseAnswer) => {
                self.inner.commit(transaction).await?;
                Err(unknown())
            }
            Some(Fault::DeliverLate) => {
                self.late.lock().push(transaction);
                Err(unknown())
            }
            Some(Fault::Interlope(other)) => {
                self.inner.commit(other).await?;
                self.inner.commit(transaction).await
            }
        }
    }

    fn reach(&self) -> Result<(), StoreError> {
        match *self.away.borrow() {
            true => Err(StoreError::Unavailable { reason: "the network is down".to_owned() }),
            false => Ok(()),
        }
    }
}

impl MetadataStore for FaultyStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        async move {
            self.reach()?;
            self.inner.get(key).await
        }
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Listing, StoreError>> {
        async move {
            self.reach()?;
            self.inner.list(prefix).await
        }
        .boxed()
    }

    fn watch(&self, prefix: &str, from: Revision) -> BoxStream<'static, Result<Changes, StoreError>> {
        let state = (self.inner.watch(prefix, from), self.away.subscribe());
        unfold(state, |(mut inner, mut away)| async move {
            let item = inner.next().await?;
            away.wait_for(|away| !away).await.ok()?;
            Some((item, (inner, away)))
        })
        .boxed()
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.try_commit(transaction).boxed()
    }

    fn grant(&self, ttl: Duration) -> BoxFuture<'_, Result<(LeaseId, Duration), StoreError>> {
        async move {
            self.reach()?;
            self.inner.grant(ttl).await
        }
        .boxed()
    }

    fn keep_alive(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.reach()?;
            self.inner.keep_alive(lease).await
        }
        .boxed()
    }

    fn revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.reach()?;
            self.inner.revoke(lease).await
        }
        .boxed()
    }
}

//! Errors of the metadata store, counted by what was asked of it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use grepzilla_cluster::store::{
    Changes, Entry, LeaseId, Listing, MetadataStore, Outcome, Revision, SharedStore, StoreError, Transaction,
};
use prometheus::{IntCounter, IntCounterVec, Opts};

/// The counters: one for each call of the store's contract.
#[derive(Debug, Clone)]
pub(crate) struct StoreErrors {
    pub(super) by_operation: IntCounterVec,
}

/// What can be asked.
const OPERATIONS: [&str; 7] = ["get", "list", "watch", "commit", "grant", "keep_alive", "revoke"];

impl StoreErrors {
    /// Everything at zero.
    pub(crate) fn new() -> Result<StoreErrors, prometheus::Error> {
        let help = "Calls of the metadata store that failed, by what they asked.";
        let by_operation = IntCounterVec::new(Opts::new("etcd_errors_total", help), &["op"])?;
        for operation in OPERATIONS {
            by_operation.with_label_values(&[operation]);
        }
        Ok(StoreErrors { by_operation })
    }
}

/// A store that counts what fails, and changes nothing else.
#[derive(Debug)]
pub(crate) struct CountingStore {
    inner: SharedStore,
    errors: StoreErrors,
}

impl CountingStore {
    /// The same store, counted.
    pub(crate) fn wrap(inner: SharedStore, errors: &StoreErrors) -> SharedStore {
        Arc::new(CountingStore { inner, errors: errors.clone() })
    }

    fn errors(&self, operation: &str) -> IntCounter {
        self.errors.by_operation.with_label_values(&[operation])
    }
}

fn counted<T>(outcome: Result<T, StoreError>, errors: &IntCounter) -> Result<T, StoreError> {
    outcome.inspect_err(|_| errors.inc())
}

impl MetadataStore for CountingStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        self.inner.get(key).map(|outcome| counted(outcome, &self.errors("get"))).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Listing, StoreError>> {
        self.inner.list(prefix).map(|outcome| counted(outcome, &self.errors("list"))).boxed()
    }

    fn watch(&self, prefix: &str, from: Revision) -> BoxStream<'static, Result<Changes, StoreError>> {
        let errors = self.errors("watch");
        self.inner.watch(prefix, from).map(move |outcome| counted(outcome, &errors)).boxed()
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.inner.commit(transaction).map(|outcome| counted(outcome, &self.errors("commit"))).boxed()
    }

    fn grant(&self, ttl: Duration) -> BoxFuture<'_, Result<(LeaseId, Duration), StoreError>> {
        self.inner.grant(ttl).map(|outcome| counted(outcome, &self.errors("grant"))).boxed()
    }

    fn keep_alive(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.keep_alive(lease).map(|outcome| counted(outcome, &self.errors("keep_alive"))).boxed()
    }

    fn revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.revoke(lease).map(|outcome| counted(outcome, &self.errors("revoke"))).boxed()
    }
}

#[cfg(test)]
mod tests {
    use grepzilla_cluster::store::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn what_fails_is_counted_under_its_own_name_and_nothing_else_is() {
        let errors = StoreErrors::new().expect("well named");
        let store = CountingStore::wrap(Arc::new(MemoryStore::new()), &errors);
        assert!(store.get("/a").await.expect("answers").is_none());
        assert!(store.keep_alive(LeaseId(77)).await.is_err());
        assert!(store.keep_alive(LeaseId(77)).await.is_err());
        let count = |operation: &str| errors.by_operation.with_label_values(&[operation]).get();
        assert_eq!((count("keep_alive"), count("get"), count("commit")), (2, 0, 0));
    }
}

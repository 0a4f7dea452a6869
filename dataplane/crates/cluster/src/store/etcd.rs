//! The metadata store in etcd: for clusters.
//!
//! Several endpoints are one store. One of them is used until it fails, then the next one. Each call has a deadline. A
//! read is tried on every member; a transaction goes on to the next member only if it was certainly not sent, otherwise
//! its outcome is unknown. Every request demands that the member sees a leader, so a member that a partition has cut
//! off answers at once instead of hanging.
//!
//! Members whose version has known stale reads or lease bugs are refused unless the options allow them.

mod failure;
mod pool;
mod version;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, Compare as EtcdCompare, CompareOp, GetOptions, KeyValue, PutOptions, Txn, TxnOp};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;

use super::{
    Changes, Compare, Entry, LeaseId, Listing, MetadataStore, Operation, Outcome, Revision, StoreError, Transaction,
};
use failure::Failure;
use pool::Pool;
use watch::Watcher;

/// A listing or a batch of changes is as large as the keyspace; etcd bounds that itself.
const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

/// How to reach etcd.
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    /// The members' client addresses, each as `http://host:port`. At least one.
    pub endpoints: Vec<String>,
    /// Who we are, if etcd asks.
    pub credentials: Option<EtcdCredentials>,
    /// How long one member has for one call. Default 2 s.
    pub call_timeout: Duration,
    /// How long one member has for taking a connection; below `call_timeout`, so that a connection that never came is
    /// told apart from an answer that never came. Default 1 s.
    pub connect_timeout: Duration,
    /// Uses members whose version has known stale reads or lease bugs: for tests. Default no.
    pub allow_unsound_versions: bool,
}

impl EtcdOptions {
    /// The defaults, for these endpoints.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> EtcdOptions {
        EtcdOptions {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            credentials: None,
            call_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            allow_unsound_versions: false,
        }
    }
}

/// A user of etcd.
#[derive(Clone)]
pub struct EtcdCredentials {
    /// The name.
    pub user: String,
    /// The password. Never printed.
    pub password: String,
}

impl fmt::Debug for EtcdCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdCredentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A store in etcd.
#[derive(Debug)]
pub struct EtcdStore {
    pool: Arc<Pool>,
}

impl EtcdStore {
    /// A store that connects when it is first used. Refuses endpoints that are none.
    pub fn new(options: EtcdOptions) -> Result<EtcdStore, StoreError> {
        Ok(EtcdStore { pool: Arc::new(Pool::new(options)?) })
    }

    /// A call that may be repeated: it is tried once on each member.
    async fn repeatable<'a, R>(
        &self,
        call: impl Fn(Client) -> BoxFuture<'a, Result<R, etcd_client::Error>>,
    ) -> Result<R, Failure> {
        let mut last = None;
        for _ in 0..self.pool.size() {
            match self.pool.call(&call).await {
                Err(failure @ (Failure::NotDone(_) | Failure::Lost(_))) => last = Some(failure),
                decided => return decided,
            }
        }
        Err(last.expect("a store has at least one endpoint"))
    }
}

impl MetadataStore for EtcdStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        async move {
            let mut response =
                self.repeatable(|client| get(client, key, None).boxed()).await.map_err(Failure::of_read)?;
            response.take_kvs().into_iter().next().map(entry).transpose()
        }
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Listing, StoreError>> {
        async move {
            let options = || Some(GetOptions::new().with_prefix());
            let response = self.repeatable(|client| get(client, prefix, options()).boxed()).await;
            let mut response = response.map_err(Failure::of_read)?;
            let revision = revision(response.header())?;
            let entries = response.take_kvs().into_iter().map(entry).collect::<Result<_, _>>()?;
            Ok(Listing { entries, revision })
        }
        .boxed()
    }

    fn watch(&self, prefix: &str, from: Revision) -> BoxStream<'static, Result<Changes, StoreError>> {
        Watcher::new(self.pool.clone(), prefix, from).stream()
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        async move {
            transaction.check()?;
            let lease = transaction.operations.iter().find_map(Operation::lease);
            let txn = render(transaction);
            let mut last = None;
            for _ in 0..self.pool.size() {
                let txn = txn.clone();
                match self.pool.call(|client| commit(client, txn.clone()).boxed()).await {
                    Ok(response) if response.succeeded() => {
                        return Ok(Outcome::Committed(revision(response.header())?));
                    }
                    Ok(_) => return Ok(Outcome::Conflict),
                    Err(Failure::NotDone(reason)) => last = Some(Failure::NotDone(reason)),
                    Err(failure) => return Err(failure.of_commit(lease)),
                }
            }
            Err(last.expect("a store has at least one endpoint").of_commit(lease))
        }
        .boxed()
    }

    fn grant(&self, ttl: Duration) -> BoxFuture<'_, Result<(LeaseId, Duration), StoreError>> {
        async move {
            if ttl.is_zero() {
                return Err(StoreError::Refused { reason: "a lease lives longer than 0 s".to_owned() });
            }
            // etcd counts whole seconds; a longer lease is within the contract, a shorter one is not.
            let seconds = i64::try_from(ttl.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX);
            let call = |mut client: Client| async move { client.lease_grant(seconds, None).await }.boxed();
            let granted = self.repeatable(call).await.map_err(Failure::of_read)?;
            Ok((LeaseId(granted.id()), Duration::from_secs(granted.ttl().unsigned_abs())))
        }
        .boxed()
    }

    fn keep_alive(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let call = |mut client: Client| async move { client.lease_keep_alive(lease.0).await }.boxed();
            self.repeatable(call).await.map(|_| ()).map_err(|failure| failure.of_lease(lease))
        }
        .boxed()
    }

    fn revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let call = |mut client: Client| async move { client.lease_revoke(lease.0).await }.boxed();
            match self.repeatable(call).await.map_err(|failure| failure.of_lease(lease)) {
                Ok(_) | Err(StoreError::LeaseGone(_)) => Ok(()),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }
}

async fn get(
    client: Client,
    key: &str,
    options: Option<GetOptions>,
) -> Result<etcd_client::GetResponse, etcd_client::Error> {
    client.kv_client().max_decoding_message_size(MESSAGE_BYTES_MAX).get(key, options).await
}

async fn commit(mut client: Client, txn: Txn) -> Result<etcd_client::TxnResponse, etcd_client::Error> {
    client.txn(txn).await
}

fn render(transaction: Transaction) -> Txn {
    let compare = |compare| match compare {
        Compare::Absent(key) => EtcdCompare::mod_revision(key, CompareOp::Equal, 0),
        Compare::Unchanged(key, revision) => EtcdCompare::mod_revision(key, CompareOp::Equal, revision.0),
    };
    let operation = |operation| match operation {
        Operation::Put { key, value, lease } => {
            TxnOp::put(key, value, lease.map(|lease| PutOptions::new().with_lease(lease.0)))
        }
        Operation::Delete { key } => TxnOp::delete(key, None),
    };
    let compares: Vec<EtcdCompare> = transaction.compares.into_iter().map(compare).collect();
    let operations: Vec<TxnOp> = transaction.operations.into_iter().map(operation).collect();
    Txn::new().when(compares).and_then(operations)
}

fn entry(found: KeyValue) -> Result<Entry, StoreError> {
    let (mod_revision, lease) = (Revision(found.mod_revision()), found.lease());
    let (key, value) = found.into_key_value();
    let key =
        String::from_utf8(key).map_err(|error| StoreError::Refused { reason: format!("a key is no text: {error}") })?;
    Ok(Entry { key, value, mod_revision, lease: (lease != 0).then_some(LeaseId(lease)) })
}

fn revision(header: Option<&etcd_client::ResponseHeader>) -> Result<Revision, StoreError> {
    let missing = || StoreError::Refused { reason: "etcd answered without a revision".to_owned() };
    header.map(|header| Revision(header.revision())).ok_or_else(missing)
}

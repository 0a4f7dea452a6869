//! The metadata store on disk: for a node that is alone, without etcd.
//!
//! It holds the same contract as the other homes. A transaction is durable before it is visible and before it is
//! answered. Leases live in memory: when the store is opened, they and their keys are gone, as after the expiry of all
//! leases. History begins anew too, so a watch from an earlier revision gets `Compacted`.
//!
//! One thread of its own does all writing. A write that fails leaves nobody knowing what the disk holds, so it aborts
//! the process: what starts next reads the truth.

mod file;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;
use tokio::sync::{mpsc, oneshot};

use super::local::{Expiry, Local};
use super::{Changes, Entry, LeaseId, Listing, MetadataStore, Outcome, Revision, StoreError, Transaction};
use file::{Contents, MetadataFile};
use worker::{Request, Worker};

/// Requests that wait for the writing thread; whoever comes then waits too. Each waits for a sync of the disk, so a
/// longer queue would only hide that the disk is slow.
const QUEUE_MAX: usize = 64;

/// A store in one file, which belongs to this process as long as this lives.
#[derive(Debug)]
pub struct DiskStore {
    local: Arc<Local>,
    /// `None` only while it is dropped.
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl DiskStore {
    /// Opens the store in a file, making it if it is not there. Blocks on the disk.
    pub fn open(path: &Path) -> Result<DiskStore, DiskStoreError> {
        let (file, contents) = MetadataFile::open(path)?;
        DiskStore::start(path, file, contents)
    }

    fn start(path: &Path, file: MetadataFile, contents: Contents) -> Result<DiskStore, DiskStoreError> {
        let thread_error = |source| DiskStoreError::Thread { path: path.to_owned(), source };
        let local = Arc::new(Local::new(contents.entries, contents.revision, Expiry::ByOwner));
        let (requests, receiver) = mpsc::channel(QUEUE_MAX);
        let worker = Worker::new(file, local.clone(), receiver);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(thread_error)?;
        let thread = std::thread::Builder::new()
            .name("metadata-disk".to_owned())
            .spawn(move || runtime.block_on(worker.run()))
            .map_err(thread_error)?;
        Ok(DiskStore { local, requests: Some(requests), thread: Some(thread) })
    }

    /// Hands a request to the thread and waits for its answer.
    async fn ask<R>(&self, request: impl FnOnce(oneshot::Sender<R>) -> Request) -> Result<R, StoreError> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().expect("the thread is only given up when the store is dropped");
        let unavailable = StoreError::Unavailable { reason: "the thread of the metadata store has ended".to_owned() };
        if requests.send(request(reply)).await.is_err() {
            return Err(unavailable);
        }
        answer
            .await
            .map_err(|_| StoreError::Unknown { reason: "the thread of the metadata store has ended".to_owned() })
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the metadata store has panicked");
        }
    }
}

impl MetadataStore for DiskStore {
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
        async move { self.ask(|reply| Request::Commit { transaction, reply }).await? }.boxed()
    }

    fn grant(&self, ttl: Duration) -> BoxFuture<'_, Result<(LeaseId, Duration), StoreError>> {
        async move { Ok((self.ask(|reply| Request::Grant { ttl, reply }).await??, ttl)) }.boxed()
    }

    fn keep_alive(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.local.look(|state| state.keep_alive(lease)) }.boxed()
    }

    fn revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.ask(|reply| Request::Revoke { lease, reply }).await }.boxed()
    }
}

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DiskStoreError {
    /// The file cannot be read or written, or another process has it.
    #[error("the metadata store {path} cannot be opened")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
    /// The folder around the file cannot be synced.
    #[error("the folder of the metadata store {path} cannot be synced")]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A newer program wrote it.
    #[error("the metadata store {path} has format {found}, but this program knows formats up to {known}: upgrade it")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that can be read.
        known: i64,
    },
    /// The thread cannot be started.
    #[error("the thread of the metadata store {path} cannot be started")]
    Thread {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests;

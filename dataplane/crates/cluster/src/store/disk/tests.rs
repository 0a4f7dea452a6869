//! What is particular to the disk: what is there after a restart, and what happens when the disk fails.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::*;

fn put(key: &str, value: &str) -> Transaction {
    Transaction::new().put(key, value)
}

#[tokio::test]
async fn reopened_store_has_everything_but_what_was_leased() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.redb");
    let store = DiskStore::open(&path).unwrap();
    let Outcome::Committed(kept) = store.commit(put("/a", "1")).await.unwrap() else { panic!("a conflict") };
    let (lease, _) = store.grant(Duration::from_secs(60)).await.unwrap();
    let leased = Transaction::new().put_leased("/b", "2", lease).put_leased("/c", "3", lease);
    let Outcome::Committed(last) = store.commit(leased).await.unwrap() else { panic!("a conflict") };
    drop(store);

    let store = DiskStore::open(&path).unwrap();
    let listing = store.list("/").await.unwrap();
    assert_eq!(listing.entries.len(), 1, "{listing:?}");
    assert_eq!((listing.entries[0].value.as_slice(), listing.entries[0].mod_revision), (b"1".as_slice(), kept));
    assert!(listing.revision > last, "the deletion of leased keys is a change");
    assert!(matches!(store.keep_alive(lease).await, Err(StoreError::LeaseGone(gone)) if gone == lease));
    let guarded = put("/a", "4").unchanged("/a", kept);
    assert!(matches!(store.commit(guarded).await.unwrap(), Outcome::Committed(next) if next > listing.revision));
    let error = store.watch("/", kept).next().await.expect("an answer").unwrap_err();
    assert!(matches!(error, StoreError::Compacted { .. }), "{error}");
}

#[tokio::test]
async fn a_second_process_is_refused_while_the_first_one_has_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.redb");
    let first = DiskStore::open(&path).unwrap();
    assert!(matches!(DiskStore::open(&path), Err(DiskStoreError::Open { .. })));
    drop(first);
    DiskStore::open(&path).expect("the file is free again");
}

#[test]
fn a_newer_format_is_refused_with_both_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.redb");
    drop(DiskStore::open(&path).unwrap());
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, i64> = redb::TableDefinition::new("meta");
    write.open_table(meta).unwrap().insert("format", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    assert!(matches!(DiskStore::open(&path), Err(DiskStoreError::Newer { found: 2, known: 1, .. })));
}

/// Set for the process that is to be aborted.
const VICTIM: &str = "GREPZILLA_TEST_VICTIM";

#[test]
fn a_failed_sync_aborts_the_process() {
    if std::env::var_os(VICTIM).is_some() {
        return die_by_a_failed_sync();
    }
    let name = "store::disk::tests::a_failed_sync_aborts_the_process";
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program).args(["--exact", name]).env(VICTIM, "1").output().unwrap();
    assert_eq!(output.status.signal(), Some(6), "not an abort: {output:?}");
}

fn die_by_a_failed_sync() {
    let broken = Arc::new(AtomicBool::new(false));
    let backend = Breakable { inner: InMemoryBackend::new(), broken: broken.clone() };
    let (file, contents) = MetadataFile::over(backend);
    let store = DiskStore::start(Path::new("memory"), file, contents).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.commit(put("/a", "1"))).expect("the disk is in order");
    broken.store(true, Ordering::SeqCst);
    let outcome = runtime.block_on(store.commit(put("/a", "2")));
    panic!("a failed sync was answered with {outcome:?}");
}

/// A disk whose syncs fail when told to.
#[derive(Debug)]
struct Breakable {
    inner: InMemoryBackend,
    broken: Arc<AtomicBool>,
}

type BackendResult<T> = Result<T, std::io::Error>;

impl StorageBackend for Breakable {
    fn len(&self) -> BackendResult<u64> {
        self.inner.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> BackendResult<()> {
        self.inner.read(offset, out)
    }
    fn set_len(&self, len: u64) -> BackendResult<()> {
        self.inner.set_len(len)
    }
    fn sync_data(&self) -> BackendResult<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the disk does not sync"));
        }
        self.inner.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> BackendResult<()> {
        self.inner.write(offset, data)
    }
}

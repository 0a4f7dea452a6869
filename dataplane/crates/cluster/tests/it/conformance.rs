//! What every home of the metadata store does: one list of behaviours, run against all three.
//!
//! Each behaviour has keys of its own, so that all run at once on one store.

mod leases;
mod transactions;
mod values;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use grepzilla_cluster::store::disk::DiskStore;
use grepzilla_cluster::store::memory::MemoryStore;
use grepzilla_cluster::store::{Changes, Entry, Outcome, Revision, SharedStore, StoreError, Transaction};

use crate::etcd::EtcdProcess;

/// No behaviour takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

macro_rules! behaviours {
    ($($room:ident :: $name:ident),* $(,)?) => {
        /// The list.
        const BEHAVIOURS: &[(&str, fn(Home) -> BoxFuture<'static, ()>)] =
            &[$((stringify!($name), |home| $room::$name(home).boxed())),*];
    };
}

behaviours![
    values::a_key_that_is_not_there_is_none,
    values::what_was_put_is_read_with_its_revision,
    values::a_listing_has_exactly_the_keys_with_the_prefix_in_order,
    values::an_empty_prefix_lists_everything,
    values::a_large_value_survives_read_list_and_watch,
    values::a_deleted_key_is_gone_and_comes_back_with_a_higher_revision,
    transactions::absent_holds_once,
    transactions::unchanged_holds_for_the_last_revision_only,
    transactions::a_failed_comparison_leaves_every_key_alone,
    transactions::all_operations_have_one_revision,
    transactions::deleting_what_is_not_there_changes_nothing,
    transactions::revisions_rise_with_every_change,
    transactions::what_no_home_can_do_is_refused,
    transactions::a_counter_raised_by_many_at_once_loses_nothing,
    watches::a_watch_begins_in_the_past_and_goes_on_without_gap_or_repeat,
    watches::a_watch_of_the_future_begins_there,
    watches::a_watch_sees_its_prefix_only_and_no_revision_split,
    watches::a_watch_sees_deletes_with_their_revision,
    watches::watches_do_not_disturb_each_other,
    watches::an_idle_watch_gives_signs_of_life,
    leases::an_expired_lease_takes_its_keys_and_watches_see_it,
    leases::a_lease_that_is_kept_alive_outlives_its_ttl,
    leases::nothing_can_be_bound_to_a_lease_that_is_gone,
    leases::a_revoked_lease_takes_its_keys_at_once,
    leases::a_key_that_was_put_again_forgets_its_first_lease,
    leases::a_lease_without_a_length_is_refused,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract() {
    run(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    run(Arc::new(DiskStore::open(&folder.path().join("metadata.redb")).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_keeps_the_contract() {
    let etcd = EtcdProcess::start().await;
    run(etcd.store()).await;
}

/// Runs the whole list at once and names everything that failed.
async fn run(store: SharedStore) {
    let running: Vec<_> = BEHAVIOURS
        .iter()
        .map(|(name, behaviour)| {
            let home = Home { store: store.clone(), root: format!("/conformance/{name}/") };
            (*name, tokio::spawn(tokio::time::timeout(PATIENCE, behaviour(home))))
        })
        .collect();
    let mut failed = Vec::new();
    for (name, behaviour) in running {
        match behaviour.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => failed.push(format!("{name} did not end")),
            Err(panic) => failed.push(format!("{name} {panic}")),
        }
    }
    assert!(failed.is_empty(), "broken: {failed:#?}");
}

/// A store, and a corner of it that belongs to one behaviour.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) store: SharedStore,
    pub(crate) root: String,
}

impl Home {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.root)
    }

    async fn get(&self, name: &str) -> Option<Entry> {
        self.store.get(&self.key(name)).await.expect("the store is there")
    }

    async fn commit(&self, transaction: Transaction) -> Outcome {
        self.store.commit(transaction).await.expect("the store is there")
    }

    /// Commits what must not conflict.
    async fn done(&self, transaction: Transaction) -> Revision {
        match self.commit(transaction).await {
            Outcome::Committed(revision) => revision,
            Outcome::Conflict => panic!("a conflict with nobody"),
        }
    }

    async fn put(&self, name: &str, value: &str) -> Revision {
        self.done(Transaction::new().put(self.key(name), value)).await
    }
}

/// The next changes that are more than a sign of life.
async fn next_changes(
    watch: &mut (impl futures::Stream<Item = Result<Changes, StoreError>> + Unpin),
) -> Result<Changes, StoreError> {
    use futures::StreamExt;
    loop {
        let item =
            tokio::time::timeout(Duration::from_secs(10), watch.next()).await.expect("a watch that says nothing");
        match item.expect("a watch does not end by itself") {
            Ok(changes) if changes.changes.is_empty() => {}
            other => return other,
        }
    }
}

//! Manifests of shards in the metadata store: published by compare-and-swap, read, and tidied up.
//!
//! A generation is two keys, written in one transaction: its list, created and never changed, and the head that names it.
//! The transaction compares the head's revision and that of the shard's configuration, whose epoch is the publisher's: so
//! generations rise, and a leader that was replaced publishes nothing, whatever it believes.

mod publish;
mod read;

use std::time::Duration;

use grepzilla_model::{Generation, ShardId, TimeNs};

use crate::keyspace::{Key, Keys, ManifestList};
use crate::read::decode;
use crate::store::{MetadataStore, Outcome, StoreError, TRANSACTION_OPERATIONS_MAX, Transaction};

pub use publish::{LIST_BYTES_MAX, Publication, PublishError};
pub use read::{ManifestReadError, at, newest};

/// Removes the lists of generations that were superseded at least `keep` before `now`. The newest one always stays. Says
/// how many it removed.
///
/// For the shard's leader; harmless if somebody else does it too.
pub async fn remove_superseded(
    store: &dyn MetadataStore,
    keys: &Keys,
    shard: ShardId,
    now: TimeNs,
    keep: Duration,
) -> Result<usize, ManifestReadError> {
    let listing = store.list(&keys.manifest_lists(shard)).await?;
    let mut published = Vec::new();
    for entry in &listing.entries {
        if let Some(Key::ManifestList(_, generation)) = keys.parse(&entry.key) {
            let list: ManifestList = decode(entry)?;
            published.push((generation, list.published));
        }
    }
    published.sort_unstable_by_key(|(generation, _)| *generation);
    let before = TimeNs(now.0.saturating_sub(i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX)));
    let old = superseded_before(&published, before);
    for some in old.chunks(TRANSACTION_OPERATIONS_MAX) {
        let remove = |transaction: Transaction, generation: &Generation| {
            transaction.delete(keys.text(&Key::ManifestList(shard, *generation)))
        };
        match store.commit(some.iter().fold(Transaction::new(), remove)).await {
            // Whether they are gone shows the next time.
            Ok(Outcome::Committed(_) | Outcome::Conflict) | Err(StoreError::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(old.len())
}

/// Of generations with the times of their publishing, ascending, those whose successor was published before a moment. A
/// list whose successor is missing is superseded by whatever comes next.
fn superseded_before(published: &[(Generation, TimeNs)], before: TimeNs) -> Vec<Generation> {
    let with_successors = published.iter().zip(published.iter().skip(1));
    with_successors
        .filter(|(_, (_, superseded))| *superseded <= before)
        .map(|((generation, _), _)| *generation)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_old_when_its_successor_is() {
        let published = [(1, 10), (2, 20), (4, 40), (5, 50)].map(|(number, time)| (Generation(number), TimeNs(time)));
        let old = |before| superseded_before(&published, TimeNs(before)).iter().map(|old| old.0).collect::<Vec<_>>();
        assert_eq!(old(19), [] as [u64; 0]);
        assert_eq!(old(20), [1]);
        assert_eq!(old(49), [1, 2]);
        assert_eq!(old(1_000), [1, 2, 4], "the newest one stays");
        assert!(superseded_before(&[], TimeNs(5)).is_empty());
    }
}

//! Reading manifests.

use grepzilla_model::{Generation, Manifest, ShardId};

use crate::keyspace::{Key, Keys, ManifestHead, ManifestList, ValueError};
use crate::read::{Known, read};
use crate::store::{MetadataStore, Revision, StoreError};

/// Rounds of reading before a reader gives up: in between the head may move on and the list that it named may go.
const ROUNDS_MAX: usize = 4;

/// The newest manifest of a shard. `None`: none was ever published.
pub async fn newest(
    store: &dyn MetadataStore,
    keys: &Keys,
    shard: ShardId,
) -> Result<Option<Manifest>, ManifestReadError> {
    let mut missing = Generation(0);
    for _ in 0..ROUNDS_MAX {
        let Some(head) = head(store, keys, shard).await? else { return Ok(None) };
        let generation = head.value.generation;
        match at(store, keys, shard, generation).await? {
            Some(manifest) if head.value.names(&manifest) => return Ok(Some(manifest)),
            Some(_) => return Err(ManifestReadError::Mismatch { shard, generation }),
            None => missing = generation,
        }
    }
    Err(ManifestReadError::Missing { shard, generation: missing })
}

/// The manifest of one generation. `None`: it was never published, or was removed.
pub async fn at(
    store: &dyn MetadataStore,
    keys: &Keys,
    shard: ShardId,
    generation: Generation,
) -> Result<Option<Manifest>, ManifestReadError> {
    let key = Key::ManifestList(shard, generation);
    let known: Option<Known<ManifestList>> = read::<_, ManifestReadError>(store, keys, &key).await?;
    match known {
        Some(Known { value, .. }) if value.manifest.generation == generation => Ok(Some(value.manifest)),
        Some(_) => Err(ManifestReadError::Mismatch { shard, generation }),
        None => Ok(None),
    }
}

/// The head of a shard's manifest.
pub(super) async fn head(
    store: &dyn MetadataStore,
    keys: &Keys,
    shard: ShardId,
) -> Result<Option<Known<ManifestHead>>, ManifestReadError> {
    read(store, keys, &Key::Manifest(shard)).await
}

/// Why a manifest was not read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestReadError {
    /// The list is not the one that its key or the head names.
    #[error("the list of generation {generation} of shard {shard} is not the one that was published")]
    Mismatch {
        /// The shard.
        shard: ShardId,
        /// The generation.
        generation: Generation,
    },
    /// The head names a list that is not there.
    #[error("the list of generation {generation} of shard {shard} is not there, although it is the newest one")]
    Missing {
        /// The shard.
        shard: ShardId,
        /// The generation.
        generation: Generation,
    },
    /// A value in the store cannot be used.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ManifestReadError {
    /// Whether the same read may succeed later without a person's help.
    pub fn retryable(&self) -> bool {
        match self {
            ManifestReadError::Store(StoreError::Refused { .. }) => false,
            ManifestReadError::Store(_) => true,
            ManifestReadError::Mismatch { .. } | ManifestReadError::Missing { .. } | ManifestReadError::Value(_) => {
                false
            }
        }
    }
}

/// The revision of what may not be there: 0 if it is not.
pub(super) fn revision_of<V>(known: Option<&Known<V>>) -> Revision {
    known.map_or(Revision(0), |known| known.revision)
}

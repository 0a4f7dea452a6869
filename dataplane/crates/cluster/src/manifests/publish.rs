//! Publishing a manifest.

use grepzilla_model::manifest::ManifestError;
use grepzilla_model::{Epoch, Generation, Manifest, ShardId, TimeNs};

use super::read::{ManifestReadError, head, revision_of};
use crate::keyspace::{Key, Keys, ManifestHead, ManifestList, Nonce, StoredConfig, Value};
use crate::read::{Known, read};
use crate::store::{MetadataStore, Outcome, StoreError, Transaction};

/// The most bytes that a list may take in the store.
pub const LIST_BYTES_MAX: usize = 256 << 10;
/// Rounds of reading and writing before a publish gives up for now, as for a claim of an epoch.
const ROUNDS_MAX: usize = 8;

/// One manifest on its way into the store. [`Publication::publish`] may be repeated, and must be with this very value as
/// long as its outcome is unknown: it knows its own mark again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    shard: ShardId,
    manifest: Manifest,
    published: TimeNs,
    writer: Nonce,
}

impl Publication {
    /// A manifest that nobody has tried to publish yet. Its epoch is the publisher's.
    pub fn new(shard: ShardId, manifest: Manifest, now: TimeNs) -> Publication {
        Publication { shard, manifest, published: now, writer: Nonce::random() }
    }

    /// What is published.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What is published, when that is done.
    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// Publishes it, if it follows the newest generation and its epoch is the shard's. `Ok`: it is published, now or by an
    /// earlier try. It follows by one, unless the store has lost generations that it had accepted: then it makes good for
    /// them.
    pub async fn publish(&self, store: &dyn MetadataStore, keys: &Keys) -> Result<(), PublishError> {
        self.manifest.check()?;
        let list = ManifestList { published: self.published, manifest: self.manifest.clone() }.encode();
        if list.len() > LIST_BYTES_MAX {
            return Err(PublishError::TooLarge { shard: self.shard, bytes: list.len() });
        }
        for _ in 0..ROUNDS_MAX {
            let head = head(store, keys, self.shard).await?;
            if head.as_ref().is_some_and(|head| head.value.writer == self.writer) {
                return Ok(());
            }
            let guard = self.guard(store, keys, head.as_ref()).await?;
            let (head_key, list_key) = self.keys(keys);
            let value = ManifestHead::of(&self.manifest, self.writer).encode();
            match store.commit(guard.put(list_key, list.clone()).put(head_key, value)).await {
                Ok(Outcome::Committed(_)) => return Ok(()),
                Ok(Outcome::Conflict) | Err(StoreError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(PublishError::Contended { shard: self.shard, rounds: ROUNDS_MAX })
    }

    /// What must hold at the moment of publishing, from what holds now.
    async fn guard(
        &self,
        store: &dyn MetadataStore,
        keys: &Keys,
        head: Option<&Known<ManifestHead>>,
    ) -> Result<Transaction, PublishError> {
        let (shard, ours) = (self.shard, self.manifest.epoch);
        // The head was read first: a configuration that is read later is at least as new.
        let config: Option<Known<StoredConfig>> =
            read::<_, ManifestReadError>(store, keys, &Key::ShardConfig(shard)).await?;
        let config = config.ok_or(PublishError::Overtaken { shard, ours, found: Epoch(0) })?;
        if config.value.config.epoch != ours {
            return Err(PublishError::Overtaken { shard, ours, found: config.value.config.epoch });
        }
        let newest = head.map_or(Generation(0), |head| head.value.generation);
        let generation = self.manifest.generation;
        if generation <= newest {
            return Err(PublishError::NotNext { shard, newest, ours: generation });
        }
        if generation > newest.next() {
            tracing::error!(%shard, %generation, stored = %newest, "the store has lost generations of a manifest");
        }
        if let Some(head) = head.filter(|head| head.value.flushed > self.manifest.flushed) {
            let (previous, found) = (head.value.flushed, self.manifest.flushed);
            return Err(PublishError::FlushedFell { shard, previous: previous.0, found: found.0 });
        }
        let (head_key, list_key) = self.keys(keys);
        let guard = Transaction::new().unchanged(head_key, revision_of(head)).absent(list_key);
        Ok(guard.unchanged(keys.text(&Key::ShardConfig(shard)), config.revision))
    }

    fn keys(&self, keys: &Keys) -> (String, String) {
        let list = Key::ManifestList(self.shard, self.manifest.generation);
        (keys.text(&Key::Manifest(self.shard)), keys.text(&list))
    }
}

/// Why a manifest was not published. Where the store says that it does not know, the same [`Publication`] must be tried
/// again before another one is.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The shard is in another epoch: the publisher does not lead it any more.
    #[error("shard {shard} is in epoch {found}, and a manifest of epoch {ours} cannot be published")]
    Overtaken {
        /// The shard.
        shard: ShardId,
        /// The publisher's epoch.
        ours: Epoch,
        /// The shard's; 0 if it has no configuration.
        found: Epoch,
    },
    /// Another generation was to be followed.
    #[error("generation {ours} of shard {shard} does not follow generation {newest}, which is the newest one")]
    NotNext {
        /// The shard.
        shard: ShardId,
        /// The newest generation; 0 if there is none.
        newest: Generation,
        /// The one that was to be published.
        ours: Generation,
    },
    /// It covers less than what is published.
    #[error("shard {shard} is flushed up to {previous}, and a manifest that ends at {found} cannot be published")]
    FlushedFell {
        /// The shard.
        shard: ShardId,
        /// The end of what is published.
        previous: u64,
        /// The end of what was to be.
        found: u64,
    },
    /// The manifest is not sound.
    #[error("the manifest is not sound: {0}")]
    Unsound(#[from] ManifestError),
    /// Its list is too long.
    #[error("the list of shard {shard} takes {bytes} bytes, it may take {LIST_BYTES_MAX}")]
    TooLarge {
        /// The shard.
        shard: ShardId,
        /// What it takes.
        bytes: usize,
    },
    /// No try came to a known end.
    #[error("the manifest of shard {shard} could not be published in {rounds} rounds")]
    Contended {
        /// The shard.
        shard: ShardId,
        /// How often it was tried.
        rounds: usize,
    },
    /// What stands in the store could not be read.
    #[error(transparent)]
    Read(#[from] ManifestReadError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PublishError {
    /// Whether the publication was not made and never will be, so that another one may be tried.
    pub fn is_final(&self) -> bool {
        match self {
            PublishError::Overtaken { .. }
            | PublishError::NotNext { .. }
            | PublishError::FlushedFell { .. }
            | PublishError::Unsound(_)
            | PublishError::TooLarge { .. } => true,
            PublishError::Contended { .. } | PublishError::Read(_) | PublishError::Store(_) => false,
        }
    }

    /// Whether the same publication may succeed later without a person's help.
    pub fn retryable(&self) -> bool {
        match self {
            PublishError::Contended { .. } => true,
            PublishError::Read(error) => error.retryable(),
            PublishError::Store(StoreError::Refused { .. }) => false,
            PublishError::Store(_) => true,
            PublishError::Overtaken { .. }
            | PublishError::NotNext { .. }
            | PublishError::FlushedFell { .. }
            | PublishError::Unsound(_)
            | PublishError::TooLarge { .. } => false,
        }
    }
}

//! What the operator writes: its term, the cluster's identity, the ring.
//!
//! Every transaction compares the term it was taken with, so an operator that was replaced without noticing (a pause,
//! a partition, a stale lease) gets [`RingWriteError::Deposed`] and changes nothing.

use grepzilla_model::ring::RingError;
use grepzilla_model::{ClusterUuid, Ring};

use crate::keyspace::{ClusterIdentity, Key, Keys, Nonce, OperatorTerm, StoredRing, Value, ValueError};
use crate::read::{Known, read};
use crate::store::{Outcome, Revision, SharedStore, StoreError, Transaction};

/// Rounds of reading and writing before a call gives up; another one follows each lost race or lost answer.
const ROUNDS_MAX: usize = 8;

/// The pen. Whoever holds the newest one writes.
#[derive(Debug)]
pub struct RingWriter {
    store: SharedStore,
    keys: Keys,
    term: u64,
    term_revision: Revision,
}

/// A ring that stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentRing {
    /// The ring.
    pub ring: Ring,
    /// The revision that wrote it: what the next change compares.
    pub revision: Revision,
}

impl RingWriter {
    /// Takes the lead by raising the term; the one before is deposed. `holder` is for people.
    pub async fn take_lead(store: SharedStore, keys: Keys, holder: &str) -> Result<RingWriter, RingWriteError> {
        let nonce = Nonce::random();
        let key = keys.text(&Key::Operator);
        for _ in 0..ROUNDS_MAX {
            let known: Option<Known<OperatorTerm>> =
                read::<_, RingWriteError>(store.as_ref(), &keys, &Key::Operator).await?;
            let (last_term, revision) =
                known.as_ref().map_or((0, Revision(0)), |known| (known.value.term, known.revision));
            if known.is_some_and(|known| known.value.nonce == nonce) {
                return Ok(RingWriter { store, keys, term: last_term, term_revision: revision });
            }
            let term = last_term + 1;
            let value = OperatorTerm { term, holder: holder.to_owned(), nonce }.encode();
            match store.commit(Transaction::new().unchanged(&key, revision).put(&key, value)).await {
                Ok(Outcome::Committed(term_revision)) => return Ok(RingWriter { store, keys, term, term_revision }),
                Ok(Outcome::Conflict) | Err(StoreError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RingWriteError::Contended { rounds: ROUNDS_MAX })
    }

    /// The term. From 1; each operator that takes the lead has a higher one.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// Gives the cluster its identity if it has none yet. Returns the one it has, which is not `proposed` if it was
    /// made before.
    pub async fn ensure_cluster(&self, proposed: ClusterUuid) -> Result<ClusterUuid, RingWriteError> {
        for _ in 0..ROUNDS_MAX {
            let known: Option<Known<ClusterIdentity>> = self.read(&Key::Cluster).await?;
            if let Some(known) = known {
                return Ok(known.value.uuid);
            }
            let key = self.keys.text(&Key::Cluster);
            let value = ClusterIdentity { uuid: proposed }.encode();
            match self.store.commit(self.fenced().absent(&key).put(&key, value)).await {
                Ok(Outcome::Committed(_)) => return Ok(proposed),
                Ok(Outcome::Conflict) => self.check_lead().await?,
                Err(StoreError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RingWriteError::Contended { rounds: ROUNDS_MAX })
    }

    /// The ring as it stands now.
    pub async fn current(&self) -> Result<Option<CurrentRing>, RingWriteError> {
        let known: Option<Known<StoredRing>> = self.read(&Key::Ring).await?;
        Ok(known.map(|known| CurrentRing { ring: known.value.ring, revision: known.revision }))
    }

    /// Replaces the ring `base` (`None`: there is none yet) by `ring`, whose version is one above. Returns the revision
    /// that wrote it.
    pub async fn write(&self, base: Option<&CurrentRing>, ring: &Ring) -> Result<Revision, RingWriteError> {
        ring.check()?;
        let expected = base.map_or(0, |base| base.ring.version) + 1;
        if ring.version != expected {
            return Err(RingWriteError::Version { expected, found: ring.version });
        }
        let base_revision = base.map_or(Revision(0), |base| base.revision);
        let key = self.keys.text(&Key::Ring);
        let stored = StoredRing { term: self.term, ring: ring.clone() };
        for _ in 0..ROUNDS_MAX {
            let transaction = self.fenced().unchanged(&key, base_revision).put(&key, stored.encode());
            match self.store.commit(transaction).await {
                Ok(Outcome::Committed(revision)) => return Ok(revision),
                Ok(Outcome::Conflict) | Err(StoreError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // The answer was lost, or the conflict is with our own earlier attempt: the term and the version are our
            // mark, because nobody else writes in our term.
            let known: Option<Known<StoredRing>> = self.read(&Key::Ring).await?;
            let (found, revision) = known.map_or((None, Revision(0)), |known| (Some(known.value), known.revision));
            if found.as_ref() == Some(&stored) {
                return Ok(revision);
            }
            self.check_lead().await?;
            if revision != base_revision {
                return Err(RingWriteError::Changed { version: found.map_or(0, |found| found.ring.version) });
            }
        }
        Err(RingWriteError::Contended { rounds: ROUNDS_MAX })
    }

    /// Whether this is still the newest pen, as of now.
    pub async fn check_lead(&self) -> Result<(), RingWriteError> {
        let known: Option<Known<OperatorTerm>> = self.read(&Key::Operator).await?;
        match known {
            Some(known) if known.revision == self.term_revision => Ok(()),
            Some(known) => {
                Err(RingWriteError::Deposed { ours: self.term, newest: known.value.term, holder: known.value.holder })
            }
            None => Err(RingWriteError::Deposed { ours: self.term, newest: 0, holder: "nobody".to_owned() }),
        }
    }

    fn fenced(&self) -> Transaction {
        Transaction::new().unchanged(self.keys.text(&Key::Operator), self.term_revision)
    }

    async fn read<V: Value>(&self, key: &Key) -> Result<Option<Known<V>>, RingWriteError> {
        read(self.store.as_ref(), &self.keys, key).await
    }
}

/// Why nothing was written, except where the store says that it does not know.
#[derive(Debug, thiserror::Error)]
pub enum RingWriteError {
    /// Another operator has taken the lead.
    #[error("operator {holder} has taken the lead with term {newest}; ours was {ours}")]
    Deposed {
        /// Our term.
        ours: u64,
        /// The newest one.
        newest: u64,
        /// Who has it.
        holder: String,
    },
    /// The ring is not the one that the change was made for. Read it again.
    #[error("the ring was changed meanwhile; it has version {version} now")]
    Changed {
        /// The version it has; 0 if there is none.
        version: u64,
    },
    /// The version is not the next one.
    #[error("the next version of the ring is {expected}, not {found}")]
    Version {
        /// The next one.
        expected: u64,
        /// What was given.
        found: u64,
    },
    /// No reader would adopt the ring.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// Others write all the time.
    #[error("nothing could be written in {rounds} rounds")]
    Contended {
        /// How often it was tried.
        rounds: usize,
    },
    /// A value in the store cannot be used.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RingWriteError {
    /// Whether the same call may succeed later without a person's help and without reading again.
    pub fn retryable(&self) -> bool {
        match self {
            RingWriteError::Contended { .. } => true,
            RingWriteError::Store(error) => error.retryable(),
            RingWriteError::Deposed { .. }
            | RingWriteError::Changed { .. }
            | RingWriteError::Version { .. }
            | RingWriteError::Ring(_)
            | RingWriteError::Value(_) => false,
        }
    }
}

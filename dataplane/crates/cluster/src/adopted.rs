//! What a node remembers of its cluster on its own disk: the identity, ring and shard configurations it last adopted.
//!
//! A node that starts while the metadata store is away goes on from here; a store that was lost is repaired from here.
//! Memory never moves backwards: an older ring or epoch, and another cluster, are refused.
//!
//! `adopted.json` is one JSON object, replaced as a whole:
//!
//! ```text
//! {"format": "grepzilla adopted", "v": 1, "crc32": "8 hex digits, of the text of value", "value": {...}}
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use grepzilla_model::{ClusterUuid, Ring, ShardConfig, ShardId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store::Revision;
use crate::topology::Topology;

const FORMAT: &str = "grepzilla adopted";
const VERSION: u32 = 1;
const FILE_NAME: &str = "adopted.json";

/// What a node has adopted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopted {
    /// Whose cluster it is.
    pub cluster: ClusterUuid,
    /// What should be.
    pub ring: Ring,
    /// The revision that wrote the ring.
    pub ring_revision: Revision,
    /// What each shard was.
    pub configs: BTreeMap<ShardId, ShardConfig>,
}

impl Adopted {
    /// What there is to remember of a picture. `None`: nothing, as long as the cluster has no identity or no ring.
    pub fn of(topology: &Topology) -> Option<Adopted> {
        let cluster = topology.cluster?;
        topology.has_ring().then(|| Adopted {
            cluster,
            ring: Ring::clone(&topology.ring),
            ring_revision: topology.ring_revision,
            configs: topology.configs.clone(),
        })
    }
}

/// The file. It belongs to one process; its calls block on the disk.
#[derive(Debug)]
pub struct AdoptedFile {
    path: PathBuf,
    current: Option<Adopted>,
}

impl AdoptedFile {
    /// Opens the memory in a folder that exists. There may be none yet.
    pub fn open(folder: &Path) -> Result<AdoptedFile, AdoptedError> {
        let path = folder.join(FILE_NAME);
        let current = match std::fs::read(&path) {
            Ok(bytes) => Some(parse(&path, &bytes)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(AdoptedError::Io { path, source }),
        };
        Ok(AdoptedFile { path, current })
    }

    /// What was last adopted.
    pub fn current(&self) -> Option<&Adopted> {
        self.current.as_ref()
    }

    /// Remembers, durably on return. `false`: it was known already and nothing was written. After an error the disk
    /// holds what was adopted before, or this; either is whole.
    pub fn adopt(&mut self, adopted: Adopted) -> Result<bool, AdoptedError> {
        if self.current.as_ref() == Some(&adopted) {
            return Ok(false);
        }
        if let Some(current) = &self.current {
            self.check_onward(current, &adopted)?;
        }
        replace(&self.path, &render(&adopted)).map_err(|source| self.io(source))?;
        self.current = Some(adopted);
        Ok(true)
    }

    fn check_onward(&self, current: &Adopted, next: &Adopted) -> Result<(), AdoptedError> {
        if current.cluster != next.cluster {
            let (ours, found) = (current.cluster, next.cluster);
            return Err(AdoptedError::OtherCluster { path: self.path.clone(), ours, found });
        }
        let (ours, found) = (current.ring.version, next.ring.version);
        if found < ours {
            return Err(AdoptedError::Older { what: "the ring".to_owned(), ours, found });
        }
        for (shard, config) in &next.configs {
            let ours = current.configs.get(shard).map_or(0, |config| config.epoch.0);
            if config.epoch.0 < ours {
                let what = format!("the epoch of shard {shard}");
                return Err(AdoptedError::Older { what, ours, found: config.epoch.0 });
            }
        }
        Ok(())
    }

    fn io(&self, source: std::io::Error) -> AdoptedError {
        AdoptedError::Io { path: self.path.clone(), source }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: String,
    v: u32,
    crc32: String,
    value: Box<RawValue>,
}

#[derive(Deserialize)]
struct Version {
    format: String,
    v: u32,
}

fn render(adopted: &Adopted) -> Vec<u8> {
    let text = serde_json::to_string(adopted).expect("the values have only text as keys of their maps");
    let crc32 = checksum(&text);
    let value = RawValue::from_string(text).expect("it was written as JSON");
    let envelope = Envelope { format: FORMAT.to_owned(), v: VERSION, crc32, value };
    serde_json::to_vec(&envelope).expect("an envelope is always JSON")
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Adopted, AdoptedError> {
    let damaged = |reason: String| AdoptedError::Damaged { path: path.to_owned(), reason };
    let unreadable = |error: serde_json::Error| damaged(error.to_string());
    let version: Version = serde_json::from_slice(bytes).map_err(unreadable)?;
    if version.format != FORMAT || version.v == 0 {
        return Err(damaged(format!("it begins as {:?} version {}", version.format, version.v)));
    }
    if version.v > VERSION {
        return Err(AdoptedError::Newer { path: path.to_owned(), found: version.v, known: VERSION });
    }
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(unreadable)?;
    let found = checksum(envelope.value.get());
    if found != envelope.crc32 {
        return Err(damaged(format!("its checksum is {found}, not {}", envelope.crc32)));
    }
    let adopted: Adopted = serde_json::from_str(envelope.value.get()).map_err(unreadable)?;
    adopted.ring.check().map_err(|error| damaged(error.to_string()))?;
    Ok(adopted)
}

fn checksum(text: &str) -> String {
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}

/// Replaces a file as a whole: whoever reads it, after a power loss too, finds the old bytes or the new ones.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().expect("the file was named inside a folder");
    let temporary = path.with_extension("json.tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

/// Why the memory cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum AdoptedError {
    /// The node belongs to another cluster.
    #[error("{path} remembers cluster {ours}, but the metadata store is that of cluster {found}")]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        ours: ClusterUuid,
        /// Whose was to be remembered.
        found: ClusterUuid,
    },
    /// It would move backwards.
    #[error("{what} was {ours} before and is {found} now: the metadata store has lost what it knew")]
    Older {
        /// What.
        what: String,
        /// What is remembered.
        ours: u64,
        /// What was to be remembered.
        found: u64,
    },
    /// A newer program wrote it.
    #[error("{path} has version {found}, but this program knows versions up to {known}: upgrade it")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that can be read.
        known: u32,
    },
    /// Its bytes are not what was written.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The disk failed.
    #[error("{path} cannot be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{Epoch, NodeName, ShardState};
    use uuid::Uuid;

    use super::*;

    fn sample(ring_version: u64, epoch: u64) -> Adopted {
        let config = ShardConfig {
            epoch: Epoch(epoch),
            leader: NodeName::from("n-0"),
            replicas: Vec::new(),
            in_sync: Vec::new(),
            min_isr: 1,
            state: ShardState::Active,
            lossy: None,
        };
        let ring = Ring {
            version: ring_version,
            feature_level: 1,
            replication_factor: 1,
            nodes: BTreeMap::new(),
            ranges: Ring::even_ranges(1),
            targets: BTreeMap::from([(ShardId(0), Vec::new())]),
        };
        Adopted {
            cluster: ClusterUuid(Uuid::from_u128(1)),
            ring,
            ring_revision: Revision(7),
            configs: BTreeMap::from([(ShardId(0), config)]),
        }
    }

    #[test]
    fn what_was_adopted_is_there_after_a_restart_and_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AdoptedFile::open(folder.path()).unwrap();
        assert_eq!(file.current(), None);
        assert!(file.adopt(sample(1, 1)).unwrap());
        assert!(!file.adopt(sample(1, 1)).unwrap(), "the same was written twice");
        assert!(file.adopt(sample(2, 5)).unwrap());
        assert_eq!(AdoptedFile::open(folder.path()).unwrap().current(), Some(&sample(2, 5)));
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["adopted.json"], "a temporary file was left");
    }

    #[test]
    fn another_cluster_is_refused_with_both_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AdoptedFile::open(folder.path()).unwrap();
        file.adopt(sample(1, 1)).unwrap();
        let other = Adopted { cluster: ClusterUuid(Uuid::from_u128(2)), ..sample(1, 1) };
        let text = file.adopt(other).unwrap_err().to_string();
        assert!(text.contains(&Uuid::from_u128(1).to_string()) && text.contains(&Uuid::from_u128(2).to_string()));
        assert_eq!(AdoptedFile::open(folder.path()).unwrap().current(), Some(&sample(1, 1)));
    }

    #[test]
    fn memory_never_moves_backwards() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AdoptedFile::open(folder.path()).unwrap();
        file.adopt(sample(3, 4)).unwrap();
        for older in [sample(2, 4), sample(3, 3)] {
            assert!(matches!(file.adopt(older), Err(AdoptedError::Older { .. })));
        }
        assert_eq!(file.current(), Some(&sample(3, 4)));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let folder = tempfile::tempdir().unwrap();
        AdoptedFile::open(folder.path()).unwrap().adopt(sample(1, 1)).unwrap();
        let path = folder.path().join(FILE_NAME);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 7);
            assert!(parse(&path, &bad).is_err(), "byte {at} was flipped unseen");
            assert!(parse(&path, &good[..at]).is_err(), "a cut at {at} was unseen");
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, br#"{"format":"grepzilla adopted","v":2,"anything":[]}"#).unwrap();
        let error = AdoptedFile::open(folder.path()).unwrap_err();
        assert!(matches!(error, AdoptedError::Newer { found: 2, known: 1, .. }), "{error}");
    }
}

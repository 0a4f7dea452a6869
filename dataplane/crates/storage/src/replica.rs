//! A replica's folder: who it is, how far it is known to be durable, and whether it may be believed.
//!
//! ```text
//! <dir>/lock             held by the process that has the shard open
//! <dir>/replica.json     the cluster, the shard, and the incarnation drawn when the folder was made
//! <dir>/checkpoint.json  a position of the log that was durable when this was written
//! <dir>/manifest.json    the manifest that was published last, as far as this replica knows
//! <dir>/quarantine.json  there only after damage was found; the folder is then left as it is
//! <dir>/*.wal            the log
//! <dir>/segments/*       segments and their files of deletes; `.damaged` behind a name: set aside
//! ```
//!
//! The JSON files are replaced as a whole and check themselves (see [`metadata`]). They belong together by the
//! incarnation.

mod metadata;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use grepzilla_model::{ClusterUuid, Epoch, Incarnation, Manifest, SeqNo, ShardId};
use serde::{Deserialize, Serialize};

use crate::disk::{
    Disk, DiskError, DiskLock, Verb, WriteError, create_dirs, read_whole, replace_file, set_aside, sync_dirs_above,
};
use crate::wal::LogOwner;
use crate::{Corruption, OpenError};

const REPLICA: &str = "replica.json";
const CHECKPOINT: &str = "checkpoint.json";
const MANIFEST: &str = "manifest.json";
const SEGMENTS: &str = "segments";
const QUARANTINE: &str = "quarantine.json";

/// The manifest that was published last, as the replica in a folder knows it, and the shard; for people, so that the folder
/// may be in use: it is not locked. `None`: nothing was published yet.
pub fn read_manifest(dir: &Path) -> Result<(ShardId, Option<Manifest>), OpenError> {
    let read = |name: &str| {
        let path = dir.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some((path, bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && name == MANIFEST => Ok(None),
            Err(error) => Err(DiskError::at(Verb::Read, &path)(error)),
        }
    };
    let (path, bytes) = read(REPLICA)?.expect("only a manifest may be missing");
    let identity: Identity = metadata::decode(REPLICA, &path, &bytes)?;
    let Some((path, bytes)) = read(MANIFEST)? else { return Ok((identity.shard, None)) };
    let stored: StoredManifest = metadata::decode(MANIFEST, &path, &bytes)?;
    Ok((identity.shard, Some(stored.manifest)))
}

/// An open folder, locked as long as this lives.
#[derive(Debug)]
pub(crate) struct ReplicaFolder {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    owner: LogOwner,
    _lock: Box<dyn DiskLock>,
}

/// A position of the log that is durable: recovery must reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    /// The epoch of the log at that position.
    pub(crate) epoch: Epoch,
    /// The last durable record.
    pub(crate) seq: SeqNo,
    /// The newest file that had been begun.
    pub(crate) file_no: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    cluster: ClusterUuid,
    shard: ShardId,
    incarnation: Incarnation,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCheckpoint {
    incarnation: Incarnation,
    checkpoint: Checkpoint,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredManifest {
    incarnation: Incarnation,
    manifest: Manifest,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Damage {
    file: String,
    offset: u64,
    expected: String,
    found: String,
}

impl ReplicaFolder {
    /// Opens the folder of a replica, or makes one with a new incarnation.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        cluster: ClusterUuid,
        shard: ShardId,
    ) -> Result<ReplicaFolder, OpenError> {
        create_dirs(disk.as_ref(), dir)?;
        let lock = take_lock(disk.as_ref(), dir)?;
        refuse_quarantined(disk.as_ref(), dir)?;
        let identity = match read(disk.as_ref(), dir, REPLICA)? {
            Some(identity) => identity,
            None => make_identity(disk.as_ref(), dir, cluster, shard)?,
        };
        let Identity { cluster: found_cluster, shard: found_shard, incarnation } = identity;
        if found_cluster != cluster {
            return Err(OpenError::OtherCluster { path: dir.join(REPLICA), expected: cluster, found: found_cluster });
        }
        if found_shard != shard {
            return Err(OpenError::OtherShard { path: dir.join(REPLICA), expected: shard, found: found_shard });
        }
        let owner = LogOwner { cluster, shard, incarnation };
        Ok(ReplicaFolder { disk, dir: dir.to_owned(), owner, _lock: lock })
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn owner(&self) -> LogOwner {
        self.owner
    }

    /// The last position that was recorded as durable; `None` in a folder that was never opened to its end.
    pub(crate) fn checkpoint(&self) -> Result<Option<Checkpoint>, OpenError> {
        let Some(stored) = read::<StoredCheckpoint>(self.disk.as_ref(), &self.dir, CHECKPOINT)? else {
            return Ok(None);
        };
        self.belongs_here(CHECKPOINT, stored.incarnation)?;
        Ok(Some(stored.checkpoint))
    }

    fn belongs_here(&self, name: &str, incarnation: Incarnation) -> Result<(), OpenError> {
        if incarnation == self.owner.incarnation {
            return Ok(());
        }
        Err(self.corrupt(name, format!("incarnation {}", self.owner.incarnation), incarnation.to_string()))
    }

    fn corrupt(&self, name: &str, expected: String, found: String) -> OpenError {
        OpenError::Corrupt(Corruption { path: self.dir.join(name), offset: 0, expected, found })
    }

    /// The manifest that was recorded last; the empty one of a folder in which none was.
    pub(crate) fn manifest(&self) -> Result<Manifest, OpenError> {
        let Some(stored) = read::<StoredManifest>(self.disk.as_ref(), &self.dir, MANIFEST)? else {
            return Ok(Manifest::default());
        };
        self.belongs_here(MANIFEST, stored.incarnation)?;
        let sound = stored.manifest.check();
        sound.map_err(|error| self.corrupt(MANIFEST, "a sound manifest".into(), error.to_string()))?;
        Ok(stored.manifest)
    }

    /// Records a manifest, durably.
    pub(crate) fn record_manifest(&self, manifest: &Manifest) -> Result<(), WriteError> {
        let stored = StoredManifest { incarnation: self.owner.incarnation, manifest: manifest.clone() };
        replace_file(self.disk.as_ref(), &self.dir.join(MANIFEST), &metadata::encode(MANIFEST, &stored))
    }

    /// Where segments are kept.
    pub(crate) fn segments_dir(&self) -> PathBuf {
        self.dir.join(SEGMENTS)
    }

    /// Records a position that is durable. A full disk is no harm: the one before stays.
    pub(crate) fn record_checkpoint(&self, checkpoint: Checkpoint) -> Result<(), WriteError> {
        let stored = StoredCheckpoint { incarnation: self.owner.incarnation, checkpoint };
        let bytes = metadata::encode(CHECKPOINT, &stored);
        match replace_file(self.disk.as_ref(), &self.dir.join(CHECKPOINT), &bytes) {
            Err(WriteError::NoRoom(error)) => {
                tracing::warn!(%error, cause = %error.source, "the checkpoint could not be renewed");
                Ok(())
            }
            other => other,
        }
    }

    /// Sets a damaged file of a segment aside. If that fails, the next start finds the damage again.
    pub(crate) fn set_segment_aside(&self, corruption: &Corruption) {
        let (shard, path) = (self.owner.shard, corruption.path.display());
        match set_aside(self.disk.as_ref(), &corruption.path) {
            Ok(aside) => {
                let aside = aside.display();
                tracing::error!(%shard, %path, %aside, reason = %corruption, "a segment is damaged and was set aside");
            }
            Err(error) => {
                let cause = &error.source;
                tracing::error!(%shard, %path, reason = %corruption, %cause, "a segment is damaged and could not be set aside");
            }
        }
    }

    /// Marks the folder so that nobody writes there again. Every byte stays where it is.
    pub(crate) fn quarantine(&self, corruption: &Corruption) {
        let file = corruption.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tracing::error!(
            path = %corruption.path.display(),
            offset = corruption.offset,
            expected = corruption.expected,
            found = corruption.found,
            "the copy is damaged and quarantined"
        );
        let damage = Damage {
            file,
            offset: corruption.offset,
            expected: corruption.expected.clone(),
            found: corruption.found.clone(),
        };
        // Without the mark the damage itself is found again at the next start.
        if let Err(error) =
            replace_file(self.disk.as_ref(), &self.dir.join(QUARANTINE), &metadata::encode(QUARANTINE, &damage))
        {
            tracing::warn!(%error, "the quarantine could not be marked");
        }
    }
}

fn take_lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn DiskLock>, OpenError> {
    let path = dir.join("lock");
    disk.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked { path },
        _ => OpenError::Disk(DiskError::at(Verb::Lock, &path)(error)),
    })
}

fn refuse_quarantined(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    match read::<Damage>(disk, dir, QUARANTINE)? {
        None => Ok(()),
        Some(Damage { file, offset, expected, found }) => {
            Err(OpenError::Corrupt(Corruption { path: dir.join(file), offset, expected, found }))
        }
    }
}

fn make_identity(disk: &dyn Disk, dir: &Path, cluster: ClusterUuid, shard: ShardId) -> Result<Identity, OpenError> {
    // The identity is the first file of a folder, so without it nothing else may be there.
    let names = disk.list(dir).map_err(DiskError::at(Verb::List, dir))?;
    if let Some(orphan) = names.iter().find(|name| name.ends_with(".wal") || *name == CHECKPOINT || *name == MANIFEST) {
        return Err(OpenError::Corrupt(Corruption {
            path: dir.join(REPLICA),
            offset: 0,
            expected: format!("the identity that {orphan} belongs to"),
            found: "no such file".into(),
        }));
    }
    sync_dirs_above(disk, dir)?;
    let identity = Identity { cluster, shard, incarnation: Incarnation(rand::random()) };
    replace_file(disk, &dir.join(REPLICA), &metadata::encode(REPLICA, &identity))?;
    tracing::info!(%shard, incarnation = %identity.incarnation, dir = %dir.display(), "made a replica");
    Ok(identity)
}

fn read<T: Serialize + for<'de> Deserialize<'de>>(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
) -> Result<Option<T>, OpenError> {
    let path = dir.join(name);
    match read_whole(disk, &path)? {
        Some(bytes) => metadata::decode(name, &path, &bytes).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::disk::twin::Machine;

    const DIR: &str = "/data/shard-1";

    fn open(disk: Arc<dyn Disk>, cluster: u128, shard: u32) -> Result<ReplicaFolder, OpenError> {
        ReplicaFolder::open(disk, Path::new(DIR), ClusterUuid(Uuid::from_u128(cluster)), ShardId(shard))
    }

    #[test]
    fn a_folder_keeps_its_incarnation_and_another_folder_has_another() {
        let machine = Machine::new(1);
        let made = open(machine.boot(), 1, 1).expect("made").owner();
        assert_eq!(open(machine.boot(), 1, 1).expect("opened").owner(), made);
        machine.power_loss();
        assert_eq!(open(machine.boot(), 1, 1).expect("opened").owner(), made);
        assert_ne!(open(Machine::new(1).boot(), 1, 1).expect("made").owner().incarnation, made.incarnation);
    }

    #[test]
    fn another_cluster_and_another_shard_are_refused_with_both_named() {
        let machine = Machine::new(1);
        drop(open(machine.boot(), 1, 1).expect("made"));
        let cluster = open(machine.boot(), 2, 1).expect_err("another cluster").to_string();
        assert!(cluster.contains("0000-000000000001, this is") && cluster.ends_with("000000000002"), "{cluster}");
        let shard = open(machine.boot(), 1, 2).expect_err("another shard").to_string();
        assert!(shard.ends_with("belongs to shard 1, this is shard 2"), "{shard}");
    }

    #[test]
    fn a_second_holder_is_refused_until_the_first_is_gone() {
        let disk = Machine::new(1).boot();
        let first = open(Arc::clone(&disk), 1, 1).expect("made");
        assert!(matches!(open(Arc::clone(&disk), 1, 1), Err(OpenError::Locked { .. })));
        drop(first);
        open(disk, 1, 1).expect("free again");
    }

    #[test]
    fn every_damaged_byte_of_the_identity_and_the_checkpoint_is_noticed() {
        let machine = Machine::new(1);
        let folder = open(machine.boot(), 1, 1).expect("made");
        let checkpoint = Checkpoint { epoch: Epoch(1), seq: SeqNo(2), file_no: 3 };
        folder.record_checkpoint(checkpoint).expect("recorded");
        assert_eq!(folder.checkpoint().expect("read"), Some(checkpoint));
        drop(folder);
        for (path, good) in machine.files() {
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1;
                machine.plant(&path, bad);
                let found = open(machine.boot(), 1, 1).and_then(|folder| folder.checkpoint());
                assert!(matches!(found, Err(OpenError::Corrupt(_))), "byte {at} of {}: {found:?}", path.display());
            }
            machine.plant(&path, good);
        }
    }

    #[test]
    fn a_log_without_its_identity_is_not_adopted() {
        let machine = Machine::new(1);
        drop(open(machine.boot(), 1, 1).expect("made"));
        machine.vanish(&Path::new(DIR).join(REPLICA));
        machine.plant(&Path::new(DIR).join("0000000000000000-0000000000000001.wal"), vec![0; 4096]);
        assert!(matches!(open(machine.boot(), 1, 1), Err(OpenError::Corrupt(_))));
    }

    #[test]
    fn a_quarantined_folder_is_refused_with_what_was_found() {
        let machine = Machine::new(1);
        let corruption =
            Corruption { path: Path::new(DIR).join("x.wal"), offset: 7, expected: "this".into(), found: "that".into() };
        open(machine.boot(), 1, 1).expect("made").quarantine(&corruption);
        match open(machine.boot(), 1, 1) {
            Err(OpenError::Corrupt(found)) => assert_eq!(found, corruption),
            other => panic!("{other:?}"),
        }
    }
}

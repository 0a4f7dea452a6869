//! The file: two tables of redb.
//!
//! ```text
//! entries   key -> (mod_revision, lease or 0, value)
//! meta      "format" -> 1, "revision" -> the revision of the last transaction
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::DiskStoreError;
use crate::store::{Change, Changes, Entry, LeaseId, Revision};

const ENTRIES: TableDefinition<'_, &str, (i64, i64, &[u8])> = TableDefinition::new("entries");
const META: TableDefinition<'_, &str, i64> = TableDefinition::new("meta");
const FORMAT: i64 = 1;

/// The open file.
#[derive(Debug)]
pub(super) struct MetadataFile {
    database: Database,
}

/// What was in it.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) revision: Revision,
}

impl MetadataFile {
    /// Opens the file, making it if it is not there. The keys of leases are gone, durably.
    pub(super) fn open(path: &Path) -> Result<(MetadataFile, Contents), DiskStoreError> {
        let failed = |source: redb::Error| DiskStoreError::Open { path: path.to_owned(), source: Box::new(source) };
        let database = Database::create(path).map_err(|error| failed(error.into()))?;
        // The name must survive power loss as well as the bytes.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| DiskStoreError::Folder { path: path.to_owned(), source })?;
        let file = MetadataFile { database };
        let found = file.format().map_err(failed)?;
        if found > FORMAT {
            return Err(DiskStoreError::Newer { path: path.to_owned(), found, known: FORMAT });
        }
        let contents = file.load().map_err(failed)?;
        Ok((file, contents))
    }

    /// A file over any backend, empty.
    #[cfg(test)]
    pub(super) fn over(backend: impl redb::StorageBackend) -> (MetadataFile, Contents) {
        let file = MetadataFile { database: Database::builder().create_with_backend(backend).unwrap() };
        file.format().unwrap();
        let contents = file.load().unwrap();
        (file, contents)
    }

    /// The file's format; a new file gets ours.
    fn format(&self) -> Result<i64, redb::Error> {
        let write = self.database.begin_write()?;
        let found = {
            let mut meta = write.open_table(META)?;
            let found = meta.get("format")?.map(|format| format.value());
            if found.is_none() {
                meta.insert("format", FORMAT)?;
                meta.insert("revision", 1)?;
                write.open_table(ENTRIES)?;
            }
            found
        };
        match found {
            Some(_) => write.abort()?,
            None => write.commit()?,
        }
        Ok(found.unwrap_or(FORMAT))
    }

    fn load(&self) -> Result<Contents, redb::Error> {
        let mut contents = self.read()?;
        let revision = contents.revision.next();
        let leased = contents.entries.values().filter(|entry| entry.lease.is_some());
        let changes: Vec<Change> = leased.map(|entry| Change::Delete { key: entry.key.clone(), revision }).collect();
        if !changes.is_empty() {
            self.persist(&Changes { changes, revision })?;
            contents.entries.retain(|_, entry| entry.lease.is_none());
            contents.revision = revision;
        }
        Ok(contents)
    }

    fn read(&self) -> Result<Contents, redb::Error> {
        let read = self.database.begin_read()?;
        let revision = read.open_table(META)?.get("revision")?.map_or(1, |revision| revision.value());
        let mut entries = BTreeMap::new();
        for row in read.open_table(ENTRIES)?.iter()? {
            let (key, row) = row?;
            let (mod_revision, lease, value) = row.value();
            let entry = Entry {
                key: key.value().to_owned(),
                value: value.to_vec(),
                mod_revision: Revision(mod_revision),
                lease: (lease != 0).then_some(LeaseId(lease)),
            };
            entries.insert(entry.key.clone(), entry);
        }
        Ok(Contents { entries, revision: Revision(revision) })
    }

    /// Makes the changes of one revision durable, all or nothing.
    pub(super) fn persist(&self, changes: &Changes) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        {
            let mut entries = write.open_table(ENTRIES)?;
            for change in &changes.changes {
                match change {
                    Change::Put(entry) => {
                        let lease = entry.lease.map_or(0, |lease| lease.0);
                        entries.insert(entry.key.as_str(), (entry.mod_revision.0, lease, entry.value.as_slice()))?;
                    }
                    Change::Delete { key, .. } => {
                        entries.remove(key.as_str())?;
                    }
                }
            }
            write.open_table(META)?.insert("revision", changes.revision.0)?;
        }
        // Durability::Immediate is the default: the bytes are synced when this returns.
        write.commit()?;
        Ok(())
    }
}

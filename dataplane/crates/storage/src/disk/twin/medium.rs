//! What the twin's disk holds: for each file and each name what is durable, what a reader sees, and what has happened
//! in between.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rand::RngExt;
use rand::rngs::StdRng;

/// The unit that is written whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A file, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileNumber(usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Folder,
    File(FileNumber),
}

/// A change of names in one folder that has not been synced.
#[derive(Debug, Clone)]
enum NameChange {
    Set(PathBuf, Entry),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, Entry),
}

#[derive(Debug, Clone, Default)]
struct Contents {
    durable: Vec<u8>,
    seen: Vec<u8>,
    /// Every content that a sector had since the last sync, the newest last.
    unsynced: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Every length that the file had since the last sync.
    lengths: Vec<usize>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Medium {
    contents: Vec<Contents>,
    durable_names: BTreeMap<PathBuf, Entry>,
    seen_names: BTreeMap<PathBuf, Entry>,
    unsynced_names: BTreeMap<PathBuf, Vec<NameChange>>,
}

impl Medium {
    pub(super) fn create_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.add(dir, Entry::Folder)
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<FileNumber> {
        let number = FileNumber(self.contents.len());
        self.add(path, Entry::File(number))?;
        self.contents.push(Contents::default());
        Ok(number)
    }

    fn add(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        if self.seen_names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let folder = self.folder_of(path)?;
        self.seen_names.insert(path.to_owned(), entry);
        self.unsynced_names.entry(folder).or_default().push(NameChange::Set(path.to_owned(), entry));
        Ok(())
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<FileNumber> {
        match self.seen_names.get(path) {
            Some(Entry::File(number)) => Ok(*number),
            Some(Entry::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        if !self.is_folder(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = self.seen_names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        assert_eq!(from.parent(), to.parent(), "names move within one folder only");
        let entry = self.seen_names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.seen_names.insert(to.to_owned(), entry);
        let folder = self.folder_of(to)?;
        let change = NameChange::Rename(from.to_owned(), to.to_owned(), entry);
        self.unsynced_names.entry(folder).or_default().push(change);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.open(path)?;
        self.seen_names.remove(path);
        let folder = self.folder_of(path)?;
        self.unsynced_names.entry(folder).or_default().push(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        if !self.is_folder(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        for change in self.unsynced_names.remove(dir).unwrap_or_default() {
            apply(&mut self.durable_names, change);
        }
        Ok(())
    }

    pub(super) fn read(&self, number: FileNumber, buffer: &mut [u8], offset: usize) -> usize {
        let seen = &self.contents[number.0].seen;
        let bytes = seen.get(offset..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        count
    }

    pub(super) fn write(&mut self, number: FileNumber, bytes: &[u8], offset: usize) {
        self.contents[number.0].write(bytes, offset);
    }

    pub(super) fn bytes_after_write(&self, number: FileNumber, offset: usize, count: usize) -> u64 {
        let growth = (offset + count).saturating_sub(self.length(number));
        let named = self.seen_names.values().filter_map(|entry| match entry {
            Entry::File(number) => Some(self.length(*number)),
            Entry::Folder => None,
        });
        (named.sum::<usize>() + growth) as u64
    }

    pub(super) fn set_length(&mut self, number: FileNumber, length: usize) -> io::Result<()> {
        self.contents[number.0].set_length(length);
        Ok(())
    }

    pub(super) fn length(&self, number: FileNumber) -> usize {
        self.contents[number.0].seen.len()
    }

    pub(super) fn sync(&mut self, number: FileNumber) {
        self.contents[number.0].sync();
    }

    /// Some of it reaches the disk, and the rest is forgotten: readers see it, no later sync writes it.
    pub(super) fn sync_failed(&mut self, number: FileNumber, rng: &mut StdRng) {
        let contents = &mut self.contents[number.0];
        let seen = contents.seen.clone();
        contents.lose(rng);
        contents.seen = seen;
    }

    /// The power fails.
    pub(super) fn lose(&mut self, rng: &mut StdRng) {
        for contents in &mut self.contents {
            contents.lose(rng);
        }
        for (_, changes) in std::mem::take(&mut self.unsynced_names) {
            let share = share(rng);
            for change in changes {
                if rng.random_bool(share) {
                    apply(&mut self.durable_names, change);
                }
            }
        }
        let names = self.durable_names.clone();
        let has_home = |path: &Path| path.ancestors().skip(1).all(|above| is_root(above) || names.contains_key(above));
        self.durable_names.retain(|path, _| has_home(path));
        self.seen_names = self.durable_names.clone();
    }

    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = self.seen_names.iter().filter_map(|(path, entry)| match entry {
            Entry::File(number) => Some((path.clone(), self.contents[number.0].seen.clone())),
            Entry::Folder => None,
        });
        files.collect()
    }

    pub(super) fn plant(&mut self, path: &Path, bytes: Vec<u8>) {
        let number = FileNumber(self.contents.len());
        self.contents.push(Contents { durable: bytes.clone(), seen: bytes, ..Contents::default() });
        let above = path.ancestors().skip(1).filter(|above| !is_root(above));
        let entries = above.map(|above| (above.to_owned(), Entry::Folder));
        for (path, entry) in entries.chain([(path.to_owned(), Entry::File(number))]) {
            self.durable_names.insert(path.clone(), entry);
            self.seen_names.insert(path, entry);
        }
    }

    pub(super) fn vanish(&mut self, path: &Path) {
        self.durable_names.remove(path);
        self.seen_names.remove(path);
    }

    fn is_folder(&self, dir: &Path) -> bool {
        is_root(dir) || self.seen_names.get(dir) == Some(&Entry::Folder)
    }

    fn folder_of(&self, path: &Path) -> io::Result<PathBuf> {
        let folder = path.parent().filter(|folder| self.is_folder(folder));
        folder.map(Path::to_owned).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Contents {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.seen.len() {
            self.set_length(end);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let start = sector * SECTOR_BYTES;
            let content = self.seen[start..self.seen.len().min(start + SECTOR_BYTES)].to_vec();
            self.unsynced.entry(sector).or_default().push(content);
        }
    }

    fn set_length(&mut self, length: usize) {
        self.seen.resize(length, 0);
        self.lengths.push(length);
    }

    fn sync(&mut self) {
        self.durable.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.unsynced).into_keys() {
            let start = sector * SECTOR_BYTES;
            let end = self.seen.len().min(start + SECTOR_BYTES);
            if start < end {
                self.durable[start..end].copy_from_slice(&self.seen[start..end]);
            }
        }
        self.lengths.clear();
    }

    fn lose(&mut self, rng: &mut StdRng) {
        let share = share(rng);
        if !self.lengths.is_empty() && rng.random_bool(share) {
            self.durable.resize(self.lengths[rng.random_range(0..self.lengths.len())], 0);
        }
        for (sector, versions) in std::mem::take(&mut self.unsynced) {
            let start = (sector * SECTOR_BYTES).min(self.durable.len());
            if rng.random_bool(share) {
                let version = &versions[rng.random_range(0..versions.len())];
                let count = version.len().min(self.durable.len() - start);
                self.durable[start..start + count].copy_from_slice(&version[..count]);
            }
        }
        self.lengths.clear();
        self.seen = self.durable.clone();
    }
}

/// How many of `count` bytes from `offset` on are written when a write ends at the last border between sectors.
pub(super) fn whole_sectors(offset: usize, count: usize) -> usize {
    ((offset + count) / SECTOR_BYTES * SECTOR_BYTES).saturating_sub(offset)
}

/// How likely each unsynced thing survives this time: often all or nothing, because those are the interesting ends.
fn share(rng: &mut StdRng) -> f64 {
    match rng.random_range(0..4) {
        0 => 0.0,
        1 => 1.0,
        _ => rng.random_range(0.0..1.0),
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Entry>, change: NameChange) {
    match change {
        NameChange::Set(path, entry) => {
            names.insert(path, entry);
        }
        NameChange::Remove(path) => {
            names.remove(&path);
        }
        NameChange::Rename(from, to, entry) => {
            names.remove(&from);
            names.insert(to, entry);
        }
    }
}

fn is_root(path: &Path) -> bool {
    path == Path::new("/") || path.as_os_str().is_empty()
}

//! The disk's test twin: a machine whose power can fail at any step.
//!
//! A [`Machine`] is the hardware and the operating system: it outlives the processes on it. [`Machine::boot`] starts a
//! process and gives it its [`Disk`]; the disks of earlier processes are dead from then on, so threads left over from
//! a test's "crash" harm nobody. [`Machine::power_loss`] keeps, from one seed, an arbitrary subset of the unsynced
//! sectors (and of the older contents that a sector had since it was last synced), lengths and names.
//!
//! Steps that change the disk are counted from 1. [`Machine::fail_at`] makes a chosen one fail, or stops the machine
//! there. A failed sync marks the pages as clean, as Linux does: readers still see bytes that the disk never got.

mod medium;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Died, Disk, DiskFile, DiskLock};
use medium::{FileNumber, Medium};

/// What a chosen step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The step takes effect as far as an unsynced step does, and nothing happens after it.
    Stop,
    /// The step fails with this error. A write has then written an arbitrary number of whole sectors.
    Error(io::ErrorKind),
}

/// A machine with one disk.
#[derive(Debug, Clone)]
pub struct Machine {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    medium: Medium,
    locks: BTreeSet<PathBuf>,
    rng: StdRng,
    process: u64,
    stopped: bool,
    died: Option<Died>,
    steps: u64,
    syncs: u64,
    faults: BTreeMap<u64, Fault>,
    bytes_max: Option<u64>,
}

impl Machine {
    /// A machine with an empty disk. All chance comes from `seed`.
    pub fn new(seed: u64) -> Machine {
        Machine::with(Medium::default(), seed)
    }

    /// Another machine whose disk holds the same, unsynced parts included, and whose chance comes from `seed`.
    pub fn duplicate(&self, seed: u64) -> Machine {
        Machine::with(self.state.lock().medium.clone(), seed)
    }

    fn with(medium: Medium, seed: u64) -> Machine {
        let state = State {
            medium,
            locks: BTreeSet::new(),
            rng: StdRng::seed_from_u64(seed),
            process: 0,
            stopped: false,
            died: None,
            steps: 0,
            syncs: 0,
            faults: BTreeMap::new(),
            bytes_max: None,
        };
        Machine { state: Arc::new(Mutex::new(state)) }
    }

    /// Starts a process. What the one before has written is there, synced or not: this is a restart of the process
    /// alone, unless [`Machine::power_loss`] was called in between. Faults and the count of steps begin anew.
    pub fn boot(&self) -> Arc<dyn Disk> {
        let mut state = self.state.lock();
        state.process += 1;
        state.stopped = false;
        state.died = None;
        state.steps = 0;
        state.syncs = 0;
        state.faults.clear();
        state.locks.clear();
        Arc::new(TwinDisk { state: Arc::clone(&self.state), process: state.process })
    }

    /// The power fails: of what was not synced an arbitrary subset remains. The process is gone.
    pub fn power_loss(&self) {
        let state = &mut *self.state.lock();
        state.stopped = true;
        state.medium.lose(&mut state.rng);
    }

    /// Makes step number `step` of the running process fail.
    pub fn fail_at(&self, step: u64, fault: Fault) {
        self.state.lock().faults.insert(step, fault);
    }

    /// How many changing steps the running process has begun.
    pub fn steps(&self) -> u64 {
        self.state.lock().steps
    }

    /// How many files the running process has synced.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Why the running process had to end, if it had to.
    pub fn died(&self) -> Option<Died> {
        self.state.lock().died.clone()
    }

    /// Whether a [`Fault::Stop`] has been met, or the process has died.
    pub fn stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Limits the sum of all files' lengths.
    pub fn limit_bytes(&self, bytes_max: Option<u64>) {
        self.state.lock().bytes_max = bytes_max;
    }

    /// All files with their bytes as a reader sees them.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.state.lock().medium.files()
    }

    /// Puts bytes under a name, durably, behind everybody's back: damage at rest, or a copy of another machine's disk.
    pub fn plant(&self, path: &Path, bytes: Vec<u8>) {
        self.state.lock().medium.plant(path, bytes);
    }

    /// Takes a file away, durably, behind everybody's back.
    pub fn vanish(&self, path: &Path) {
        self.state.lock().medium.vanish(path);
    }
}

/// The disk as one process sees it.
#[derive(Debug, Clone)]
struct TwinDisk {
    state: Arc<Mutex<State>>,
    process: u64,
}

impl TwinDisk {
    fn living(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.lock();
        if state.stopped || state.process != self.process {
            return Err(io::Error::other("this process of the twin machine is no more"));
        }
        Ok(state)
    }

    /// Counts a step and does what was planned for it. `change` runs for a step that succeeds or at which the machine
    /// stops; `partly` for one that fails with an error.
    fn step<T>(
        &self,
        change: impl FnOnce(&mut State) -> io::Result<T>,
        partly: impl FnOnce(&mut State),
    ) -> io::Result<T> {
        let mut state = self.living()?;
        state.steps += 1;
        let step = state.steps;
        match state.faults.get(&step).copied() {
            None => change(&mut state),
            Some(Fault::Error(kind)) => {
                partly(&mut state);
                Err(io::Error::new(kind, format!("planned for step {step}")))
            }
            Some(Fault::Stop) => {
                let _whatever_it_was = change(&mut state);
                state.stopped = true;
                Err(io::Error::other(format!("the twin machine stops at step {step}")))
            }
        }
    }

    fn file(&self, number: FileNumber) -> Box<dyn DiskFile> {
        Box::new(TwinFile { disk: self.clone(), number })
    }
}

impl Disk for TwinDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.step(|state| state.medium.create_dir(dir), |_| ())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.step(|state| state.medium.create(path), |_| ()).map(|number| self.file(number))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.living()?.medium.open(path).map(|number| self.file(number))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.living()?.medium.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|state| state.medium.rename(from, to), |_| ())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|state| state.medium.remove(path), |_| ())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let synced = |state: &mut State| match state.faults.get(&state.steps) {
            Some(_) => Ok(()),
            None => state.medium.sync_dir(dir),
        };
        self.step(synced, |_| ())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut state = self.living()?;
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(TwinLock { disk: self.clone(), path: path.to_owned() }))
    }

    fn abort(&self, reason: &Died) {
        if let Ok(mut state) = self.living() {
            state.stopped = true;
            state.died = Some(reason.clone());
        }
    }
}

#[derive(Debug)]
struct TwinFile {
    disk: TwinDisk,
    number: FileNumber,
}

impl DiskFile for TwinFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(self.disk.living()?.medium.read(self.number, buffer, to_index(offset)))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (number, offset) = (self.number, to_index(offset));
        let write = |state: &mut State| {
            if let Some(bytes_max) = state.bytes_max
                && state.medium.bytes_after_write(number, offset, bytes.len()) > bytes_max
            {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.medium.write(number, bytes, offset);
            Ok(())
        };
        let partly = |state: &mut State| {
            let part = medium::whole_sectors(offset, state.rng.random_range(0..=bytes.len()));
            state.medium.write(number, &bytes[..part], offset);
        };
        self.disk.step(write, partly)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.disk.step(|state| state.medium.set_length(self.number, to_index(length)), |_| ())
    }

    fn sync(&self) -> io::Result<()> {
        let synced = |state: &mut State| {
            // A machine that stops in the middle of a sync has promised nothing.
            if !state.faults.contains_key(&state.steps) {
                state.syncs += 1;
                state.medium.sync(self.number);
            }
            Ok(())
        };
        let partly = |state: &mut State| {
            let State { medium, rng, .. } = state;
            medium.sync_failed(self.number, rng);
        };
        self.disk.step(synced, partly)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.living()?.medium.length(self.number) as u64)
    }
}

#[derive(Debug)]
struct TwinLock {
    disk: TwinDisk,
    path: PathBuf,
}

impl DiskLock for TwinLock {}

impl Drop for TwinLock {
    fn drop(&mut self) {
        if let Ok(mut state) = self.disk.living() {
            state.locks.remove(&self.path);
        }
    }
}

fn to_index(offset: u64) -> usize {
    usize::try_from(offset).expect("test files are small")
}

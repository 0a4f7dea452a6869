//! A thread that makes the next file before it is needed, so that an append does not wait for zeros to be written.
//!
//! It also gives back the room behind the end of sealed files, which nobody waits for at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::file_header::FileHeader;
use super::writer::PreparedFile;
use crate::disk::{Died, Disk, DurableFile, WriteError};
use crate::priority;

/// How long a full disk is left alone before the next try.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The next file, on order.
#[derive(Debug)]
pub(super) struct Preparer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    desk: Mutex<Desk>,
    changed: Condvar,
}

/// What lies between the log and the thread. Bounded: one order, and one sealed file for each order.
#[derive(Debug)]
struct Desk {
    order: Order,
    sealed: Vec<(DurableFile, u64)>,
    stopping: bool,
}

#[derive(Debug)]
enum Order {
    None,
    Waiting(FileHeader, u64),
    /// It could not be made for want of room and is tried again.
    NoRoom(FileHeader, u64),
    Ready(PreparedFile),
    Died(Died),
}

/// Why there is no next file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotPrepared {
    NoRoom,
    Died(Died),
}

impl Preparer {
    pub(super) fn start(disk: Arc<dyn Disk>, dir: PathBuf) -> Preparer {
        let desk = Mutex::new(Desk { order: Order::None, sealed: Vec::new(), stopping: false });
        let shared = Arc::new(Shared { disk, dir, desk, changed: Condvar::new() });
        let thread = std::thread::Builder::new().name("wal-prepare".into()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                priority::work_behind();
                shared.run();
            }
        });
        Preparer { shared, thread: Some(thread.expect("the system has room for a thread")) }
    }

    /// Orders a file. The one ordered before has been taken.
    pub(super) fn order(&self, header: FileHeader, capacity: u64) {
        self.shared.desk.lock().order = Order::Waiting(header, capacity);
        self.shared.changed.notify_all();
    }

    /// Gives back what a sealed file holds beyond its length.
    pub(super) fn give_back(&self, file: DurableFile, length: u64) {
        self.shared.desk.lock().sealed.push((file, length));
        self.shared.changed.notify_all();
    }

    /// Whether the ordered file can be had without waiting.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.shared.desk.lock().order, Order::Ready(_))
    }

    /// The ordered file; waits until it is made or is known not to be.
    pub(super) fn take(&self) -> Result<PreparedFile, NotPrepared> {
        let mut desk = self.shared.desk.lock();
        while let Order::Waiting(..) = desk.order {
            self.shared.changed.wait(&mut desk);
        }
        match std::mem::replace(&mut desk.order, Order::None) {
            Order::Ready(prepared) => Ok(prepared),
            Order::NoRoom(header, capacity) => {
                desk.order = Order::NoRoom(header, capacity);
                Err(NotPrepared::NoRoom)
            }
            Order::Died(died) => Err(NotPrepared::Died(died)),
            Order::None | Order::Waiting(..) => unreachable!("a file is taken only when one was ordered"),
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.shared.desk.lock().stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that prepares log files has panicked");
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut desk = self.desk.lock();
        loop {
            if let Some((file, length)) = desk.sealed.pop() {
                MutexGuard::unlocked(&mut desk, || file.give_back(length));
            } else if desk.stopping {
                return;
            } else if let Order::Waiting(header, capacity) = desk.order {
                let make = || PreparedFile::make(&self.disk, &self.dir, header, capacity);
                desk.order = outcome(MutexGuard::unlocked(&mut desk, make), header, capacity);
                self.changed.notify_all();
            } else if let Order::NoRoom(header, capacity) = desk.order {
                if self.changed.wait_for(&mut desk, RETRY_AFTER).timed_out() {
                    desk.order = Order::Waiting(header, capacity);
                }
            } else {
                self.changed.wait(&mut desk);
            }
        }
    }
}

fn outcome(made: Result<PreparedFile, WriteError>, header: FileHeader, capacity: u64) -> Order {
    match made {
        Ok(prepared) => Order::Ready(prepared),
        Err(WriteError::NoRoom(error)) => {
            tracing::warn!(%error, cause = %error.source, bytes = capacity, "no room for the next log file");
            Order::NoRoom(header, capacity)
        }
        Err(WriteError::Died(died)) => Order::Died(died),
    }
}
